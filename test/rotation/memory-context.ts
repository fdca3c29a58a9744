import type { Proof } from "../../src/contract/consumer.ts";
import type { Verdict } from "../../src/contract/provider.ts";
import { Secret } from "../../src/contract/secret.ts";
import type { Key } from "../../src/model.ts";
import type { ConsumerPlug, MirrorPlug, StepContext } from "../../src/rotation/context.ts";
import { pinPlan } from "../../src/rotation/plans.ts";

export const NOW = 1_800_000_000_000;

export function key(id: number, more: Partial<Key> = {}): Key {
  return {
    id,
    credential: "main",
    provider: "openai",
    version: `version-${id}`,
    vendorId: `key_${id}`,
    stage: "current",
    fingerprint: `of sk-canary-${id}`,
    createdAt: NOW - 10_000,
    expiresAt: null,
    promotedAt: NOW - 5000,
    disabledAt: null,
    revokeAnnouncedAt: null,
    revokedAt: null,
    leftAt: null,
    probedAt: null,
    deadAt: null,
    ...more,
  };
}

/** The world of a rotation that is about to switch off or revoke key 1, because key 2 serves. All is well with it. */
export interface Scene {
  old: Key;
  target: Key | undefined;
  /** The number of the key that the store holds; `undefined` for none. */
  stored: number | undefined;
  /** The number of the key that each mirror holds. */
  mirrors?: readonly (number | undefined)[];
  /** Numbers of the keys whose secrets are kept. */
  kept: readonly number[];
  verdicts: Readonly<Record<string, Verdict>>;
  /** What each consumer shows, and the runs that it still has. */
  consumers: { proof: Proof; runs?: readonly string[] | "tooEarly"; acceptAnswered?: boolean }[];
  /** When the vendor last saw the old key and the new one used; `undefined` where its listing does not have that. */
  usedAt: { old: number; target: number } | undefined;
  others: readonly Key[];
  openUntil: number | undefined;
  canDisable: boolean;
  memo: Readonly<Record<string, unknown>>;
}

export const PROVEN = { result: "proven", grade: "value", detail: {} } as const satisfies Proof;
export const ANSWERED = { result: "proven", grade: "answered", detail: {} } as const satisfies Proof;

export function scene(more: Partial<Scene> = {}): Scene {
  return {
    old: key(1, { stage: "retiring" }),
    target: key(2),
    stored: 2,
    kept: [1, 2],
    verdicts: { "sk-canary-1": "accepted", "sk-canary-2": "accepted" },
    consumers: [
      { proof: PROVEN, runs: [] },
      { proof: PROVEN, runs: [] },
    ],
    usedAt: { old: NOW - 4000, target: NOW - 500 },
    others: [],
    openUntil: undefined,
    canDisable: true,
    memo: {},
    ...more,
  };
}

