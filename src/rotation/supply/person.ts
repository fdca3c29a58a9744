import type { Key, Rotation } from "../../model.ts";
import type { Answer, Problem, StepContext } from "../context.ts";
import { retreat } from "../way-back.ts";

/** What a rotation remembers of its wait for a person. */
export interface Wait {
  /** What the person should call the key: where the vendor shows nothing of a secret, it is found by that. */
  readonly label: string;
  readonly askedAt: number;
  /** When it gives up; `null` where no key serves meanwhile, so that there is nothing to give up for. */
  readonly until: number | null;
  /** How often it was said so far. */
  readonly told: number;
}

const WANTED = "keyWanted";

/** The wait of a rotation that needs a key from a person; `undefined` when it needs none. */
export function waitOf({ step, outcome, lastCode, target, memo }: Rotation): Wait | undefined {
  const waits = step === "create" && outcome === null && lastCode === WANTED && target === null;
  return waits ? (memo["wait"] as Wait | undefined) : undefined;
}

/**
 * Says what to do, and waits for a key: told again at each reminder, until the deadline ends the rotation. Nothing was changed
 * by then. `halves` are keys of the pool whose secret did not arrive. Without a key that serves there is no giving up.
 */
export async function waitForPerson(context: StepContext, halves: readonly Key[]): Promise<Answer> {
  const { clock, credential, old, rotation, timing } = context;
  const now = clock.now();
  const before = rotation.memo["wait"] as Wait | undefined;
  const askedAt = before?.askedAt ?? now;
  const until = rotation.forwardOnly ? null : askedAt + timing.intake.deadlineMs;
  if (until !== null && now >= until) {
    const text = `nobody brought a key for ${credential.name} by ${stamp(until)}`;
    const problem = { code: "noKeyBrought", text, hint: `rotatectl intake ${credential.name} puts one into the pool` };
    return old === undefined ? { go: "end", outcome: "failed", problem } : retreat(context, "impossible", problem);
  }
  // Reminders that nobody was there to say are not made up for.
  const told = Math.floor((now - askedAt) / timing.intake.remindMs) + 1;
  const next = askedAt + told * timing.intake.remindMs;
  const wait: Wait = { label: before?.label ?? context.newLabel(), askedAt, until, told };
  return {
    go: "stuck",
    at: Math.min(next, until ?? next),
    rotation: { memo: { ...rotation.memo, wait } },
    problem: asking(context, wait, halves),
  };
}

/** The text changes with each reminder, so that each is an event and an alarm of its own. */
function asking({ credential: { name }, provider }: StepContext, wait: Wait, halves: readonly Key[]): Problem {
  const { url, steps } = provider.intake ?? { url: undefined, steps: [] };
  const end = wait.until === null ? "and no key serves meanwhile" : `until ${stamp(wait.until)}`;
  const nth = wait.told > 1 ? ` (reminder ${wait.told - 1})` : "";
  const lost = halves.map(
    ({ vendorId }) => `${vendorId} is in the pool without its secret: bring it once more, or delete it at the vendor`,
  );
  const where = url === undefined ? "make a key at the vendor" : `make a key at ${url}`;
  return {
    code: WANTED,
    text: `${name} waits for a key that a person makes, ${end}${nth}`,
    hint: [...lost, where, `call it ${wait.label}`, ...steps, `then: rotatectl intake ${name}`].join("; "),
  };
}

const stamp = (at: number) => new Date(at).toISOString().replace(/\.\d+Z$/, "Z");
