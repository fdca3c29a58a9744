import { stat } from "node:fs/promises";
import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { NAME } from "../../src/config/pieces.ts";
import { AdapterError } from "../../src/contract/errors.ts";
import { Secret } from "../../src/contract/secret.ts";
import { OPENCLAW_ID } from "../../src/resolve/protocol.ts";
import { openBench } from "./bench.ts";

const me = [{ user: process.getuid?.() ?? 0 }];
const NOT_MINE = { code: "NOT_FOUND", message: expect.stringContaining("not granted to") };
const [ALICE, BOB] = [4242, 4343];
const root = process.getuid?.() === 0;

describe("a request of OpenClaw", () => {
  test("gets the values that are granted, and an error for each other id", async () => {
    await using bench = await openBench();
    bench.hold("mine", me, "sk-canary-mine");
    bench.hold("second", [{ user: ALICE }, ...me], "sk-canary-second");
    bench.hold("others", [{ user: ALICE }], "sk-canary-others");
    bench.hold("nobodys", [], "sk-canary-nobodys");
    const { status, body } = await bench.ask("mine", "second", "others", "nobodys", "unknown", "constructor", "mine");
    expect(status).toBe(200);
    expect(body).toEqual({
      protocolVersion: 1,
      values: { mine: "sk-canary-mine", second: "sk-canary-second" },
      errors: { others: NOT_MINE, nobodys: NOT_MINE, unknown: NOT_MINE, constructor: NOT_MINE },
    });
    // Whether a credential exists cannot be told from the answer.
    expect(body.errors.others).toEqual(body.errors.unknown);
  });

  test("reads the store at each call", async () => {
    await using bench = await openBench();
    let value = 0;
    bench.hold("main", me, async () => new Secret(`sk-canary-${++value}`));
    expect((await bench.ask("main")).body.values).toEqual({ main: "sk-canary-1" });
    expect((await bench.ask("main")).body.values).toEqual({ main: "sk-canary-2" });
  });

  test("gets an error for a credential without a value: an empty one would stop every reload of the gateway", async () => {
    await using bench = await openBench();
    bench.hold("none", me, undefined);
    bench.hold("empty", me, "");
    const { body } = await bench.ask("none", "empty");
    const error = { code: "NOT_FOUND", message: "its store holds no value yet" };
    expect(body).toEqual({ protocolVersion: 1, values: {}, errors: { none: error, empty: error } });
  });

  test("a store that fails and one that hangs do not hold the others", async () => {
    await using bench = await openBench();
    bench.hold("good", me, "sk-canary-good");
    bench.hold("broken", me, () => Promise.reject(new AdapterError("denied", "vault: read prod/secret: permission denied")));
    bench.hold("hanging", me, () => new Promise(() => {}));
    bench.hold("buggy", me, () => Promise.reject(new Error("sk-canary-in-an-error")));
    const since = performance.now();
    const { body } = await bench.ask("good", "broken", "hanging", "buggy");
    expect(performance.now() - since).toBeLessThan(1500);
    expect(body.values).toEqual({ good: "sk-canary-good" });
    expect(body.errors).toEqual({
      broken: { code: "UNAVAILABLE", message: "its store could not be read (denied): the log of rotated says more" },
      hanging: { code: "UNAVAILABLE", message: expect.stringContaining("did not answer within") },
      buggy: { code: "UNAVAILABLE", message: "a fault in rotated: its log says more" },
    });
    expect(bench.logged.join("")).toContain("vault: read prod/secret: permission denied");
  });

  test("is in the log: who, which ids, and what became of them; never a value", async () => {
    await using bench = await openBench();
    bench.hold("main", me, "sk-canary-of-the-log");
    bench.hold("ill", me, () => Promise.reject(new AdapterError("timeout", "late")));
    await bench.ask("main");
    const strangers = Array.from({ length: 30 }, (_, index) => `unknown-${index}`);
    await bench.ask("main", "ill", ...strangers);
    const [first, ...rest] = bench.logged.map((line) => JSON.parse(line));
    const actor = expect.stringContaining(`uid ${process.getuid?.()}`);
    expect(first).toMatchObject({ level: "info", msg: "secrets asked for", actor, given: ["main"] });
    expect(rest.at(-1)).toMatchObject({ level: "warn", given: ["main"], failed: ["ill"], refusedCount: 30 });
    expect(rest.at(-1).refused).toHaveLength(10);
    expect(bench.logged.join("")).not.toContain("canary");
  });
});

test("every name that a credential can have is an id for OpenClaw", () => {
  const letters = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code));
  const names = letters.flatMap((letter) => [letter, `a${letter}`, `a${letter.repeat(47)}`]).filter((name) => NAME.test(name));
  expect(names.length).toBeGreaterThan(100);
  expect(names.filter((name) => !OPENCLAW_ID.test(name))).toEqual([]);
});

