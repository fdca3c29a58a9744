import type { ErrorBody } from "./api-errors.ts";
import type { EventView, KeyView, RotationView } from "./api-views.ts";
import type { Finding } from "./contract/finding.ts";
import type { Secret } from "./contract/secret.ts";
import type { Checklist, Outcome, Step } from "./model.ts";

/**
 * What `rotatectl` and the daemon say to each other: JSON over HTTP on a Unix socket. Times are Unix milliseconds;
 * `null` is "none". The replies are what `--json` prints: fields are added, never renamed. No secret is ever in one.
 */

/** What a caller may do: look, or change something. */
export type Access = "read" | "act";

/** Path, method and right of one operation. `:name` in a path is a field of its request; the rest is query or body. */
export interface Route {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly access: Access;
  /** Starts a rotation: a request without an idempotency key is refused. */
  readonly starts?: true;
  /** How long the daemon may take to answer. */
  readonly timeoutMs: number;
}

/** The longest that {@link Control.watch} waits for news. */
export const MAX_WATCH_MS = 25_000;

// biome-ignore format: the columns are the point
export const ROUTES = {
  status:   { method: "GET",  path: "/v1/status",                      access: "read", timeoutMs: 10_000 },
  show:     { method: "GET",  path: "/v1/credentials/:name",           access: "read", timeoutMs: 10_000 },
  history:  { method: "GET",  path: "/v1/history",                     access: "read", timeoutMs: 10_000 },
  watch:    { method: "GET",  path: "/v1/rotations/:id",               access: "read", timeoutMs: MAX_WATCH_MS + 10_000 },
  plan:     { method: "GET",  path: "/v1/credentials/:name/plan",      access: "read", timeoutMs: 120_000 },
  check:    { method: "GET",  path: "/v1/check",                       access: "read", timeoutMs: 120_000 },
  rotate:   { method: "POST", path: "/v1/rotate",                      access: "act",  timeoutMs: 10_000, starts: true },
  rehearse: { method: "POST", path: "/v1/credentials/:name/rehearse",  access: "act",  timeoutMs: 10_000, starts: true },
  pause:    { method: "POST", path: "/v1/pause",                       access: "act",  timeoutMs: 10_000 },
  resume:   { method: "POST", path: "/v1/resume",                      access: "act",  timeoutMs: 10_000 },
  cancel:   { method: "POST", path: "/v1/credentials/:name/cancel",    access: "act",  timeoutMs: 10_000 },
  retry:    { method: "POST", path: "/v1/credentials/:name/retry",     access: "act",  timeoutMs: 10_000 },
  abandon:  { method: "POST", path: "/v1/credentials/:name/abandon",   access: "act",  timeoutMs: 10_000 },
  adopt:    { method: "POST", path: "/v1/credentials/:name/adopt",     access: "act",  timeoutMs: 120_000 },
  intake:   { method: "POST", path: "/v1/credentials/:name/intake",    access: "act",  timeoutMs: 120_000 },
  retire:   { method: "POST", path: "/v1/credentials/:name/retire",    access: "act",  timeoutMs: 120_000 },
  pair:     { method: "POST", path: "/v1/consumers/:consumer/pair",    access: "act",  timeoutMs: 120_000 },
} as const satisfies Record<keyof Control, Route>;

export type Operation = keyof typeof ROUTES;
export type Request<Op extends Operation> = Parameters<Control[Op]>[0];
export type Reply<Op extends Operation> = Awaited<ReturnType<Control[Op]>>;

/** What the daemon can do for a person. The server checks requests and rights before it calls; methods throw {@link ControlError}. */
export interface Control {
  /** Never waits for the outside world. */
  status(request: Empty, ask: Ask): Promise<StatusReply>;
  /** Everything of one credential. Never waits for the outside world. */
  show(request: { readonly name: string }, ask: Ask): Promise<CredentialReply>;
  /** Events, newest first: at most `limit`, and with an id below `before`. */
  history(request: { readonly name?: string; readonly limit: number; readonly before?: number }, ask: Ask): Promise<HistoryReply>;
  /** Answers when the rotation has events above `after`, at once when it is over or stuck, else when `waitMs` are over. */
  watch(request: { readonly id: number; readonly after: number; readonly waitMs: number }, ask: Ask): Promise<WatchReply>;
  /** What a rotation would do. Asks the outside world as pre-flight does, changes nothing. */
  plan(request: { readonly name: string }, ask: Ask): Promise<PlanReply>;
  /** Asks each provider, and each store and consumer that a credential uses, as pre-flight does. Changes nothing. */
  check(request: Empty, ask: Ask): Promise<CheckReply>;
  /** Starts a rotation of one credential or of all. One that is open, or that has the same key, is answered in its place. */
  rotate(request: RotateRequest, ask: Ask): Promise<RotateReply>;
  /** Creates a key, verifies it, and revokes it again: consumers see nothing. */
  rehearse(request: { readonly name: string; readonly reason?: string }, ask: Ask): Promise<StartedRotation>;
  pause(request: Which, ask: Ask): Promise<PauseReply>;
  resume(request: Which, ask: Ask): Promise<PauseReply>;
  /** Takes the way back; `conflict` once the old key is off. */
  cancel(request: { readonly name: string }, ask: Ask): Promise<RotationReply>;
  /** Clears `stuck`, and runs the step now. */
  retry(request: { readonly name: string }, ask: Ask): Promise<RotationReply>;
  /** Ends the rotation without a call to anybody; the next one settles what is left. */
  abandon(request: { readonly name: string }, ask: Ask): Promise<RotationReply>;
  /** Takes the key that the store holds under management. `keyId` where the vendor's list does not tell which one it is. */
  adopt(request: { readonly name: string; readonly keyId?: string }, ask: Ask): Promise<AdoptReply>;
  /** Takes in a key that a person made: checked, staged, and kept for the next rotation, or for the one that waits. */
  intake(request: { readonly name: string; readonly secret: Secret; readonly keyId?: string }, ask: Ask): Promise<IntakeReply>;
  /** Takes the credential out of management. Its live key is left alone: a key dies only after its consumers have left it. */
  retire(request: { readonly name: string }, ask: Ask): Promise<RetireReply>;
  /** Introduces rotated to a consumer. */
  pair(request: { readonly consumer: string }, ask: Ask): Promise<PairReply>;
}

