import type { Key } from "../../model.ts";
import type { Answer, StepContext } from "../context.ts";
import { enableAgain } from "../gate.ts";
import { again, secretOf } from "../observe.ts";
import { retreat } from "../way-back.ts";

/** Takes the oldest key that a person brought as the target. Where there is none, it says what to do, and waits for one. */
export async function drawFromPool(context: StepContext): Promise<Answer> {
  const [key] = context.keys.filter(({ stage }) => stage === "pooled");
  return key === undefined ? waitForPerson(context) : draw(context, key);
}

async function draw(context: StepContext, key: Key): Promise<Answer> {
  const { vendorId: keyId } = key;
  const expired = key.expiresAt !== null && key.expiresAt <= context.clock.now();
  if (expired || (await secretOf(context, key)) === undefined) {
    const why = expired ? "it has expired" : "its secret is not in the store's keep";
    return {
      ...again(context, 0),
      keys: [{ id: key.id, set: { stage: "retiring" } }],
      events: [{ code: "keyUnfit", detail: { keyId, why } }],
    };
  }
  if (key.disabledAt !== null) await enableAgain(context, key);
  return {
    go: "next",
    keys: [{ id: key.id, set: { stage: "pending", disabledAt: null } }],
    rotation: { target: key.id },
    events: [{ code: "keyDrawn", detail: { keyId } }],
  };
}

/** What it remembers of its wait for a person. */
interface Wait {
  /** What the person should call the key: it is found again by that. */
  readonly label: string;
  readonly askedAt: number;
  readonly reminders: number;
}

/** Durable: told again at each reminder, until the deadline ends the rotation. Nothing was changed by then. */
async function waitForPerson(context: StepContext): Promise<Answer> {
  const { clock, credential, provider, rotation, timing } = context;
  const now = clock.now();
  const before = rotation.memo["wait"] as Wait | undefined;
  const wait: Wait = before ?? { label: context.newLabel(), askedAt: now, reminders: 0 };
  const deadline = wait.askedAt + timing.intake.deadlineMs;
  const until = new Date(deadline).toISOString();
  if (now >= deadline && !rotation.forwardOnly) {
    const text = `nobody brought a key for ${credential.name} by ${until}`;
    return retreat(context, "impossible", {
      code: "noKeyBrought",
      text,
      hint: `rotatectl intake ${credential.name} puts one into the pool`,
    });
  }
  const dueAt = wait.askedAt + wait.reminders * timing.intake.remindMs;
  const reminders = now >= dueAt ? wait.reminders + 1 : wait.reminders;
  const nth = reminders > 1 ? ` (reminder ${reminders - 1})` : "";
  const { url, steps } = provider.intake ?? { url: undefined, steps: [] };
  const where = url === undefined ? "make a key at the vendor" : `make a key at ${url}`;
  const next = wait.askedAt + reminders * timing.intake.remindMs;
  return {
    go: "stuck",
    at: now >= deadline ? next : Math.min(next, deadline),
    rotation: { memo: { ...rotation.memo, wait: { ...wait, reminders } } },
    problem: {
      code: "keyWanted",
      text: `${credential.name} waits for a key that a person makes, until ${until}${nth}`,
      hint: [where, `call it ${wait.label}`, ...steps, `then: rotatectl intake ${credential.name}`].join("; "),
    },
  };
}
