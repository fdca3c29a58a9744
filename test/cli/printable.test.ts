import { expect, test } from "vitest";
import { rotation } from "../fakes/control.ts";
import { openBench } from "./run.ts";

/** Clears the screen, names the window, and begins a sequence in one character. */
const EVIL = "\u001b[2J\u001b]0;canary\u0007\u009b2J\u007f\r";
const SHOWN = String.raw`\u001b[2J\u001b]0;canary\u0007\u009b2J\u007f\u000d`;

test("what others have named reaches the terminal as text: a label, a reason, a message of the daemon", async () => {
  await using bench = await openBench();
  const [first] = bench.control.credentials;
  if (first === undefined) throw new Error("the fake has credentials");
  const keys = first.keys.map((key) => ({ ...key, label: `old${EVIL}` }));
  bench.control.credentials = [{ ...first, keys }];
  const shown = await bench.run(["show", "prod-openai"]);
  expect(shown.stdout).toContain(`old${SHOWN}`);
  bench.control.news = [rotation({ stuck: { reason: EVIL, hint: EVIL } })];
  const waited = await bench.run(["rotate", "prod-openai", "--wait"]);
  expect(waited.stderr).toContain(`stuck in create: ${SHOWN}`);
  const unknown = await bench.run(["show", EVIL]);
  expect(unknown.code).toBe(1);
  for (const { all } of [shown, waited, unknown]) expect(all).not.toMatch(/[^\P{Cc}\n]/u);
});

test("a reason of several lines is one row of the history", async () => {
  await using bench = await openBench();
  const { events } = await bench.control.history({ limit: 1 }, { actor: "root", signal: AbortSignal.abort() });
  bench.control.history = async () => ({
    events: events.map((event) => ({ ...event, text: "reason x\n2026-01-01T00:00:00Z\ty" })),
    next: null,
  });
  const { stdout } = await bench.run(["history"]);
  expect(stdout).toContain(String.raw`reason x\n2026-01-01T00:00:00Z\ty`);
  expect(stdout.trimEnd().split("\n"), "the head and one row").toHaveLength(2);
});

test("--json says the same value", async () => {
  await using bench = await openBench();
  const [first] = bench.control.credentials;
  if (first === undefined) throw new Error("the fake has credentials");
  const credential = { ...first, provider: EVIL };
  bench.control.credentials = [credential];
  const { stdout } = await bench.run(["show", "prod-openai", "--json"]);
  expect(JSON.parse(stdout)).toEqual(credential);
  expect(stdout).not.toMatch(/[^\P{Cc}\n]/u);
});