/** Who asks, and until when. */
export interface Ask {
  /** For the records: `alice (uid 1000)`. */
  readonly actor: string;
  /** The same for each repeat of one request. Always there for what starts a rotation. */
  readonly idempotencyKey?: string;
  /** Aborts when the time of the route is over, when the server closes and, for what only reads, when the caller hangs up. */
  readonly signal: AbortSignal;
}

export type Empty = Readonly<Record<string, never>>;
/** One credential or all of them. */
export type Which = { readonly name: string } | { readonly all: true };
export type RotateRequest = Which & { readonly now: boolean; readonly reason?: string };

export interface StatusReply {
  readonly version: string;
  /** When the daemon started. */
  readonly since: number;
  readonly config: { readonly path: string; readonly loadedAt: number; readonly warnings: readonly string[] };
  readonly credentials: readonly CredentialStatus[];
}

export interface CredentialStatus {
  readonly name: string;
  /** `false` for one that left the configuration and was not retired, or has a rotation, a debt or a create call open. */
  readonly configured: boolean;
  readonly provider: string;
  readonly store: string;
  readonly paused: boolean;
  /** The next planned start; `null` without a schedule, or while paused. */
  readonly nextAt: number | null;
  readonly current: KeyView | null;
  /** How many keys wait in the pool, brought by a person. */
  readonly pooled: number;
  readonly open: RotationView | null;
  readonly last: LastRotation | null;
}

export interface LastRotation {
  readonly rotation: number;
  readonly outcome: Outcome;
  /** Why it did not end as `done`. */
  readonly reason: string | null;
  readonly endedAt: number;
}

export interface CredentialReply extends CredentialStatus {
  readonly consumers: readonly string[];
  /** The schedule in words: `every 30d`, `0 4 1 * * Europe/Berlin`; `null` for none. */
  readonly schedule: string | null;
  readonly window: { readonly from: string; readonly to: string; readonly zone: string } | null;
  readonly overlapMs: number;
  /** Newest first; debts are those at the stage `retiring`. */
  readonly keys: readonly KeyView[];
  readonly openIntents: readonly { readonly label: string; readonly announcedAt: number }[];
}

export interface HistoryReply {
  readonly events: readonly EventView[];
  /** Ask for `before` this to read on; `null` at the beginning of time. */
  readonly next: number | null;
}

export interface WatchReply {
  readonly rotation: RotationView;
  /** Those above `after`, oldest first. */
  readonly events: readonly EventView[];
}

export interface PlanReply {
  readonly credential: string;
  readonly plan: string;
  /** Every side effect that the rotation may have, in order. What is executed is never more than that. */
  readonly effects: readonly Effect[];
  /** What would stop it now. */
  readonly findings: readonly Finding[];
  /** Further lines for people, such as which key is replaced and when. */
  readonly notes: readonly string[];
}

export interface Effect {
  readonly step: Step;
  readonly checklist: Checklist | null;
  /** One clause. */
  readonly effect: string;
  readonly target: Subject;
  readonly irreversible: boolean;
  /** What the consumers' users will notice; `null` for nothing. */
  readonly consumersFeel: string | null;
}

export interface Subject {
  readonly kind: "provider" | "store" | "consumer" | "credential";
  readonly name: string;
}

export interface CheckReply {
  readonly checked: readonly { readonly subject: Subject; readonly findings: readonly Finding[] }[];
}

export interface StartedRotation {
  readonly rotation: RotationView;
  /** `false` when it was open already, or when this request had started it before. */
  readonly started: boolean;
}

export interface RotateReply {
  readonly rotations: readonly StartedRotation[];
  /** Credentials of `all` that cannot be rotated. */
  readonly refused: readonly { readonly credential: string; readonly error: ErrorBody }[];
}

export interface PauseReply {
  readonly credentials: readonly { readonly name: string; readonly paused: boolean; readonly changed: boolean }[];
}

export interface RotationReply {
  readonly rotation: RotationView;
  /** What happens now, as one clause. */
  readonly message: string;
}

export interface AdoptReply {
  readonly credential: string;
  readonly key: KeyView;
  readonly message: string;
}

export interface IntakeReply {
  readonly credential: string;
  readonly key: KeyView;
  /** What becomes of the key now. */
  readonly message: string;
}

export interface RetireReply {
  readonly credential: string;
  /** The key that was current, if any. */
  readonly key: KeyView | null;
  /** Keys that waited in the pool. */
  readonly pooled: readonly KeyView[];
  /** What becomes of it, and what is left for a person to do. */
  readonly message: string;
}

export interface PairReply {
  readonly consumer: string;
  readonly paired: boolean;
  readonly message: string;
}
