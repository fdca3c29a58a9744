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
import { keyView } from "./views.ts";

/** The operations that bring a credential under management, and out of it. */
export function adopting(parts: DaemonParts): Pick<Control, "adopt" | "retire"> {
  const { ledger, clock, scheduler } = parts;

  function mustBeAtRest(name: string): void {
    const open = ledger.rotations.open(name);
    if (open !== undefined)
      throw new ControlError(
        "conflict",
        `${name} has an open rotation (${open.plan.name})`,
        "wait until it is over, or say rotatectl abandon",
      );
  }

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
    if (identified !== undefined && identified.id !== keyId) {
      throw new ControlError("conflict", `the store of ${name} holds ${identified.id}, not ${keyId}`, `rotatectl adopt ${name}`);
    }
    return listed;
  }

  /** Two entries of the configuration may be one account, so the value counts as well as the vendor's id. */
  function mustBeFree(name: string, provider: string, keyId: string, fingerprint: string | null): void {
    const rows = ledger.keys.byVendorId(provider, keyId);
    const holder = [...rows, ...(fingerprint === null ? [] : ledger.keys.fingerprinted(fingerprint))].find(
      (row) => row.credential !== name && row.stage !== "dead" && ledger.credentials.get(row.credential)?.retiredAt == null,
    );
    if (holder === undefined) return;
    throw new ControlError(
      "conflict",
      `credential ${holder.credential} already holds ${keyId}`,
      "give each credential a key of its own, or retire the other one",
    );
  }

  /** This credential's own row of the key, which has one at most. */
  const rowOf = (name: string, provider: string, keyId: string): Key | undefined =>
    ledger.keys.byVendorId(provider, keyId).find((row) => row.credential === name);

  /** A key that was made dead, or shall be, is not taken back: at some vendors a person can undo its end. */
  function mustBeNew(known: Key | undefined, row: Key | undefined): void {
    if (row === undefined || row.id === known?.id || row.stage === "current") return;
    throw new ControlError(
      "conflict",
      `${row.vendorId} is in the ledger of ${row.credential} already, as ${row.stage}`,
      "put another key into the store, then adopt that one",
    );
  }

  /** What was noted of a key when it was put aside says nothing of one that serves: somebody switched it on again. */
  const servesAgain = (known: Key, { enabled }: VendorKey): KeyPatch => ({
    stage: "current",
    leftAt: null,
    disabledAt: enabled ? null : known.disabledAt,
  });

  /** One credential needs both slots of an account: with a second one, each would wait for the other for ever. */
  function mustHaveBothSlots(name: string, provider: string): void {
    if (parts.config().providers[provider]?.supply !== "dual-slot") return;
    const holder = ledger.keys
      .liveAt(provider)
      .find((row) => row.credential !== name && ledger.credentials.get(row.credential)?.retiredAt == null);
    if (holder === undefined) return;
    throw new ControlError(
      "conflict",
      `credential ${holder.credential} rotates the two keys of ${provider}, and needs both`,
      "give each credential an account of its own, or retire the other one",
    );
  }

  return {
    async adopt({ name, keyId }, { actor, signal }) {
      const credential = credentialNamed(parts, name);
      mustBeAtRest(name);
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
      if (known?.stage === "current" && ledger.credentials.get(name)?.retiredAt == null) return bringBack(known, actor);

      const found = await findKey(name, secret, { said: keyId, known: known?.vendorId }, call);
      mustBeFree(name, credential.provider, found.id, fingerprint);
      mustHaveBothSlots(name, credential.provider);
      mustBeNew(known, rowOf(name, credential.provider, found.id));
      const version = known?.version ?? `adopted-${parts.installation}-${randomName(20, parts.random)}`;
      await store.stage(version, secret, call);
      // Meanwhile somebody else may have adopted it, or its neighbour.
      mustBeAtRest(name);
      mustBeFree(name, credential.provider, found.id, fingerprint);
      mustHaveBothSlots(name, credential.provider);
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

    async retire({ name }, { actor }) {
      const state = ledger.credentials.get(name);
      if (state === undefined) credentialNamed(parts, name);
      mustBeAtRest(name);
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

  function bringBack(key: Key, actor: string) {
    const retired = ledger.credentials.get(key.credential)?.retiredAt != null;
    if (retired) {
      mustBeFree(key.credential, key.provider, key.vendorId, key.fingerprint);
      mustHaveBothSlots(key.credential, key.provider);
      ledger.record(key.credential, [{ code: "adopted", detail: { keyId: key.vendorId, actor } }], () =>
        ledger.credentials.retire(key.credential, null),
      );
      scheduler.touch(key.credential);
    }
    const message = retired ? `${key.vendorId} is under management again` : `${key.vendorId} is under management already`;
    return { credential: key.credential, key: keyView(key, clock.now()), message };
  }
}

/** The vendor's ids of the key that the store holds, as far as anybody says them. */
interface Ids {
  readonly said: string | undefined;
  readonly known: string | undefined;
}
