import { type Control, ControlError } from "../api.ts";
import type { CredentialConfig } from "../config/config.ts";
import type { VendorKey } from "../contract/provider.ts";
import type { Secret } from "../contract/secret.ts";
import type { Key } from "../model.ts";
import { shelve } from "../rotation/gate.ts";
import { newLabel } from "../rotation/labels.ts";
import { makeCredentialContext } from "../rotation/make-context.ts";
import { ledgerKey } from "../rotation/settle.ts";
import { credentialNamed, type DaemonParts } from "./daemon-parts.ts";
import { keyView } from "./views.ts";

/** The operation that takes a key from a person: into the pool, from where the next rotation, or the one that waits, draws it. */
export function intake(parts: DaemonParts): Pick<Control, "intake"> {
  const { ledger, clock, engine, scheduler } = parts;

  function mustHaveForm(credential: CredentialConfig, secret: Secret): void {
    const form = parts.config().providers[credential.provider]?.definition.keyForm;
    if (form === undefined || form.pattern.test(secret.reveal())) return;
    throw new ControlError("invalid", `${credential.name}: this does not look like a key of ${credential.provider}`, form.hint);
  }

  /** A key that is known already is the same key brought again, after an answer that got lost, or a mistake. */
  function broughtBefore(credential: CredentialConfig, fingerprint: string): Key | undefined {
    const known = ledger.keys.fingerprinted(fingerprint);
    const again = known.find(({ stage, credential: owner }) => stage === "pooled" && owner === credential.name);
    const [other] = known;
    if (again !== undefined || other === undefined) return again;
    throw new ControlError(
      "conflict",
      `${other.vendorId} is known already: it is ${other.stage} at ${other.credential}`,
      "make a new key at the vendor",
    );
  }

  async function findKey(credential: CredentialConfig, secret: Secret, keyId: string | undefined, signal: AbortSignal): Promise<VendorKey> {
    const { provider, name } = parts.plugs().provider(credential.provider);
    const verdict = await provider.verify(secret, signal);
    if (verdict !== "accepted") {
      const what = verdict === "refused" ? "refuses this key" : "knows this key, but does not let it work";
      throw new ControlError("conflict", `${name}: the vendor ${what}`, "was it copied whole? look at it in the vendor's console");
    }
    const identified = await provider.identify(secret, signal);
    const id = identified?.id ?? keyId;
    if (id === undefined) {
      const hint = `look it up in the vendor's console, then: rotatectl intake ${credential.name} --key-id ID`;
      throw new ControlError("conflict", `${name}: the vendor's list does not tell which key this is`, hint);
    }
    if (keyId !== undefined && keyId !== id) {
      throw new ControlError("conflict", `${name}: this is the secret of ${id}, not of ${keyId}`, `rotatectl intake ${credential.name}`);
    }
    const listed = identified ?? (await provider.list(signal)).find((key) => key.id === id);
    if (listed !== undefined) return listed;
    const hint = "the admin credential sees one account only: was the key made in that one?";
    throw new ControlError("conflict", `${name}: the vendor lists no key ${id}`, hint);
  }

  function mustBeNew(credential: CredentialConfig, keyId: string): void {
    const holder = ledger.keys.byVendorId(credential.provider, keyId)[0];
    if (holder === undefined) return;
    const text = `${keyId} is known already: it is ${holder.stage} at ${holder.credential}`;
    throw new ControlError("conflict", text, "make a new key at the vendor");
  }

  /** Switched off until it is drawn, where the vendor can. Answers what became of it, as a clause. */
  async function putAway(credential: CredentialConfig, key: Key, signal: AbortSignal): Promise<string> {
    const { context, announced } = makeCredentialContext(parts, credential, signal);
    if (!context.canDisable(key)) return "it stays switched on, because the vendor cannot switch keys off";
    const why = await shelve(context, key);
    if (why !== undefined) return `it stays switched on, because ${why}`;
    ledger.record(credential.name, [{ code: "keyDisabled", detail: { keyId: key.vendorId } }], () => {
      for (const { id } of announced) ledger.keys.answerCall(id, clock.now());
    });
    return "it is switched off at the vendor until it is needed";
  }

  /** The rotation that waits for a key goes on now. */
  async function wake(name: string): Promise<boolean> {
    const open = ledger.rotations.open(name);
    if (open === undefined || open.step !== "create" || open.plan.supply !== "intake") return false;
    await engine.takeOver(open.id, () => {
      const rotation = ledger.rotation(open.id);
      if (rotation.outcome === null) ledger.commit(rotation, { rotation: { dueAt: clock.now(), stuckReason: null, stuckHint: null } });
    });
    scheduler.touch(name);
    return true;
  }

  return {
    async intake({ name, secret, keyId }, { actor, signal }) {
      const credential = credentialNamed(parts, name);
      if (ledger.credentials.get(name)?.retiredAt != null)
        throw new ControlError("conflict", `${name} was retired`, `bring it back with: rotatectl adopt ${name}`);
      const call = AbortSignal.any([signal, clock.deadline(parts.config().timing.callTimeoutMs * 4)]);
      mustHaveForm(credential, secret);
      const store = parts.plugs().store(credential);
      if ((await store.read("current", call))?.equals(secret))
        throw new ControlError("conflict", `this is the key that the store of ${name} holds`, `take it over with: rotatectl adopt ${name}`);
      const fingerprint = secret.fingerprint(parts.fingerprintKey);
      let key = broughtBefore(credential, fingerprint);
      if (key === undefined) {
        const found = await findKey(credential, secret, keyId, call);
        mustBeNew(credential, found.id);
        const version = newLabel(parts.installation, parts.random);
        const row = { ...ledgerKey({ credential, provider: parts.plugs().provider(credential.provider) }, found, version), fingerprint };
        // The row comes first: what is in the keep is always known to the ledger, and the same key may be brought again.
        ledger.record(name, [{ code: "keyBrought", detail: { keyId: found.id, actor } }], () => {
          ledger.keys.insert({ ...row, stage: "pooled" });
        });
        key = broughtBefore(credential, fingerprint);
      }
      if (key === undefined) throw new Error("the key that was brought is not in the ledger");
      await store.stage(key.version, secret, call);
      const waited = await wake(name);
      const what = waited ? "the rotation that waited for it goes on" : `it waits in the pool; ${await putAway(credential, key, call)}`;
      const now = ledger.keys.get(key.id) ?? key;
      return { credential: name, key: keyView(now, clock.now()), message: `${key.vendorId} was taken in; ${what}` };
    },
  };
}
