import type { Control } from "../api.ts";
import { ControlError } from "../api-errors.ts";
import { credentialNamed, type DaemonParts } from "./daemon-parts.ts";
import { mustBeAtRest } from "./may-adopt.ts";
import { keyView } from "./views.ts";

/** The operation that takes a credential out of management. */
export function retiring(parts: DaemonParts): Pick<Control, "retire"> {
  const { ledger, clock, scheduler } = parts;

  return {
    async retire({ name }, { actor }) {
      const state = ledger.credentials.get(name);
      if (state === undefined) credentialNamed(parts, name);
      mustBeAtRest(parts, name);
      const debts = ledger.keys.live(name).filter(({ stage }) => stage === "pending" || stage === "retiring");
      const [intent] = ledger.keys.openIntents(name);
      const first = Object.hasOwn(parts.config().credentials, name) ? "" : `put ${name} back into the configuration and reload, then `;
      if (intent !== undefined) {
        throw new ControlError(
          "conflict",
          `${name} has a create call that is not settled yet: ${intent.label}`,
          `${first}a rotation settles it: rotatectl rotate ${name}`,
        );
      }
      if (debts.length > 0) {
        const ids = debts.map(({ vendorId }) => vendorId).join(", ");
        throw new ControlError(
          "conflict",
          `${name} has keys that are not dead yet: ${ids}`,
          `${first}a rotation makes them dead: rotatectl rotate ${name}`,
        );
      }
      const current = ledger.keys.live(name).find(({ stage }) => stage === "current");
      const pooled = ledger.keys.live(name).filter(({ stage }) => stage === "pooled");
      const poolIds = pooled.map(({ vendorId }) => vendorId).join(", ");
      const detail = { actor, keyId: current?.vendorId ?? null, ...(pooled.length > 0 && { pooled: poolIds }) };
      ledger.record(name, [{ code: "retired", detail }], () => ledger.credentials.retire(name, clock.now()));
      scheduler.touch(name);
      const rest =
        pooled.length === 0
          ? ""
          : `; its pool (${poolIds}) stays as it is, at the vendor and in the store's keep: delete those keys in the vendor's console, too, or bring the credential back with rotatectl adopt`;
      const message =
        current === undefined
          ? `${name} is retired; it had no key in use`
          : `${name} is retired; its key ${current.vendorId} stays valid at the vendor and in the store, and nobody rotates it any more: delete it in the vendor's console once nothing uses it`;
      const now = clock.now();
      const key = current === undefined ? null : keyView(current, now);
      return { credential: name, key, pooled: pooled.map((row) => keyView(row, now)), message: `${message}${rest}` };
    },
  };
}