/** A step's context over a scene, without a ledger or a network. `calls` lists what was announced and what left, in order. */
export function memoryContext(of: Scene): { context: StepContext; calls: string[] } {
  const calls: string[] = [];
  const secret = (id: number) => new Secret(`sk-canary-${id}`);
  const signal = new AbortController().signal;
  const plan = pinPlan("routine", { supply: "create", consumers: [], overlapMs: 0, preflightUntil: null, now: true });
  const listed = [of.old, of.target].flatMap((row) => (row === undefined ? [] : [row]));
  const provider = {
    create: () => Promise.reject(new Error("nothing is created here")),
    list: async () =>
      listed.map(({ id, vendorId, version }) => ({
        id: vendorId,
        label: version,
        createdAt: new Date(NOW),
        enabled: true,
        ...(of.usedAt && { lastUsedAt: new Date(id === of.old.id ? of.usedAt.old : of.usedAt.target) }),
      })),
    identify: async () => undefined,
    verify: async (asked: Secret) => of.verdicts[asked.reveal()] ?? "refused",
    revoke: async (id: string) => void calls.push(`revoke ${id}`),
    setEnabled: async (id: string, on: boolean) => void calls.push(`${on ? "enable" : "disable"} ${id}`),
  };
  const lags = { listLagMs: 100, revokeLagMs: 0, lastUsed: { precisionMs: 1, lagMs: 100 } };
  const plug = { name: "openai", provider, supply: "create", ...lags } as const;
  const consumers = of.consumers.map(({ proof, runs, acceptAnswered = false }, index): ConsumerPlug => {
    const busy = runs === undefined ? {} : { busySince: async () => runs };
    const consumer = {
      preflight: async () => [],
      reload: async () => ({ holds: "expected" }) as const,
      prove: async () => proof,
      describe: () => ({ reload: "", prove: "" }),
      ...busy,
    };
    return { name: `consumer-${index}`, consumer, acceptAnswered };
  });

  const context: StepContext = {
    rotation: {
      id: 1,
      credential: "main",
      plan,
      step: "revoke",
      trigger: "operator",
      actor: null,
      reason: null,
      target: of.target?.id ?? null,
      old: of.old.id,
      dueAt: NOW,
      outcome: null,
      endsAs: "done",
      stuckReason: null,
      stuckHint: null,
      forwardOnly: false,
      cancelRequested: false,
      attempts: 0,
      intents: 1,
      startedAt: NOW - 9000,
      stepSince: NOW - 1000,
      troubleSince: null,
      reloadedAt: NOW - 4000,
      validatedAt: NOW - 3000,
      lastCode: null,
      lastError: null,
      endedAt: null,
      memo: of.memo,
    },
    plan,
    credential: {
      name: "main",
      provider: "openai",
      store: { use: "local", place: {} },
      mirrors: [],
      resolve: [],
      consumers: [],
      schedule: undefined,
      window: undefined,
      overlapMs: 0,
      jitterMs: 0,
    },
    timing: TIMING,
    clock: { now: () => NOW, monotonic: () => 0, sleep: async () => {}, after: () => () => {}, deadline: () => signal },
    signal,
    keys: listed,
    target: of.target,
    old: of.old,
    debts: [of.old],
    openIntents: () => [],
    createCall: () => undefined,
    openUntil: of.openUntil,
    fresh: (row) => row,
    keyWith: (fingerprint) => listed.find((row) => row.fingerprint === fingerprint),
    othersHolding: () => of.others,
    isRetired: () => false,
    othersCreateUntil: () => undefined,
    isInLedger: ({ vendorId }) => listed.some((row) => row.vendorId === vendorId),
    provider: plug,
    issuer: () => plug,
    canDisable: () => of.canDisable,
    store: {
      preflight: async () => {},
      read: async (which) => {
        const id = which === "current" ? of.stored : of.kept.find((kept) => `version-${kept}` === which.version);
        return id === undefined ? undefined : secret(id);
      },
      stage: async () => {},
      promote: async () => {},
      discard: async () => {},
    },
    mirrors: (of.mirrors ?? []).map(
      (id): MirrorPlug => ({
        name: "copy",
        mirror: { preflight: async () => {}, read: async () => (id === undefined ? undefined : secret(id)), write: async () => {} },
      }),
    ),
    consumers,
    fingerprint: (value) => `of ${value.reveal()}`,
    newLabel: () => "rotated-test-label",
    newSecret: () => undefined,
    clockJumpedAt: undefined,
    call: (work) => work(signal),
    announce: async (call) => calls.push(`announce ${call.kind}`) > 0,
    irreversible: () => provider,
  };
  return { context, calls };
}

const TIMING: StepContext["timing"] = {
  callTimeoutMs: 1000,
  proveTimeoutMs: 1000,
  verify: { times: 3, overMs: 20, deadlineMs: 1000 },
  reloadSettleMs: 300,
  drainLimitMs: 30_000,
  confirm: { times: 3, apartMs: 10, limitMs: 10_000 },
  waitsMs: [50, 100],
  tellAfterMs: 10_000,
  afterFailure: { firstMs: 1000, lastMs: 2000 },
  intake: { remindMs: 1000, deadlineMs: 10_000 },
  pollMs: 20,
  spreadMs: 0,
};