describe("the resolve socket", () => {
  test("is open to everybody, from its first moment on", async () => {
    const mask = process.umask(0o077);
    try {
      await using bench = await openBench();
      expect((await stat(bench.path)).mode & 0o777).toBe(0o666);
      expect(process.umask()).toBe(0o077);
    } finally {
      process.umask(mask);
    }
  });

  test.each([
    ["another route", "{}", { url: "/v1/status", method: "GET" }, 404, "unknownRoute"],
    ["another method", "", { method: "GET" }, 404, "unknownRoute"],
    ["no JSON", "nonsense", {}, 400, "invalid"],
    ["another version of the protocol", '{"protocolVersion":2,"ids":["main"]}', {}, 400, "invalid"],
    ["no ids", '{"protocolVersion":1}', {}, 400, "invalid"],
    ["an id that OpenClaw would not send", '{"protocolVersion":1,"ids":["../etc"]}', {}, 400, "invalid"],
    ["too many ids", JSON.stringify({ protocolVersion: 1, ids: Array.from({ length: 513 }, (_, n) => `i${n}`) }), {}, 400, "invalid"],
    ["too much", JSON.stringify({ protocolVersion: 1, ids: [], more: "x".repeat(300_000) }), {}, 413, "tooLarge"],
  ])("refuses %s", async (_, body, options, status, code) => {
    await using bench = await openBench();
    bench.hold("main", me, "sk-canary-main");
    const answer = await bench.send(body, options);
    expect(answer).toMatchObject({ status, body: { error: { code } } });
    expect(JSON.stringify(answer.body)).not.toContain("canary");
  });

  test("takes fields that a later OpenClaw may add, and no ids at all", async () => {
    await using bench = await openBench();
    const { body } = await bench.send('{"protocolVersion":1,"provider":"rotated","ids":[],"hint":"x"}');
    expect(body).toEqual({ protocolVersion: 1, values: {}, errors: {} });
  });

  test("lets one account ask so often and no more", async () => {
    await using bench = await openBench();
    const answers = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const statuses: number[] = [];
        for (let n = 0; n < 15; n++) statuses.push((await bench.ask("nothing")).status);
        return statuses;
      }),
    );
    const refused = answers.flat().filter((status) => status === 429);
    expect(refused.length).toBeGreaterThan(20);
    expect(bench.logged.length, "what is refused does not fill the log").toBeLessThan(100);
  });

  test("lets one account hold so many connections and no more", async () => {
    await using bench = await openBench();
    bench.hold("main", me, "sk-canary-main");
    const sockets = Array.from({ length: 40 }, () => connect(bench.path).on("error", () => {}));
    await expect.poll(() => sockets.filter(({ closed }) => closed).length).toBe(24);
    for (const socket of sockets) socket.destroy();
    await expect.poll(() => bench.ask("main").then(({ status }) => status, () => 0)).toBe(200); // biome-ignore format: one thought
  });

  test("gives a caller up that hangs up, and ends at once although a store hangs", async () => {
    await using bench = await openBench();
    const seen: AbortSignal[] = [];
    bench.hold("hanging", me, (signal) => {
      seen.push(signal);
      return new Promise(() => {});
    });
    const body = '{"protocolVersion":1,"ids":["hanging"]}';
    const gone = new AbortController();
    const left = bench.send(body, { signal: gone.signal }).catch(() => "left");
    await expect.poll(() => seen.length).toBe(1);
    gone.abort();
    expect(await left).toBe("left");
    await expect.poll(() => seen[0]?.aborted, { timeout: 250 }).toBe(true);

    const waiting = bench.send(body);
    await expect.poll(() => seen.length).toBe(2);
    await bench.server.close();
    expect(await waiting).toMatchObject({ status: 503, body: { error: { code: "unavailable" } } });
  });
});

describe.skipIf(!root)(`other accounts${root ? "" : " (skipped: only root can become them)"}`, () => {
  test("get what is granted to their uid, whatever root or the daemon may", async () => {
    await using bench = await openBench();
    bench.hold("alices", [{ user: ALICE }], "sk-canary-alice");
    bench.hold("nobodys", [{ user: "nobody" }], "sk-canary-nobody");
    bench.hold("shared", [{ user: ALICE }, { user: BOB }], "sk-canary-shared");
    const all = ["alices", "nobodys", "shared"];
    expect((await bench.askAs(ALICE, ...all)).body.values).toEqual({ alices: "sk-canary-alice", shared: "sk-canary-shared" });
    expect((await bench.askAs(BOB, ...all)).body.values).toEqual({ shared: "sk-canary-shared" });
    expect((await bench.askAs(65534, ...all)).body.values).toEqual({ nobodys: "sk-canary-nobody" });
    expect((await bench.ask(...all)).body, "root").toMatchObject({ values: {}, errors: { shared: NOT_MINE } });
    const stranger = await bench.askAs(4444, ...all, "unknown");
    expect(stranger.body.values).toEqual({});
    expect(new Set(Object.values(stranger.body.errors).map((error) => JSON.stringify(error))).size, "all alike").toBe(1);
  });
});
