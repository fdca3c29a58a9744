import type { CredentialConfig } from "../../config/config.ts";
import { AdapterError } from "../../contract/errors.ts";
import type { Logger } from "../../log.ts";
import type { Key } from "../../model.ts";
import { type Shelved, shelve } from "../gate.ts";
import { makeCredentialContext } from "../make-context.ts";
import type { EngineParts } from "../parts.ts";
import { waitBefore } from "../retry.ts";

type ShelfParts = Pick<EngineParts, "ledger" | "clock" | "config" | "plugs" | "fingerprintKey"> & { readonly log: Logger };

/** Switches a key of the pool off until it is drawn, where the vendor can. Throws nothing of the outside. */
export async function putAway(parts: ShelfParts, credential: CredentialConfig, key: Key, signal: AbortSignal): Promise<Shelved> {
  const { ledger, clock } = parts;
  const { context, announced } = makeCredentialContext(parts, credential, signal);
  const answered = () => announced.map(({ id }) => ledger.keys.answerCall(id, clock.now()));
  try {
    const shelved = await shelve(context, key);
    if (shelved.off) ledger.record(credential.name, [{ code: "keyDisabled", detail: { keyId: key.vendorId } }], answered);
    return shelved;
  } catch (error) {
    if (!(error instanceof AdapterError)) throw error;
    if (error.answered && announced.length > 0) {
      // The vendor did nothing, and said so: the key is on.
      ledger.record(credential.name, [], () => {
        answered();
        ledger.keys.update(key.id, { disabledAt: null });
      });
    }
    return { off: false, why: error.message, passes: error.retry };
  }
}

/**
 * Looks after keys of the pool that a crash, a lost reply or a way back left switched on: asks the vendor which are, and
 * switches those off; what fails for now is tried again.
 */
export function createShelf(parts: ShelfParts) {
  const { ledger, clock, log } = parts;
  const stopping = new AbortController();
  const looks = new Map<string, Promise<void>>();

  async function look(credential: CredentialConfig): Promise<"again" | "done"> {
    const pooled = ledger.keys.live(credential.name).filter(({ stage }) => stage === "pooled");
    const { context } = makeCredentialContext(parts, credential, stopping.signal);
    const able = pooled.filter((key) => context.canDisable(key));
    if (able.length === 0) return "done";
    if (context.openUntil !== undefined) return "again";
    for (const key of able) {
      const listed = await context.call((signal) => context.issuer(key).provider.list(signal));
      if (listed.find(({ id }) => id === key.vendorId)?.enabled !== true) continue;
      const fate = await putAway(parts, credential, key, stopping.signal);
      const fields = { credential: credential.name, keyId: key.vendorId };
      if (fate.off) log.info(fields, "a key of the pool was left on, and is off now");
      else log.warn({ ...fields, reason: fate.why }, "a key of the pool stays on");
      if (!fate.off && fate.passes) return "again";
    }
    return "done";
  }

  async function keepLooking(name: string): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      const credential = parts.config().credentials[name];
      if (credential === undefined || isAboutToDraw(parts, name)) return;
      const next = await look(credential).catch((error: unknown) => {
        if (stopping.signal.aborted) return "done";
        log.warn({ err: error, credential: name }, "cannot see which keys of the pool are on");
        return error instanceof AdapterError && error.retry ? "again" : "done";
      });
      if (next === "done") return;
      await clock.sleep(waitBefore(attempt, parts.config().timing, undefined), stopping.signal);
    }
  }

  return {
    /** Has another look at the pool of a credential, if nobody looks yet. */
    tidy(name: string): void {
      if (stopping.signal.aborted || looks.has(name)) return;
      const looking = keepLooking(name)
        .catch((error: unknown) => {
          if (!stopping.signal.aborted) log.error({ err: error, credential: name }, "cannot look after the pool");
        })
        .finally(() => looks.delete(name));
      looks.set(name, looking);
    },
    async stop(): Promise<void> {
      stopping.abort(new Error("shutting down"));
      await Promise.all(looks.values());
    },
  };
}

export type Shelf = ReturnType<typeof createShelf>;

/** Whether the open rotation of a credential takes its key from the pool, and has none yet. */
export function isAboutToDraw({ ledger }: Pick<EngineParts, "ledger">, name: string): boolean {
  const open = ledger.rotations.open(name);
  return open !== undefined && open.plan.supply === "intake" && open.target === null && !open.cancelRequested;
}
