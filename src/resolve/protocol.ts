/**
 * What `rotatectl resolve` and the daemon say to each other on resolve.sock: version 1 of the protocol that OpenClaw speaks with
 * an exec provider (https://docs.openclaw.ai/gateway/secrets), request and reply as they are, in one POST.
 */
export const RESOLVE = {
  method: "POST",
  path: "/v1/resolve",
  /** OpenClaw sends no more at once. */
  bodyLimit: 256 * 1024,
  mostIds: 512,
  /** How long one store may take. OpenClaw kills what has not answered after 5 s, and then it has none of the others either. */
  readTimeoutMs: 4000,
} as const;

export interface ResolveReply {
  readonly protocolVersion: 1;
  readonly values: Readonly<Record<string, string>>;
  /** The other ids. OpenClaw shows the code `NOT_FOUND` and no other, and no message: that is for people. */
  readonly errors: Readonly<Record<string, ResolveError>>;
}

export interface ResolveError {
  readonly code: "NOT_FOUND" | "UNAVAILABLE";
  readonly message: string;
}

/** What OpenClaw takes as the id of an exec reference: every name that a credential can have, and more. */
export const OPENCLAW_ID = /^[A-Za-z0-9][A-Za-z0-9._:/#-]{0,255}$/;
