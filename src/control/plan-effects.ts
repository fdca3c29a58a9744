import type { Effect, Subject } from "../api.ts";
import type { CredentialConfig } from "../config/config.ts";
import { ITSELF } from "../itself/consumer.ts";
import type { PinnedPlan, Step } from "../model.ts";
import { RELOAD_REVOKES } from "../rotation/in-place.ts";
import { STEPS } from "../rotation/steps.ts";
import type { DaemonParts } from "./daemon-parts.ts";

/** Every side effect of a plan, step by step. What is executed is never more than what stands here. */
export function effectsOf(parts: DaemonParts, credential: CredentialConfig, plan: PinnedPlan): readonly Effect[] {
  return plan.steps.flatMap((step) => effectsOfStep(parts, credential, step, plan));
}

/** Where the new key comes from. At a vendor that makes keys the pool is only the first place to look. */
function createEffect(parts: DaemonParts, { provider }: CredentialConfig, { supply }: PinnedPlan, create: string): string {
  if (supply !== "intake") return create;
  const plug = parts.plugs().provider(provider);
  if (plug.supply === "intake") return create;
  const off = plug.provider.setEnabled === undefined ? "" : ", and switches it on";
  return `takes a key out of the pool${off}; where none can serve, ${create}`;
}

/** The side effects of one step. */
function effectsOfStep(parts: DaemonParts, credential: CredentialConfig, step: Step, plan: PinnedPlan): Effect[] {
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
  const consumers = (what: "preflight" | "reload" | "prove") =>
    parts
      .plugs()
      .consumers(credential, [])
      .flatMap(({ name, consumer }) => {
        const does = consumer.describe()[what];
        if (does === undefined) return [];
        return one("consumer", name, does, {
          consumersFeel: name === ITSELF ? null : does,
          irreversible: what === "reload" && RELOAD_REVOKES[plan.supply],
        });
      });
  // Whoever shall lose a key for good must have left it at that moment. A key that is only rehearsed never had anybody.
  const gate = plan.rehearsal ? [] : consumers("prove");
  switch (step) {
    case "preflight":
      return consumers("preflight");
    case "create":
      return [
        ...(plan.supply === "dual-slot" ? gate : []),
        ...provider(createEffect(parts, credential, plan, vendor?.create ?? "creates a key"), {
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
        : [...gate, ...provider("switches the old key off"), ...consumers("prove")];
    case "revoke": {
      const revoke = [vendor?.revoke ?? "deletes the old key", vendor?.afterRevoke].filter((clause) => clause !== undefined).join("; ");
      return [...gate, ...provider(revoke, { irreversible: true })];
    }
    case "confirm":
      return [...provider("calls the vendor with the old key until it is proven dead"), store("drops the old value from the keep")];
  }
}
