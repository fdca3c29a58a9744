import { expect, test } from "vitest";
import type { Rotation } from "../../src/model.ts";
import type { Answer } from "../../src/rotation/context.ts";
import { create } from "../../src/rotation/steps/create.ts";
import { commitOf } from "../../src/rotation/turn.ts";
import { memoryContext, NOW, scene } from "./memory-context.ts";

const { context } = memoryContext(scene());
const { timing } = context;
const SECOND = 1000;
const problem = { code: "unreachable", text: "gateway: connect: refused", hint: "is it running?" };

/** A rotation that is in its step since an hour. */
function hourLong() {
  let rotation: Rotation = { ...context.rotation, step: "drain", stepSince: NOW - 3600 * SECOND };
  const told: string[] = [];
  return {
    told,
    /** What a person reads after this turn, and how often it has failed. */
    turn(answer: Answer, at: number) {
      const commit = commitOf(rotation, answer, [], timing, NOW + at);
      rotation = { ...rotation, ...commit.rotation } as Rotation;
      told.push(...(commit.events ?? []).map(({ code }) => code).filter((code) => code === "stuck"));
      return { stuck: rotation.stuckReason, attempts: rotation.attempts };
    },
  };
}

const fails: Answer = { go: "again", at: NOW, problem };
const well: Answer = { go: "again", at: NOW };
const waits: Answer = { go: "again", at: NOW, aftermath: true };

test("trouble that begins late in a long step is told once it has lasted, and not at once", () => {
  const { turn, told } = hourLong();
  expect(turn(fails, 0)).toEqual({ stuck: null, attempts: 1 });
  expect(turn(fails, 9 * SECOND)).toEqual({ stuck: null, attempts: 2 });
  expect(turn(fails, 10 * SECOND)).toEqual({ stuck: problem.text, attempts: 3 });
  expect(turn(fails, 11 * SECOND)).toEqual({ stuck: problem.text, attempts: 4 });
  expect(told).toHaveLength(1);
});

test("a turn that went well ends it: the next trouble is another one, and is tried again as soon as the first", () => {
  const { turn } = hourLong();
  turn(fails, 0);
  expect(turn(well, 9 * SECOND)).toEqual({ stuck: null, attempts: 0 });
  expect(turn(fails, 15 * SECOND)).toEqual({ stuck: null, attempts: 1 });
});

test("waiting for what a failed call may still do ends nothing", () => {
  const { turn, told } = hourLong();
  turn(fails, 0);
  expect(turn(waits, 5 * SECOND)).toEqual({ stuck: null, attempts: 1 });
  expect(turn(fails, 10 * SECOND)).toEqual({ stuck: problem.text, attempts: 2 });
  expect(turn(waits, 12 * SECOND), "nor does it take back what a person was told").toEqual({ stuck: problem.text, attempts: 2 });
  expect(turn(fails, 14 * SECOND)).toEqual({ stuck: problem.text, attempts: 3 });
  expect(told).toHaveLength(1);
  expect(turn(well, 15 * SECOND)).toEqual({ stuck: null, attempts: 0 });
});

test.each([
  ["an open call", { openUntil: NOW + SECOND }],
  ["the listing, that may lag", { openIntents: () => [{ ...INTENT, announcedAt: NOW - 1 }], createCall: () => undefined }],
])("a create that waits for %s has not gone well", async (_, more) => {
  const made = memoryContext(scene({ target: undefined, kept: [1] }));
  expect(await create({ ...made.context, ...more })).toMatchObject({ go: "again", aftermath: true });
});

const INTENT = {
  label: "label-1",
  credential: "main",
  provider: "openai",
  rotation: 1,
  announcedAt: NOW,
  known: null,
  refused: true,
  closedAt: null,
};
