/** What is proposed: the sections of a rotated.yaml, and what did not become a part of it. */
export interface Proposal {
  /** What stands above the file. One line each. */
  readonly head: readonly string[];
  readonly providers: readonly Entry[];
  readonly stores: readonly Entry[];
  readonly consumers: readonly Entry[];
  readonly credentials: readonly Entry[];
  /** What was found and is not rotated by this file: one clause each. */
  readonly left: readonly string[];
  /** How a key gets to where rotated can replace it; empty when none has to. One line each. */
  readonly moving: readonly string[];
}

/** A named entry of a section. */
export interface Entry {
  readonly name: string;
  readonly comment: readonly string[];
  readonly settings: readonly Setting[];
}

export interface Setting {
  readonly name: string;
  /** Left out where a person must fill it in: `rotatectl check` reports a setting without a value. */
  readonly value?: unknown;
  readonly comment?: string;
}

/** The settings that are still to be filled in, as `rotatectl check` names them. */
export function blanksOf(proposal: Proposal): readonly string[] {
  return (["providers", "stores", "consumers", "credentials"] as const).flatMap((section) =>
    proposal[section].flatMap((entry) =>
      entry.settings.filter(({ value }) => value === undefined).map(({ name }) => `${section}.${entry.name}.${name}`),
    ),
  );
}
