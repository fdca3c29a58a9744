/**
 * For a plug that reaches its place through a consumer of the configuration, such as a secret store that is part of a
 * program: the setting that names the consumer, and the type that it must be of.
 */
export interface Through {
  readonly setting: string;
  readonly type: string;
}

/** The consumer that a plug goes through, with its settings as its own definition parsed them. */
export interface ThroughConsumer {
  readonly name: string;
  readonly settings: Readonly<Record<string, unknown>>;
}
