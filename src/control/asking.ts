import { type Control, ControlError, type Effect, type Subject } from "../api.ts";
import type { CredentialConfig } from "../config/config.ts";
import { AdapterError } from "../contract/errors.ts";
import type { Finding } from "../contract/finding.ts";
import type { Secret } from "../contract/secret.ts";
import type { PinnedPlan, Rotation } from "../model.ts";
import { RELOAD_REVOKES } from "../rotation/in-place.ts";
import { STEPS } from "../rotation/steps.ts";
import { planFor } from "../scheduler.ts";
import { credentialNamed, type DaemonParts } from "./daemon-parts.ts";

const FIRST_KEY = "no key of ours is in the ledger: this makes the first one; an existing one is taken over with rotatectl adopt";
const FROM_PERSON = "takes a key out of the pool, or waits for a person to bring one: rotatectl intake";
const WAY_BACK =
  "if the new key is refused or a consumer cannot use it, the old one is made current again, and the new one deleted in its place";

/** The operations that ask the outside world and change nothing. */
const IN_PLACE =
  "one value at a time: the reload is the revoke, so there is no overlap, and nothing checks first that everybody who holds the old value has the new one";
const NO_GAP = "for how long neither the old value nor the new one is accepted: none measured yet";
const WAY_BACK_IN_PLACE = "a way back is open only until the new value is live: after that it goes forward only";

export function asking(parts: DaemonParts): Pick<Control, "plan" | "check" | "pair"> {
  const { ledger, clock } = parts;
  const within = (signal: AbortSignal, ms: number) => AbortSignal.any([signal, clock.deadline(ms)]);

  /** What asking somebody brought: its findings, or its failure as one. */
  async function found(subject: Subject, ask: () => Promise<readonly Finding[]>) {
    try {
      return { subject, findings: await ask() };
    } catch (error) {
      if (error instanceof AdapterError) return { subject, findings: [{ code: error.code, message: error.message, cure: error.hint }] };
      if (!(error instanceof DOMException) || error.name !== "TimeoutError") throw error;
      return {
        subject,
        findings: [{ code: "timeout", message: `${subject.name}: no answer in time`, cure: "is it running and reachable?" }],
      };
    }
  }

  const askProvider = (name: string, signal: AbortSignal) =>
    found({ kind: "provider", name }, async () => {
      const { provider } = parts.plugs().provider(name);
      const call = within(signal, parts.config().timing.callTimeoutMs);
      await provider.list(call);
      return (await provider.preflight?.(call)) ?? [];
    });

  const askStore = (credential: CredentialConfig, signal: AbortSignal) =>
    found({ kind: "store", name: credential.store.use }, async () => {
      const store = parts.plugs().store(credential);
      const call = within(signal, parts.config().timing.callTimeoutMs);
      await store.preflight(call);
      if (isOurs(credential, await store.read("current", call))) return [];
      const message = `${credential.name}: the store holds a value that rotated neither wrote nor adopted`;
      return [{ code: "foreign", message, cure: `rotatectl adopt ${credential.name}` }];
    });

  /** Nothing there is as good as a key of ours. */
  function isOurs(credential: CredentialConfig, secret: Secret | undefined): boolean {
    if (secret === undefined) return true;
    const fingerprint = secret.fingerprint(parts.fingerprintKey);
    return ledger.keys.all(credential.name).some((key) => key.fingerprint === fingerprint);
  }

  async function askMirrors(credential: CredentialConfig, signal: AbortSignal) {
    const asked = [];
    for (const { name, mirror } of parts.plugs().mirrors(credential)) {
      asked.push(
        await found({ kind: "store", name }, async () => {
          const call = within(signal, parts.config().timing.callTimeoutMs);
          await mirror.preflight(call);
          if (isOurs(credential, await mirror.read(call))) return [];
          const message = `${credential.name}: mirror ${name} holds a value that rotated neither wrote nor adopted`;
          return [{ code: "foreign", message, cure: "empty it, or put the store's value there" }];
        }),
      );
    }
    return asked;
  }

  async function askConsumers(credential: CredentialConfig, signal: AbortSignal) {
    const asked = [];
    for (const use of credential.consumers) {
      const subject = { kind: "consumer", name: use.use } as const;
      asked.push(
        await found(subject, async () => {
          const { consumer } = parts.plugs().consumer(credential.name, use);
          const call = within(signal, parts.config().timing.proveTimeoutMs);
          return consumer.preflight(await parts.plugs().store(credential).read("current", call), call);
        }),
      );
    }
    return asked;
  }

  return {
    async plan({ name }, { signal }) {
      const credential = credentialNamed(parts, name);
      const plan = planFor(parts, credential, { now: false, at: clock.now() });
      const asked = [
        await askProvider(credential.provider, signal),
        await askStore(credential, signal),
        ...(await askMirrors(credential, signal)),
        ...(await askConsumers(credential, signal)),
      ];
      const open = ledger.rotations.open(name);
      const debts = open === undefined ? ledger.keys.live(name).filter(({ stage }) => stage === "retiring") : [];
      const notes = [
        ...(plan.name === "initial"
          ? [FIRST_KEY]
          : RELOAD_REVOKES[plan.supply]
            ? [IN_PLACE, gapNote(parts, name), WAY_BACK_IN_PLACE]
            : [WAY_BACK]),
        ...notesOfVendor(parts, credential),
        ...notesOfPlaces(parts, credential),
        ...(open === undefined ? [] : [`a rotation (${open.plan.name}) is open already: this is about the one after it`]),
        ...debts.map(({ vendorId }) => `${vendorId} is left over from an earlier rotation and is made dead, too`),
      ];
      return {
        credential: name,
        plan: plan.name,
        effects: plan.steps.flatMap((step) => effectsOf(parts, credential, step, plan)),
        findings: asked.flatMap(({ findings }) => findings),
        notes,
      };
    },

    async check(_, { signal }) {
      const { providers, credentials } = parts.config();
      const checked = [];
      for (const name of Object.keys(providers)) checked.push(await askProvider(name, signal));
      for (const credential of Object.values(credentials)) {
        checked.push(await askStore(credential, signal), ...(await askMirrors(credential, signal)));
        checked.push(...(await askConsumers(credential, signal)));
      }
      return { checked };
    },

    async pair({ consumer }, { signal }) {
      if (parts.config().consumers[consumer] === undefined) {
        throw new ControlError(
          "unknownConsumer",
          `no consumer "${consumer}"`,
          `there are: ${Object.keys(parts.config().consumers).join(", ")}`,
        );
      }
      const user = Object.values(parts.config().credentials).find(({ consumers }) => consumers.some(({ use }) => use === consumer));
      const use = user?.consumers.find((entry) => entry.use === consumer);
      if (user === undefined || use === undefined)
        throw new ControlError("conflict", `no credential uses consumer ${consumer}`, "add it to a credential first");
      const plug = parts.plugs().consumer(user.name, use).consumer;
      if (plug.pair === undefined) return { consumer, paired: true, message: `${consumer}: this kind of consumer needs no pairing` };
      return { consumer, ...(await plug.pair(within(signal, parts.config().timing.proveTimeoutMs))) };
    },
  };
}

