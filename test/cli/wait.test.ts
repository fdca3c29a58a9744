import { expect, test } from "vitest";
import { checklist, NOW, rotation } from "../fakes/control.ts";
import { openBench } from "./run.ts";

const created = { state: "done", text: "key_new created, accepted 3 times" } as const;
const updated = { state: "done", text: "local holds key_new" } as const;
const reloaded = { state: "done", text: "gateway holds it" } as const;
const validated = { state: "done", text: "gateway served by key_new" } as const;
const dead = { state: "done", text: "key_abc refused 3 times" } as const;
const DONE = rotation({ checklist: checklist(created, updated, reloaded, validated, dead), outcome: "done", endedAt: NOW });

test("--wait shows each step once, with what was proven and what it waits for", async () => {
  await using bench = await openBench();
  const failing = { code: "unavailable", message: "openai: verify: status 503", hint: "status.openai.com says more" };
  bench.control.news = [
    rotation({ checklist: checklist({ state: "running", text: "verifying key_new" }), attempts: 1, lastError: failing }),
    rotation({ checklist: checklist(created, { state: "running", text: null }) }),
    rotation({ checklist: checklist(created, updated, reloaded, validated, { state: "running", text: "1 run left" }) }),
    DONE,
  ];
  const ran = await bench.run(["rotate", "prod-openai", "--now", "--wait"]);
  expect(ran.code).toBe(0);
  expect(ran.stdout).toBe("prod-openai: routine done after 2 min");
  expect(ran.stderr.split("\n")).toEqual([
    "… generate",
    "… generate  verifying key_new; will try again: openai: verify: status 503",
    "  hint: status.openai.com says more",
    "✔ generate  key_new created, accepted 3 times",
    "… update",
    "✔ update    local holds key_new",
    "✔ reload    gateway holds it",
    "✔ validate  gateway served by key_new",
    "… revoke    1 run left",
    "✔ revoke    key_abc refused 3 times",
  ]);
});

test("--wait shows what a person shall do, and goes on by itself when the key is there", async () => {
  await using bench = await openBench();
  const waits = (told: number) =>
    rotation({
      plan: "intake",
      checklist: checklist({ state: "running", text: "waits until 2026-12-08T12:00Z for a key that a person makes" }),
      wanted: { label: "rotated-inst-next", until: NOW + 1_209_600_000, told },
      stuck: { reason: `prod-openai waits for a key (reminder ${told})`, hint: "make a key at https://x.test; call it rotated-inst-next" },
      attempts: told,
    });
  bench.control.news = [waits(1), waits(1), waits(2), rotation({ ...DONE, plan: "intake" })];
  const ran = await bench.run(["rotate", "prod-openai", "--wait"]);
  expect(ran.code).toBe(0);
  expect(ran.stderr.split("\n").slice(0, 6)).toEqual([
    "… generate",
    "↩ intake: the plan has changed",
    "… generate  waits until 2026-12-08T12:00Z for a key that a person makes",
    "  · make a key at https://x.test",
    "  · call it rotated-inst-next",
    "✔ generate  key_new created, accepted 3 times",
  ]);
});

test("--wait tells what keeps a rotation from beginning", async () => {
  await using bench = await openBench();
  const down = { code: "unreachable", message: "openai: list keys: no connection" };
  bench.control.news = [rotation({ step: "preflight", checklist: checklist(), attempts: 1, lastError: down }), DONE];
  const ran = await bench.run(["rotate", "prod-openai", "--wait"]);
  expect(ran.stderr).toContain("… preflight  will try again: openai: list keys: no connection\n✔ generate");
});

test("--wait follows a rotation on its way back, and fails with it", async () => {
  await using bench = await openBench();
  const refused = { code: "refused", message: "gateway: the vendor refused key_new" };
  const back = checklist({ state: "skipped", text: null }, { state: "done", text: "local holds key_abc" });
  bench.control.news = [
    rotation({ checklist: checklist(created, updated, reloaded, { state: "running", text: "asking gateway" }) }),
    rotation({ plan: "back", checklist: back, lastError: refused }),
    rotation({ plan: "back", checklist: back, lastError: refused, outcome: "failed", endedAt: NOW }),
  ];
  const ran = await bench.run(["rotate", "prod-openai", "--wait"]);
  expect(ran.code).toBe(1);
  expect(ran.stdout).toBe("prod-openai: back failed after 2 min: gateway: the vendor refused key_new");
  expect(ran.stderr.split("\n").slice(-2)).toEqual(["↩ back: gateway: the vendor refused key_new", "✔ update    local holds key_abc"]);
});

test("--wait --json prints nothing but the result on stdout", async () => {
  await using bench = await openBench();
  bench.control.news = [DONE];
  const ran = await bench.run(["rotate", "prod-openai", "--wait", "--json"]);
  expect(JSON.parse(ran.stdout)).toEqual({ rotations: [DONE], refused: [] });
});

test("--wait --json tells what was refused, also when that is all", async () => {
  await using bench = await openBench();
  const refused = [{ credential: "main", error: { code: "conflict", message: "main is paused", hint: "rotatectl resume main" } }] as const;
  bench.control.rotate = async () => ({ rotations: [], refused: [...refused] });
  const ran = await bench.run(["rotate", "--all", "--wait", "--json"]);
  expect(ran.code).toBe(1);
  expect(JSON.parse(ran.stdout)).toEqual({ rotations: [], refused });
});

