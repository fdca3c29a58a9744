import type { Control } from "../api.ts";
import { ControlError } from "../api-errors.ts";
import type { CredentialConfig } from "../config/config.ts";
import { AdapterError } from "../contract/errors.ts";
import type { VendorKey } from "../contract/provider.ts";
import type { Secret } from "../contract/secret.ts";
import type { Key } from "../model.ts";
import { newLabel } from "../rotation/labels.ts";
import { ledgerKey } from "../rotation/ledger-key.ts";
import { waitOf } from "../rotation/supply/person.ts";
import { isAboutToDraw, putAway } from "../rotation/supply/shelf.ts";
import { credentialNamed, type DaemonParts } from "./daemon-parts.ts";
import { keyView } from "./views.ts";

/** Why a vendor's keys cannot be brought: the daemon makes them out of what is there. */
const NOT_BROUGHT = {
  "dual-slot": "its keys are two fixed slots, and none can be added",
  "in-place": "it has one value at a time, which rotated makes itself",
} as const;

/** The operation that takes a key from a person: into the pool, from where the next rotation, or the one that waits, draws it. */
export function intake(parts: DaemonParts): Pick<Control, "intake"> {
  const { ledger, clock, engine, scheduler, shelf } = parts;

  function mustTakeKeys({ name, provider }: CredentialConfig): void {
    if (ledger.credentials.get(name)?.retiredAt != null)
      throw new ControlError("conflict", `${name} was retired`, `bring it back with: rotatectl adopt ${name}`);
    const supply = parts.config().providers[provider]?.supply;
    if (supply === "dual-slot" || supply === "in-place")
      throw new ControlError("conflict", `${name} takes no key from a person: ${NOT_BROUGHT[supply]}`, `rotatectl rotate ${name}`);
  }

  function mustHaveForm({ name, provider }: CredentialConfig, secret: Secret): void {
    const form = parts.config().providers[provider]?.definition.keyForm;
    const text = secret.reveal();
    if (/[^\x21-\x7e]/.test(text))
      throw new ControlError(
        "invalid",
        `${name}: a key is one word, without spaces or line ends`,
        "was it copied whole, and nothing else?",
      );
    if (form === undefined || form.pattern.test(text)) return;
    throw new ControlError("invalid", `${name}: this does not look like a key of ${provider}`, form.hint);
  }

  /** A key that is known here already is the same key brought again, after an answer that got lost. */
  function broughtBefore({ name }: CredentialConfig, fingerprint: string): Key | undefined {
    const known = ledger.keys.fingerprinted(fingerprint);
    const elsewhere = known.find(({ credential, stage }) => credential !== name && stage !== "dead");
    const here = known.findLast(({ credential }) => credential === name);
    const spent = here?.stage === "retiring" || here?.stage === "dead" ? here : undefined;
    const taken = elsewhere ?? spent;
    if (taken === undefined) return here;
    throw alreadyKnown(taken);
  }

  function alreadyKnown({ vendorId, stage, credential }: Key): ControlError {
    const text = `${vendorId} is known already: it is ${stage} at ${credential}`;
    return new ControlError("conflict", text, "make a new key at the vendor");
  }

  /** The vendor's row of a key that works, and that the admin credential sees; `label` is what the person was told to call it. */
  async function findKey(
    credential: CredentialConfig,
    brought: Brought,
    label: string | undefined,
    signal: AbortSignal,
  ): Promise<VendorKey> {
    const { provider, name } = parts.plugs().provider(credential.provider);
    const verdict = await provider.verify(brought.secret, signal);
    if (verdict !== "accepted") {
      const what = verdict === "refused" ? "refuses this key" : "knows this key, but does not let it work";
      throw new ControlError(
        "conflict",
        `${name}: the vendor ${what}`,
        "was it copied whole? one that was just made may need a minute: try again",
      );
    }
    const identified = await provider.identify(brought.secret, signal);
    if (identified !== undefined) {
      if (brought.keyId === undefined || brought.keyId === identified.id) return identified;
      const text = `${name}: this is the secret of ${identified.id}, not of ${brought.keyId}`;
      throw new ControlError("conflict", text, `leave --key-id out: rotatectl intake ${credential.name}`);
    }
    const listed = await provider.list(signal);
    const matches = listed.filter((row) => (brought.keyId === undefined ? row.label === label : row.id === brought.keyId));
    const [only] = matches;
    if (only !== undefined && matches.length === 1) return only;
    if (brought.keyId !== undefined) {
      const hint = "the admin credential sees one account only: was the key made in that one?";
      throw new ControlError("conflict", `${name}: the vendor lists no key ${brought.keyId}`, hint);
    }
    const hint = `was it made in the account that ${name} names? If so, look its id up there, then: rotatectl intake ${credential.name} --key-id ID`;
    throw new ControlError("conflict", `${name}: the vendor accepts this key, but its list does not tell which one it is`, hint);
  }

  /** Writes a new key into the ledger. What is in the keep is always known to the ledger, so the row comes before the secret. */
  async function takeIn(
    credential: CredentialConfig,
    brought: Brought,
    fingerprint: string,
    actor: string,
    signal: AbortSignal,
  ): Promise<Key> {
    const { name, provider } = credential;
    const open = ledger.rotations.open(name);
    const wanted = open === undefined ? undefined : waitOf(open)?.label;
    // A vendor that shows something of its secrets contradicts a name that was given to another key.
    const named = parts.config().providers[provider]?.definition.cannotIdentify === true ? wanted : undefined;
    const found = await findKey(credential, brought, named, signal);
    // Two may bring the same key at once, or one retires the credential: only what is asked now counts.
    mustTakeKeys(credential);
    const meanwhile = broughtBefore(credential, fingerprint);
    if (meanwhile !== undefined) return meanwhile;
    const [holder] = ledger.keys.byVendorId(provider, found.id);
    if (holder !== undefined) throw alreadyKnown(holder);
    const free = wanted !== undefined && !ledger.keys.all(name).some(({ version }) => version === wanted);
    const version = free ? wanted : newLabel(parts.installation, parts.random);
    const row = { ...ledgerKey({ credential, provider: parts.plugs().provider(provider) }, found, version), fingerprint };
    let id = 0;
    ledger.record(name, [{ code: "keyBrought", detail: { keyId: found.id, actor } }], () => {
      id = ledger.keys.insert({ ...row, stage: "pooled" });
    });
    return stored(id);
  }

  function stored(id: number): Key {
    const key = ledger.keys.get(id);
    if (key === undefined) throw new Error("the key that was brought is not in the ledger");
    return key;
  }

  /** People find it in the vendor's console by our name; that it cannot be given harms nothing. */
  async function giveName(key: Key, signal: AbortSignal): Promise<string> {
    const { provider } = parts.plugs().provider(key.provider);
    try {
      await provider.rename?.(key.vendorId, key.version, signal);
      return "";
    } catch (error) {
      if (!(error instanceof AdapterError)) throw error;
      parts.log.warn({ err: error, credential: key.credential, keyId: key.vendorId }, "the key keeps the name that it has at the vendor");
      return "; it keeps the name that it has at the vendor";
    }
  }

  /** What becomes of the key now, as a clause. */
  async function onward(credential: CredentialConfig, key: Key, signal: AbortSignal): Promise<string> {
    const { name } = credential;
    if (isAboutToDraw(parts, name)) {
      await wake(name);
      return ledger.credentials.isPaused(name)
        ? `the rotation that waits for it goes on after: rotatectl resume ${name}`
        : "the rotation that waited for it goes on";
    }
    const shelved = await putAway(parts, credential, key, signal);
    if (shelved.off) return "it waits in the pool, switched off at the vendor until it is needed";
    if (shelved.passes) shelf.tidy(name);
    return `it waits in the pool, ${shelved.passes ? "and may be on at the vendor yet" : "and is on at the vendor"}: ${shelved.why}`;
  }

  async function wake(name: string): Promise<void> {
    const open = ledger.rotations.open(name);
    if (open === undefined || open.step !== "create") return;
    await engine.takeOver(open.id, () => {
      const rotation = ledger.rotation(open.id);
      if (rotation.outcome === null) ledger.commit(rotation, { rotation: { dueAt: clock.now(), stuckReason: null, stuckHint: null } });
    });
    scheduler.touch(name);
  }

  return {
    async intake({ name, ...brought }, { actor, signal }) {
      const credential = credentialNamed(parts, name);
      mustTakeKeys(credential);
      mustHaveForm(credential, brought.secret);
      const fingerprint = brought.secret.fingerprint(parts.fingerprintKey);
      const before = broughtBefore(credential, fingerprint);
      const reply = (key: Key, fate: string) => {
        const row = stored(key.id);
        return { credential: name, key: keyView(row, clock.now()), message: `${row.vendorId} was taken in; ${fate}` };
      };
      if (before !== undefined && before.stage !== "pooled")
        return reply(before, before.stage === "current" ? "it is the key that serves" : "the open rotation is about to use it");

      const within = () => AbortSignal.any([signal, clock.deadline(parts.config().timing.callTimeoutMs * 4)]);
      const call = within();
      const store = parts.plugs().store(credential);
      if ((await store.read("current", call))?.equals(brought.secret))
        throw new ControlError("conflict", `this is the key that the store of ${name} holds`, `take it over with: rotatectl adopt ${name}`);
      await store.preflight(call);
      const key = before ?? (await takeIn(credential, brought, fingerprint, actor, call));
      await store.stage(key.version, brought.secret, call);
      const after = within();
      const named = await giveName(key, after);
      return reply(key, `${await onward(credential, key, after)}${named}`);
    },
  };
}

/** What a person brought. */
interface Brought {
  readonly secret: Secret;
  readonly keyId?: string;
}