/** How long the last rotation left everybody without a value that is accepted. */
function gapNote({ ledger }: DaemonParts, name: string): string {
  const last = ledger.events.newestOf(name, "gapMeasured");
  if (last === undefined) return NO_GAP;
  const { atMostMs } = last.detail;
  return `in the last rotation neither the old value nor the new one was accepted for at most ${atMostMs} ms`;
}

function notesOfVendor(parts: DaemonParts, { provider }: CredentialConfig): readonly string[] {
  const entry = parts.config().providers[provider];
  return (entry?.definition.describe(entry.settings).notes ?? []).map((clause) => `${provider}: ${clause}`);
}

/** What people should know of the places where the value is written. */
function notesOfPlaces(parts: DaemonParts, credential: CredentialConfig): readonly string[] {
  return [credential.store, ...credential.mirrors].flatMap(({ use, place }) => {
    const entry = parts.config().stores[use];
    return (entry?.definition.describe?.(entry.settings, place) ?? []).map((clause) => `${use}: ${clause}`);
  });
}

/** The side effects of one step. What is executed is never more than what stands here. */
function effectsOf(parts: DaemonParts, credential: CredentialConfig, step: Rotation["step"], plan: PinnedPlan): Effect[] {
  const entry = parts.config().providers[credential.provider];
  const vendor = entry?.definition.describe(entry.settings);
  const { checklist } = STEPS[step];
  const one = (kind: Subject["kind"], name: string, effect: string, more: Partial<Effect> = {}): Effect => ({
    step,
    checklist,
    effect,
    target: { kind, name },
    irreversible: false,
    consumersFeel: null,
    ...more,
  });
  const provider = (effect: string, more?: Partial<Effect>) => [one("provider", credential.provider, effect, more)];
  const store = (effect: string) => one("store", credential.store.use, effect);
  const consumers = (what: "reload" | "prove") =>
    credential.consumers.map((use) => {
      const does = parts.plugs().consumer(credential.name, use).consumer.describe()[what];
      return one("consumer", use.use, does, { consumersFeel: does, irreversible: what === "reload" && RELOAD_REVOKES[plan.supply] });
    });
  switch (step) {
    case "preflight":
      return [];
    case "create":
      return [
        ...provider(plan.supply === "intake" ? FROM_PERSON : (vendor?.create ?? "creates a key"), {
          irreversible: plan.supply === "dual-slot",
        }),
        store("stages the new value beside the current one"),
      ];
    case "verify":
      return provider("calls the vendor with the new key, several times");
    case "promote":
      return [
        store("makes the new value the current one"),
        ...credential.mirrors.map(({ use }) => one("store", use, "gets a copy of the new value")),
      ];
    case "reload":
      return consumers("reload");
    case "validate":
      return consumers("prove");
    case "drain":
      return [
        one(
          "credential",
          credential.name,
          `waits ${Math.round(plan.overlapMs / 1000)} s, for older runs, and until the vendor sees the old key idle`,
        ),
      ];
    case "disable":
      return parts.plugs().provider(credential.provider).provider.setEnabled === undefined
        ? []
        : [...provider("switches the old key off"), ...consumers("prove")];
    case "revoke":
      return provider([vendor?.revoke ?? "deletes the old key", vendor?.afterRevoke].filter((clause) => clause !== undefined).join("; "), {
        irreversible: true,
      });
    case "confirm":
      return [...provider("calls the vendor with the old key until it is proven dead"), store("drops the old value from the keep")];
  }
}
