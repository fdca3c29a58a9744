import { type Control, ROUTES, type Subject } from "../api.ts";
import { ControlError } from "../api-errors.ts";
import type { CredentialConfig } from "../config/config.ts";
import { AdapterError } from "../contract/errors.ts";
import type { Finding } from "../contract/finding.ts";
import type { Secret } from "../contract/secret.ts";
import { orAbort } from "../contract/turns.ts";
import { planFor } from "../rotation/plans.ts";
import { neitherSlot } from "../rotation/slots.ts";
import { credentialNamed, type DaemonParts } from "./daemon-parts.ts";
import { effectsOf } from "./plan-effects.ts";
import { notesOf } from "./plan-notes.ts";

/** Of a route's time: what was found is told by then, also where somebody still does not answer. */
const TO_ANSWER_MS = 5000;

/** The operations that ask the outside world and change nothing of a key. All are asked at once, so that one who hangs hides nobody. */
export function asking(parts: DaemonParts): Pick<Control, "plan" | "check" | "pair"> {
  const { ledger, clock } = parts;
  const within = (signal: AbortSignal, ms: number) => AbortSignal.any([signal, clock.deadline(ms)]);

  /** What asking somebody brought: its findings, or its failure as one. */
  async function found(subject: Subject, signal: AbortSignal, ask: () => Promise<readonly Finding[]>) {
    try {
      return { subject, findings: await orAbort(ask(), signal) };
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
    found({ kind: "provider", name }, signal, async () => {
      const { provider } = parts.plugs().provider(name);
      const call = within(signal, parts.config().timing.callTimeoutMs);
      await provider.list(call);
      return (await provider.preflight?.(call)) ?? [];
    });

  const askStore = (credential: CredentialConfig, signal: AbortSignal) =>
    found({ kind: "store", name: credential.store.use }, signal, async () => {
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

  const askMirrors = (credential: CredentialConfig, signal: AbortSignal) =>
    parts
      .plugs()
      .mirrors(credential)
      .map(({ name, mirror }) =>
        found({ kind: "store", name }, signal, async () => {
          const call = within(signal, parts.config().timing.callTimeoutMs);
          await mirror.preflight(call);
          if (isOurs(credential, await mirror.read(call))) return [];
          const message = `${credential.name}: mirror ${name} holds a value that rotated neither wrote nor adopted`;
          return [{ code: "foreign", message, cure: "empty it, or put the store's value there" }];
        }),
      );

  /** At a vendor with two slots: whether one of them holds what the store holds. */
  const askSlots = (credential: CredentialConfig, signal: AbortSignal) =>
    found({ kind: "provider", name: credential.provider }, signal, async () => {
      const call = within(signal, parts.config().timing.callTimeoutMs);
      const secret = await parts.plugs().store(credential).read("current", call);
      const { provider, name } = parts.plugs().provider(credential.provider);
      if (secret !== undefined && (await provider.identify(secret, call)) !== undefined) return [];
      const { code, text, hint } = neitherSlot({ name, credential: credential.name }, "the value of the store");
      return [{ code, message: text, cure: hint }];
    });

  const askConsumers = (credential: CredentialConfig, signal: AbortSignal) =>
    parts
      .plugs()
      .consumers(credential, [])
      .map(({ name, consumer }) =>
        found({ kind: "consumer", name }, signal, async () => {
          const call = within(signal, parts.config().timing.proveTimeoutMs);
          return consumer.preflight(await parts.plugs().store(credential).read("current", call), call);
        }),
      );

  return {
    async plan({ name }, { signal }) {
      const credential = credentialNamed(parts, name);
      const plan = planFor(parts, credential, { now: false, at: clock.now() });
      const call = within(signal, ROUTES.plan.timeoutMs - TO_ANSWER_MS);
      const asked = await Promise.all([
        askProvider(credential.provider, call),
        askStore(credential, call),
        ...(plan.supply === "dual-slot" ? [askSlots(credential, call)] : []),
        ...askMirrors(credential, call),
        ...askConsumers(credential, call),
      ]);
      return {
        credential: name,
        plan: plan.name,
        effects: effectsOf(parts, credential, plan),
        findings: asked.flatMap(({ findings }) => findings),
        notes: notesOf(parts, credential, plan),
      };
    },

    async check(_, { signal }) {
      const { providers, credentials } = parts.config();
      const call = within(signal, ROUTES.check.timeoutMs - TO_ANSWER_MS);
      const asked = [
        ...Object.keys(providers).map((name) => askProvider(name, call)),
        ...Object.values(credentials).flatMap((credential) => [
          askStore(credential, call),
          ...askMirrors(credential, call),
          ...askConsumers(credential, call),
        ]),
      ];
      return { checked: await Promise.all(asked) };
    },

    async pair({ consumer }, { signal, actor }) {
      if (!Object.hasOwn(parts.config().consumers, consumer)) {
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
      const answer = await plug.pair(within(signal, parts.config().timing.proveTimeoutMs));
      ledger.record(user.name, [{ code: "operatorSaid", detail: { said: "pair", consumer, paired: answer.paired, actor } }]);
      return { consumer, ...answer };
    },
  };
}
