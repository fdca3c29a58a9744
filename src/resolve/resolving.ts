import type { Config, CredentialConfig } from "../config/config.ts";
import { AdapterError } from "../contract/errors.ts";
import type { Secret } from "../contract/secret.ts";
import { orAbort } from "../contract/turns.ts";
import type { Clock } from "../contract/world.ts";
import type { Logger } from "../log.ts";
import { actorOf, isCaller, type Peer } from "../peer.ts";
import type { Plugs } from "../rotation/parts.ts";
import { RESOLVE, type ResolveError } from "./protocol.ts";

export interface ResolvingParts {
  readonly config: () => Pick<Config, "credentials">;
  readonly plugs: () => Pick<Plugs, "store">;
  readonly clock: Pick<Clock, "deadline">;
  readonly log: Logger;
}

/** What became of one id. */
type Resolved = { readonly id: string } & ({ readonly secret: Secret } | { readonly error: ResolveError });

/** Names of the log line; the rest of what a stranger asked for is only counted. */
const MOST_NAMES = 10;

/** The current values of those `ids` that are granted to the peer, each read in its store at this call; errors for the others. */
export type Resolve = (peer: Peer, ids: readonly string[], signal: AbortSignal) => Promise<readonly Resolved[]>;

export function resolving(parts: ResolvingParts): Resolve {
  return async (peer, ids, signal) => {
    const since = performance.now();
    const resolved = await Promise.all([...new Set(ids)].map((id) => resolveOne(parts, peer, id, signal)));
    signal.throwIfAborted();
    const given = resolved.filter((one) => "secret" in one).map(({ id }) => id);
    const refused = resolved.filter((one) => "error" in one && one.error.code === "NOT_FOUND").map(({ id }) => id);
    const failed = resolved.filter((one) => "error" in one && one.error.code === "UNAVAILABLE").map(({ id }) => id);
    const facts = {
      actor: actorOf(peer),
      given,
      ...(refused.length > 0 && { refused: refused.slice(0, MOST_NAMES), refusedCount: refused.length }),
      ...(failed.length > 0 && { failed }),
      durationMs: Math.round(performance.now() - since),
    };
    parts.log[given.length === resolved.length ? "info" : "warn"](facts, "secrets asked for");
    return resolved;
  };
}

/** A credential that is not granted and one that does not exist get the same answer. */
async function resolveOne(parts: ResolvingParts, peer: Peer, id: string, signal: AbortSignal): Promise<Resolved> {
  const { credentials } = parts.config();
  const credential = Object.hasOwn(credentials, id) ? credentials[id] : undefined;
  if (credential === undefined || !credential.resolve.some((caller) => isCaller(peer, caller))) {
    return { id, error: { code: "NOT_FOUND", message: `not granted to ${actorOf(peer)}, or no credential of this name` } };
  }
  try {
    const secret = await readCurrent(parts, credential, signal);
    // OpenClaw takes an empty value for a mistake that stops every reload.
    if (secret !== undefined && secret.reveal() !== "") return { id, secret };
    return { id, error: { code: "NOT_FOUND", message: "its store holds no value yet" } };
  } catch (error) {
    signal.throwIfAborted();
    return { id, error: { code: "UNAVAILABLE", message: explain(parts.log, credential, error) } };
  }
}

/** Of the store itself, never of a mirror. One that hangs is given up, so that it does not hold the others. */
function readCurrent({ plugs, clock }: ResolvingParts, credential: CredentialConfig, signal: AbortSignal): Promise<Secret | undefined> {
  const call = AbortSignal.any([signal, clock.deadline(RESOLVE.readTimeoutMs)]);
  return orAbort(plugs().store(credential).read("current", call), call);
}

/** The log has what a store says of itself; the caller learns the kind of failure only. */
function explain(log: Logger, { name, store }: CredentialConfig, err: unknown): string {
  log.warn({ credential: name, store: store.use, err }, "the store gave no value to hand out");
  if (err instanceof AdapterError) return `its store could not be read (${err.code}): the log of rotated says more`;
  const late = err instanceof DOMException && err.name === "TimeoutError";
  return late ? `its store did not answer within ${RESOLVE.readTimeoutMs / 1000} s` : "a fault in rotated: its log says more";
}
