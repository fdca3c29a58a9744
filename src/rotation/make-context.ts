import type { CredentialConfig } from "../config/config.ts";
import type { Call, Rotation } from "../model.ts";
import type { Announcement } from "../state/ledger.ts";
import type { CredentialContext, StepContext } from "./context.ts";
import { withDeadline } from "./deadline.ts";
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
  const { ledger } = parts;
  const plugs = parts.plugs();
  const { context: base, announced } = makeCredentialContext(parts, credential, signal, state, rotation);
  const { keys } = base;
  const byId = (id: number | null) => (id === null ? undefined : (keys.find((key) => key.id === id) ?? ledger.keys.get(id)));

  const context: StepContext = {
    ...base,
    rotation,
    plan: rotation.plan,
    target: byId(rotation.target),
    old: byId(rotation.old),
    // What consumers may have held is left to a rotation that they take part in.
    debts: keys.filter(
      (key) => key.stage === "retiring" && key.id !== rotation.target && !(rotation.plan.rehearsal && key.promotedAt !== null),
    ),
    openIntents: () => ledger.keys.openIntents(credential.name),
    createCall: ledger.keys.createCall,
    isInLedger: ({ provider, vendorId }) => ledger.keys.byVendorId(provider, vendorId).length > 0,
    othersCreateUntil(provider) {
      const others = ledger.keys.openIntentsAt(provider).filter((intent) => intent.credential !== credential.name);
      const open = others.flatMap(({ label }) => ledger.keys.createCall(label) ?? []).filter(({ answeredAt }) => answeredAt === null);
      const until = Math.max(...open.map(({ openUntil }) => openUntil));
      return until > parts.clock.now() ? until : undefined;
    },
    consumers: plugs.consumers(credential, rotation.plan.consumers),
    newLabel: () => newLabel(parts.installation, parts.random),
    newSecret: () => plugs.provider(credential.provider).makeSecret?.(parts.random),
    clockJumpedAt,
  };
  return { context, announced };
}

/** The same for a credential without a rotation of its own, or for the part of it that every step sees. */
export function makeCredentialContext(
  parts: Pick<EngineParts, "ledger" | "clock" | "config" | "plugs" | "fingerprintKey">,
  credential: CredentialConfig,
  signal: AbortSignal,
  state: TurnState = { announced: [], calls: new Set() },
  rotation?: Rotation,
): { context: CredentialContext; announced: readonly Call[] } {
  const { ledger, clock } = parts;
  const { timing } = parts.config();
  const plugs = parts.plugs();
  const announced: Call[] = [];
  const provider = plugs.provider(credential.provider);

  const context: CredentialContext = {
    credential,
    timing,
    clock,
    signal,
    keys: ledger.keys.live(credential.name),
    openUntil: ledger.keys.openUntil(credential.name, clock.now()),
    fresh: (key) => ledger.keys.get(key.id) ?? key,
    keyWith: (fingerprint) => ledger.keys.withFingerprint(credential.name, fingerprint),
    othersHolding: (key) => ledger.keys.byVendorId(key.provider, key.vendorId).filter((row) => row.credential !== credential.name),
    isRetired: (other) => ledger.credentials.get(other)?.retiredAt != null,
    provider,
    issuer: (key) => plugs.provider(key.provider),
    canDisable: (key) => plugs.provider(key.provider).provider.setEnabled !== undefined,
    store: plugs.store(credential),
    mirrors: plugs.mirrors(credential),
    fingerprint: (secret) => secret.fingerprint(parts.fingerprintKey),

    async call(work, ms = timing.callTimeoutMs) {
      const watched = { until: clock.monotonic() + ms };
      state.calls.add(watched);
      try {
        return await withDeadline(clock, ms, signal, work);
      } finally {
        state.calls.delete(watched);
      }
    },

    async announce(call) {
      signal.throwIfAborted();
      // As long again as we wait for it: the other side may still work when we have given up.
      const calls = call.kind === "create" && call.stagesFirst ? 3 : 2;
      const openUntil = clock.now() + calls * timing.callTimeoutMs;
      const of: Announcement =
        call.kind === "create"
          ? { kind: call.kind, label: call.label, openUntil, ...placesFor(call) }
          : { kind: call.kind, key: call.key.id, openUntil };
      const row = ledger.announce(rotation ?? { credential: credential.name }, "key" in call ? call.key.provider : provider.name, of);
      if (row !== undefined) announced.push(row);
      return row !== undefined;
    },
    irreversible: (key) => plugs.provider(key.provider).provider,
  };

  /** What a create call must leave in the ledger where keys have no labels, and where they have few places. */
  function placesFor({ listed, listedAt }: { listed: readonly string[]; listedAt: number }): Pick<Announcement, "known" | "room"> {
    const { places, unlabelled, listLagMs } = provider;
    return {
      ...(unlabelled && { known: listed }),
      ...(places && rotation?.plan.supply === "create" && { room: { places, taken: listed, unlistedSince: listedAt - listLagMs } }),
    };
  }
  return { context, announced };
}