test("--all --wait watches more rotations than the daemon takes connections", async () => {
  await using bench = await openBench();
  const rotations = Array.from({ length: 300 }, (_, id) => ({ rotation: rotation({ id: id + 1 }), started: true }));
  bench.control.rotate = async () => ({ rotations, refused: [] });
  let [watching, most] = [0, 0];
  const tooMany = Promise.withResolvers<void>();
  const noMore = new Promise((resolve) => setTimeout(resolve, 500));
  bench.control.watch = async ({ id }) => {
    most = Math.max(most, ++watching);
    if (watching > 64) tooMany.resolve();
    await Promise.race([tooMany.promise, noMore]);
    watching -= 1;
    return { rotation: { ...DONE, id }, events: [] };
  };
  const ran = await bench.run(["rotate", "--all", "--wait", "--json"]);
  expect(ran.code).toBe(0);
  expect((JSON.parse(ran.stdout) as { rotations: unknown[] }).rotations).toHaveLength(300);
  expect(most).toBeLessThanOrEqual(64);
});

test("--all --wait names the credential on each line and exits with the worst code", async () => {
  await using bench = await openBench();
  const stuck = rotation({ credential: "batch-openai", id: 13, stuck: { reason: "no room for a key", hint: "delete one" } });
  bench.control.rotate = async () => ({
    rotations: [
      { rotation: DONE, started: true },
      { rotation: stuck, started: true },
    ],
    refused: [],
  });
  const ran = await bench.run(["rotate", "--all", "--wait"]);
  expect(ran.code).toBe(3);
  expect(ran.stderr).toContain("prod-openai: ✔ generate  key_new created");
  expect(ran.stderr).toContain("rotatectl: error: batch-openai: stuck in create: no room for a key");
  expect(ran.stdout).toBe("prod-openai: routine done after 2 min\nbatch-openai: routine stuck");
});

test("--all --wait that cannot watch one of them leaves the others alone, too: nothing keeps it from ending", async () => {
  await using bench = await openBench();
  const { ControlError } = await import("../../src/api-errors.ts");
  const rotations = [12, 13].map((id) => ({ rotation: rotation({ id }), started: true }));
  bench.control.rotate = async () => ({ rotations, refused: [] });
  let watching: AbortSignal | undefined;
  bench.control.watch = async ({ id }, { signal }) => {
    if (id === 12) throw new ControlError("internal", "a fault in the daemon", "its log says which");
    watching = signal;
    return new Promise(() => {});
  };
  const ran = await bench.run(["rotate", "--all", "--wait"]);
  expect(ran.code).toBe(1);
  expect(ran.stderr).toContain("rotatectl: error: a fault in the daemon\nrotatectl: hint: its log says which");
  await expect.poll(() => watching?.aborted).toBe(true);
});

test("--wait goes on when the daemon was restarted in between", async () => {
  await using bench = await openBench();
  const restart = async (text: string) => {
    if (!text.includes("the daemon is away")) return;
    bench.control.news = [DONE];
    await bench.start();
  };
  const running = bench.run(["rotate", "prod-openai", "--wait"], undefined, restart);
  await expect.poll(() => bench.control.callsOf("watch").length).toBe(1);
  await bench.stop();
  const ran = await running;
  expect(ran.code).toBe(0);
  expect(ran.stderr.match(/the daemon is away/g)).toHaveLength(1);
  expect(ran.stderr).toContain("✔ revoke    key_abc refused 3 times");
});

test("Ctrl-C stops the watching, says so, and cancels nothing", async () => {
  await using bench = await openBench();
  const ctrlC = new AbortController();
  const running = bench.run(["rotate", "prod-openai", "--wait"], ctrlC.signal);
  await expect.poll(() => bench.control.callsOf("watch").length).toBe(1);
  ctrlC.abort();
  const ran = await running;
  expect(ran.code).toBe(130);
  expect(ran.stderr).toContain("stopped watching; the daemon goes on");
  expect(bench.control.callsOf("cancel")).toHaveLength(0);
});

test("a request keeps its idempotency key when it is repeated; the next one has another", async () => {
  await using bench = await openBench();
  const { ControlError } = await import("../../src/api-errors.ts");
  bench.control.fail("rotate", new ControlError("unavailable", "the daemon is stopping"));
  await bench.run(["rotate", "prod-openai"]);
  await bench.run(["rotate", "prod-openai"]);
  await bench.run(["rotate", "prod-openai", "--idempotency-key", "monday-42"]);
  const [first, repeat, second, third] = bench.control.callsOf("rotate").map(({ ask }) => ask.idempotencyKey);
  expect(first).toMatch(/^[0-9a-f-]{36}$/);
  expect(repeat).toBe(first);
  expect(second).not.toBe(first);
  expect(third).toBe("monday-42");
});

test.each(["Schlüssel-日", "a b", "", "x".repeat(129)])("an idempotency key that no header carries is wrong usage: %j", async (key) => {
  await using bench = await openBench();
  expect(await bench.run(["rotate", "prod-openai", "--idempotency-key", key])).toMatchObject({
    code: 2,
    stderr: "rotatectl: error: --idempotency-key is not usable\nrotatectl: hint: 1 to 128 printable ASCII characters without spaces",
  });
  expect(bench.control.calls).toEqual([]);
});
