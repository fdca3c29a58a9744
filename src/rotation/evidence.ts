import ms from "ms";
import type { Proof } from "../contract/consumer.ts";
import { AdapterError, hasCode } from "../contract/errors.ts";
import type { Secret } from "../contract/secret.ts";
import type { Grade, Key } from "../model.ts";
import type { ConsumerPlug, Problem, StepContext } from "./context.ts";

/** What was seen of all consumers, just now. */
export type Evidence =
  | { readonly seen: "proven"; readonly by: readonly { readonly consumer: string; readonly grade: Grade; readonly detail: unknown }[] }
  /** A consumer uses another value, or the vendor refuses the target behind it. */
  | { readonly seen: "contradicted" | "refused"; readonly problem: Problem }
  /** Requests succeed, but nothing shows yet which key served them. */
  | { readonly seen: "unproven"; readonly problem: Problem };

/**
 * Asks every consumer to show that it uses the target. Of those that only answer, the vendor must have seen the new
 * key used by others than us; a consumer with `acceptAnswered` is believed here, and the idleness of the old key is
 * asked in any case. Outages are thrown.
 */
export async function proveAll(context: StepContext, target: Key, secret: Secret): Promise<Evidence> {
  const proofs: { plug: ConsumerPlug; proof: Extract<Proof, { result: "proven" }> }[] = [];
  for (const plug of context.consumers) {
    const proof = await proofOf(context, plug, secret);
    if (proof.result !== "proven") {
      const problem = { code: proof.result, text: proof.cause, hint: proof.cure };
      return { seen: proof.result, problem };
    }
    proofs.push({ plug, proof });
  }

  const by: { consumer: string; grade: Grade; detail: unknown }[] = [];
  for (const { plug, proof } of proofs) {
    let grade = proof.grade;
    if (grade === "answered") {
      const seen = await vendorSawUse(context, target);
      if (seen === "yes") grade = "vendor";
      else if (seen === "never told" || !plug.acceptAnswered) return { seen: "unproven", problem: onlyAnswered(context, plug, seen) };
    }
    by.push({ consumer: plug.name, grade, detail: proof.detail });
  }
  return { seen: "proven", by };
}

/** Whose time runs out for all of it together is not away: it may have many agents to ask. */
async function proofOf({ call, clock, timing }: StepContext, { consumer }: ConsumerPlug, secret: Secret): Promise<Proof> {
  const from = clock.monotonic();
  try {
    return await call((signal) => consumer.prove(secret, signal), timing.proveTimeoutMs);
  } catch (error) {
    if (!hasCode(error, "timeout") || clock.monotonic() - from < timing.proveTimeoutMs) throw error;
    const cure = `is it running? where it has much to show, as a gateway with many agents, raise timing.proveTimeout (${ms(timing.proveTimeoutMs)})`;
    throw new AdapterError("timeout", error.message, { cause: error, cure });
  }
}

function onlyAnswered(context: StepContext, plug: ConsumerPlug, seen: "no" | "never told"): Problem {
  const text = `${plug.name}: a request succeeded, but nothing shows which key served it`;
  const hint =
    seen === "never told"
      ? `${context.provider.name} does not tell when a key was last used: let the validate command answer with its hmac`
      : `it waits until the vendor has seen the new key used; or let the validate command answer with its hmac, or set acceptAnswered on consumer ${plug.name}`;
  return { code: "unproven", text, hint };
}

/** Whether the vendor saw the key used by others than us. */
async function vendorSawUse(context: StepContext, key: Key): Promise<"yes" | "no" | "never told"> {
  const { lastUsed } = context.issuer(key);
  if (lastUsed === undefined) return "never told";
  const usedAt = await lastUseOf(context, key);
  if (usedAt === "not told") return "never told";
  return usedAt > (key.probedAt ?? 0) + lastUsed.precisionMs ? "yes" : "no";
}

/** When the vendor last saw a key used: 0 where it never did or knows no such key, `"not told"` where its listing leaves it out. */
async function lastUseOf(context: StepContext, key: Key): Promise<number | "not told"> {
  const { provider } = context.issuer(key);
  const ask = provider.lastUse?.bind(provider);
  return context.call(async (signal) => {
    if (ask !== undefined) return (await ask(key.vendorId, signal))?.getTime() ?? 0;
    const row = (await provider.list(signal)).find(({ id }) => id === key.vendorId);
    return row !== undefined && row.lastUsedAt === undefined ? "not told" : (row?.lastUsedAt?.getTime() ?? 0);
  });
}

/** Whether the vendor saw a promoted debt idle: since `validate` ended, or for long enough since it was last used. */
export type Idleness = { readonly idle: true } | { readonly idle: false; readonly askAt: number; readonly text: string };

/** Asks the vendor when a debt was last used, not counting our own probes, once its lag has passed. */
export async function idleness(context: StepContext, debt: Key): Promise<Idleness> {
  const { lastUsed } = context.issuer(debt);
  const { validatedAt } = context.rotation;
  if (lastUsed === undefined || validatedAt === null) return { idle: true };
  const now = context.clock.now();
  if (now < validatedAt + lastUsed.lagMs) {
    return { idle: false, askAt: validatedAt + lastUsed.lagMs, text: "the vendor's record of uses may still lag behind" };
  }
  const usedAt = await lastUseOf(context, debt);
  // As with a vendor that never tells: the overlap and the consumers' proofs must do.
  if (usedAt === "not told") return { idle: true };
  const ours = Math.max(validatedAt, debt.probedAt ?? 0) + lastUsed.precisionMs;
  // Whoever began on it may use it during the overlap. Then it must have been quiet for as long as that, or as the lag, again.
  const quietSince = now - lastUsed.lagMs - Math.max(context.plan.overlapMs, lastUsed.lagMs);
  if (usedAt <= ours || usedAt + lastUsed.precisionMs <= quietSince) return { idle: true };
  return {
    idle: false,
    askAt: now + Math.max(context.timing.pollMs, Math.ceil(lastUsed.lagMs / 4)),
    text: `${debt.vendorId} was still used at ${new Date(usedAt).toISOString()}`,
  };
}

/** Names of runs, by consumer. */
export type Runs = Readonly<Record<string, readonly string[]>>;

/** The runs that were left when it was last asked: for one reload they only get fewer, so they travel from step to step. */
export function runsInMemo(context: StepContext): Runs | undefined {
  const { runs } = context.rotation.memo;
  return typeof runs === "object" && runs !== null ? (runs as Runs) : undefined;
}

/** For people: `gateway: agent:main:a, agent:main:b`; empty when none is left. */
export function nameRuns(runs: Runs): string {
  return Object.entries(runs)
    .filter(([, names]) => names.length > 0)
    .map(([consumer, names]) => `${consumer}: ${names.join(", ")}`)
    .join("; ");
}

/** The runs of all consumers that may still use a key from before the reload; `"tooEarly"` while it cannot be told. */
export async function busyRuns(context: StepContext, earlier: Runs | undefined): Promise<Runs | "tooEarly"> {
  const { reloadedAt } = context.rotation;
  if (reloadedAt === null) return {};
  const busy: Record<string, readonly string[]> = {};
  for (const { name, consumer } of context.consumers) {
    if (consumer.busySince === undefined) continue;
    const ask = consumer.busySince.bind(consumer);
    const runs = await context.call((signal) => ask(new Date(reloadedAt), earlier?.[name], signal));
    if (runs === "tooEarly") return "tooEarly";
    busy[name] = runs;
  }
  return busy;
}
