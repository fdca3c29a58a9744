import type { Control } from "../api.ts";
import { ControlError } from "../api-errors.ts";
import type { VendorKey } from "../contract/provider.ts";
import type { Secret } from "../contract/secret.ts";
import type { Key } from "../model.ts";
import { randomName } from "../rotation/labels.ts";
import { ledgerKey } from "../rotation/ledger-key.ts";
import { neitherSlot } from "../rotation/slots.ts";
import type { KeyPatch } from "../state/keys.ts";
import { credentialNamed, type DaemonParts } from "./daemon-parts.ts";
import { mustBeAtRest, mustBeFree, mustBeNew } from "./may-adopt.ts";
import { keyView } from "./views.ts";

/** The operation that brings a credential under management. */
export function adopting(parts: DaemonParts): Pick<Control, "adopt"> {
  const { ledger, clock, scheduler } = parts;

  /** The vendor's row of the key that the store holds. Its id is `said` by a person, or `known` to the ledger, where the list does not tell. */
  async function findKey(name: string, secret: Secret, { said, known }: Ids, signal: AbortSignal): Promise<VendorKey> {
    const providerName = credentialNamed(parts, name).provider;
    const { provider } = parts.plugs().provider(providerName);
    const verdict = await provider.verify(secret, signal);
    if (verdict === "refused")
      throw new ControlError(
        "conflict",
        `the vendor refuses the value that the store of ${name} holds`,
        "put a key there that works, then adopt it",
      );
    const identified = await provider.identify(secret, signal);
    if (identified === undefined && parts.config().providers[providerName]?.supply === "dual-slot") {
      const { text } = neitherSlot({ name: providerName, credential: name }, `what the store of ${name} holds`);
      throw new ControlError(
        "conflict",
        `${text}, which the vendor accepts`,
        "do the addresses in the provider's settings belong to one account?",
      );
    }
    const keyId = said ?? (identified === undefined ? known : undefined);
    if (keyId === undefined) {
      if (identified !== undefined) return identified;
      throw new ControlError(
        "conflict",
        `the vendor's list does not tell which key the store of ${name} holds`,
        `look it up in the vendor's console, then: rotatectl adopt ${name} --key-id ID`,
      );
    }
    const listed = (await provider.list(signal)).find(({ id }) => id === keyId);
    if (listed === undefined)
      throw new ControlError(
        "conflict",
        `the vendor lists no key ${keyId}`,
        "the admin credential sees one project only: is it the right one?",
      );
    if (identified !== undefined && identified.id !== keyId) throw holdsAnother(name, identified.id, keyId);
    return listed;
  }

  /** This credential's own row of the key, which has one at most. */
  const rowOf = (name: string, provider: string, keyId: string): Key | undefined =>
    ledger.keys.byVendorId(provider, keyId).find((row) => row.credential === name);

  return {
    async adopt({ name, keyId }, { actor, signal }) {
      const credential = credentialNamed(parts, name);
      mustBeAtRest(parts, name);
      const call = AbortSignal.any([signal, clock.deadline(parts.config().timing.callTimeoutMs * 4)]);
      const store = parts.plugs().store(credential);
      const secret = await store.read("current", call);
      if (secret === undefined)
        throw new ControlError(
          "conflict",
          `the store of ${name} is empty: there is nothing to adopt`,
          `make its first key with: rotatectl rotate ${name}`,
        );
      const fingerprint = secret.fingerprint(parts.fingerprintKey);
      // One that was announced as revoked is a debt for ever, and not taken back.
      const known = ledger.keys.live(name).findLast((key) => key.fingerprint === fingerprint && key.revokeAnnouncedAt === null);
      // While the credential was retired, a person may have deleted the key.
      if (known?.stage === "current" && ledger.credentials.get(name)?.retiredAt == null) {
        if (keyId !== undefined && keyId !== known.vendorId) throw holdsAnother(name, known.vendorId, keyId);
        return bringBack(known, actor);
      }

      const found = await findKey(name, secret, { said: keyId, known: known?.vendorId }, call);
      const wanted = { name, provider: credential.provider, keyId: found.id, fingerprint };
      mustBeFree(parts, wanted);
      mustBeNew(known, rowOf(name, credential.provider, found.id));
      const version = known?.version ?? `adopted-${parts.installation}-${randomName(20, parts.random)}`;
      await store.stage(version, secret, call);
      // Meanwhile somebody else may have adopted it, or its neighbour.
      mustBeAtRest(parts, name);
      mustBeFree(parts, wanted);
      const row = rowOf(name, credential.provider, found.id);
      mustBeNew(known, row);
      if (row?.stage === "current") {
        if (row.version !== version) await store.discard(version, call);
        return bringBack(row, actor);
      }
      const now = clock.now();
      const before = ledger.keys.live(name).find(({ stage }) => stage === "current");
      ledger.record(name, [{ code: "adopted", detail: { keyId: found.id, actor, over: before?.vendorId ?? null } }], () => {
        if (before !== undefined) ledger.keys.update(before.id, { stage: "retiring" });
        if (known !== undefined) ledger.keys.update(known.id, { ...servesAgain(known, found), promotedAt: known.promotedAt ?? now });
        else {
          const adopted = ledgerKey({ credential, provider: parts.plugs().provider(credential.provider) }, found, version);
          ledger.keys.insert({ ...adopted, fingerprint, stage: "current", promotedAt: now });
        }
        ledger.credentials.retire(name, null);
      });
      scheduler.touch(name);
      const key = ledger.keys.live(name).find(({ stage }) => stage === "current");
      if (key === undefined) throw new Error("the adopted key is not in the ledger");
      const rest = before === undefined ? "" : `; the next rotation makes ${before.vendorId} dead`;
      const retired = ledger.keys.byVendorId(credential.provider, found.id).find((row) => row.credential !== name && row.stage !== "dead");
      const beside =
        retired === undefined ? "" : `; what still has it by the retired credential ${retired.credential} loses it with the next rotation`;
      return {
        credential: name,
        key: keyView(key, now),
        message: `${found.id} is under management; nothing was changed at the vendor${rest}${beside}`,
      };
    },
  };

  function bringBack(key: Key, actor: string) {
    const retired = ledger.credentials.get(key.credential)?.retiredAt != null;
    if (retired) {
      mustBeFree(parts, { name: key.credential, provider: key.provider, keyId: key.vendorId, fingerprint: key.fingerprint });
      ledger.record(key.credential, [{ code: "adopted", detail: { keyId: key.vendorId, actor } }], () =>
        ledger.credentials.retire(key.credential, null),
      );
      scheduler.touch(key.credential);
    }
    const message = retired ? `${key.vendorId} is under management again` : `${key.vendorId} is under management already`;
    return { credential: key.credential, key: keyView(key, clock.now()), message };
  }
}

function holdsAnother(name: string, held: string, said: string): ControlError {
  return new ControlError("conflict", `the store of ${name} holds ${held}, not ${said}`, `rotatectl adopt ${name}`);
}

/** What was noted of a key when it was put aside says nothing of one that serves: somebody switched it on again. */
const servesAgain = (known: Key, { enabled }: VendorKey): KeyPatch => ({
  stage: "current",
  leftAt: null,
  disabledAt: enabled ? null : known.disabledAt,
});

/** The vendor's ids of the key that the store holds, as far as anybody says them. */
interface Ids {
  readonly said: string | undefined;
  readonly known: string | undefined;
}
