import type { CredentialConfig } from "../config/config.ts";
import { AdapterError } from "../contract/errors.ts";
import type { Call, Key, Rotation } from "../model.ts";
import type { StepContext } from "./context.ts";
import { newLabel } from "./labels.ts";
import type { EngineParts, TurnState } from "./parts.ts";

/** Puts together what a step may see; `announced` fills up as the step announces its calls. */
export function makeContext(
  parts: EngineParts,
  rotation: Rotation,
  credential: CredentialConfig,
  signal: AbortSignal,
  state: TurnState,
  clockJumpedAt: number | undefined,
): { context: StepContext; announced: readonly Call[] } {
  const { ledger, clock } = parts;
  const { timing } = parts.config();
  const plugs = parts.plugs();
  const keys = ledger.keys.live(credential.name);
  const byId = (id: number | null) => (id === null ? undefined : (keys.find((key) => key.id === id) ?? ledger.keys.get(id)));
  const announced: Call[] = [];
  const open = ledger.keys.openCalls(credential.name, clock.now());

  const context: StepContext = {
    rotation,
    plan: rotation.plan,
    credential,
    timing,
    clock,
    signal,
    keys,
    target: byId(rotation.target),
    old: byId(rotation.old),
    // What consumers may have held is left to a rotation that they take part in.
    debts: keys.filter(
      (key) => key.stage === "retiring" && key.id !== rotation.target && !(rotation.plan.rehearsal && key.promotedAt !== null),
    ),
    intents: ledger.keys.openIntents(credential.name),
    createCall: ledger.keys.createCall,
    openUntil: open.length === 0 ? undefined : Math.max(...open.map(({ openUntil }) => openUntil)),
    keyWith: (fingerprint) => ledger.keys.withFingerprint(credential.name, fingerprint),
    othersHolding: (key) => ledger.keys.byVendorId(key.provider, key.vendorId).filter((row) => row.credential !== key.credential),
    provider: plugs.provider(credential.provider),
    issuer: (key) => plugs.provider(key.provider),
    canDisable: (key) => plugs.provider(key.provider).provider.setEnabled !== undefined,
    store: plugs.store(credential),
    mirrors: plugs.mirrors(credential),
    consumers: plugs.consumers(credential, rotation.plan.consumers),
    fingerprint: (secret) => secret.fingerprint(parts.fingerprintKey),
    newLabel: () => newLabel(parts.installation, parts.random),
    newSecret: () => plugs.provider(credential.provider).makeSecret?.(parts.random),
    clockJumpedAt,

    async call(work, ms = timing.callTimeoutMs) {
      const deadline = clock.deadline(ms);
      const watched = { until: clock.monotonic() + ms };
      state.calls.add(watched);
      try {
        return await work(AbortSignal.any([signal, deadline]));
      } catch (error) {
        if (signal.aborted || error instanceof AdapterError || !deadline.aborted) throw error;
        throw new AdapterError("timeout", `no answer within ${ms} ms`, { cause: error });
      } finally {
        state.calls.delete(watched);
      }
    },

    async announce(call) {
      signal.throwIfAborted();
      const which = call.kind === "create" ? { label: call.label } : { key: call.key.id };
      const provider = call.kind === "create" ? credential.provider : call.key.provider;
      const openUntil = clock.now() + 2 * timing.callTimeoutMs;
      announced.push(ledger.announce(rotation, provider, { kind: call.kind, ...which, openUntil }));
    },
    irreversible: (key: Key) => plugs.provider(key.provider).provider,
  };
  return { context, announced };
}
