import { afterEach, expect, test, vi } from "vitest";
import { IntakeHost, type IntakeHostOptions } from "../support/intake-host.ts";

let host: IntakeHost;
afterEach(() => host?.stop());
// Whole rotations, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 });

async function start(options: IntakeHostOptions = {}): Promise<IntakeHost> {
  host = await IntakeHost.start(options);
  return host;
}

test("a rotation waits for a person, says what to do, and goes on with the key that is brought", async () => {
  await start({ provider: { serviceAccount: "openclaw", expiresIn: "90d" } });
  const { id } = await host.rotate();
  const waiting = await host.wanted(id);
  const label = waiting.wanted?.label ?? "";
  expect(label).toMatch(/^rotated-/);
  expect(waiting.stuck?.reason).toMatch(/^main waits for a key that a person makes, until 20\d\d-/);
  for (const part of [
    "https://platform.claude.com/settings/keys",
    `call it ${label}`,
    "openclaw",
    host.workspace,
    "90 days",
    "rotatectl intake main",
  ])
    expect(waiting.stuck?.hint).toContain(part);
  expect(waiting.checklist[0]).toMatchObject({ name: "generate", state: "running", text: expect.stringContaining("a person") });
  expect(host.on(), "nothing was changed").toEqual([host.key.id]);

  const made = host.makeKey(label);
  expect((await host.bring(made)).message).toBe(`${made.id} was taken in; the rotation that waited for it goes on`);
  expect((await host.ended(id)).outcome).toBe("done");
  await host.expectQuiet(made);
  expect(made.name, "it has the name that was asked for").toBe(label);
  expect(host.key.state).toBe("archived");
  expect(host.kept(), "dead secrets have left the keep").toHaveLength(1);
});

test("a key in the pool is off until it is drawn, and then nobody is needed", async () => {
  await start();
  host.fake.vendor.lags.onMs = 150;
  const made = host.makeKey();
  await host.until("the vendor accepts it", async () => Date.now() > made.createdAt + 150);
  const { message, key } = await host.bring(made);
  expect(message).toBe(`${made.id} was taken in; it waits in the pool, switched off at the vendor until it is needed`);
  expect(key).toMatchObject({ stage: "pooled", disabledAt: expect.any(Number) });
  expect(made).toMatchObject({ state: "inactive", name: key.label });
  expect(await host.host.show("main")).toMatchObject({ pooled: 1, open: null });

  const { id } = await host.rotate();
  expect((await host.ended(id)).outcome, "the switch-on takes a while, and verify waits for it").toBe("done");
  expect(made.refusals.length, "it was refused at first").toBeGreaterThan(0);
  await host.expectQuiet(made);
  expect(await host.codes()).toEqual(expect.arrayContaining(["keyBrought", "keyDisabled", "keyDrawn", "keyEnabled", "keyVerified"]));
});

test("several keys are used up one after the other, oldest first; then a person is asked", async () => {
  await start();
  const [first, second] = [host.makeKey(), host.makeKey()];
  for (const key of [first, second]) await host.bring(key);
  expect(host.on()).toEqual([host.key.id]);
  expect((await host.ended((await host.rotate()).id)).outcome).toBe("done");
  await host.expectQuiet(first);
  expect(await host.host.show("main")).toMatchObject({ pooled: 1 });
  expect((await host.ended((await host.rotate()).id)).outcome).toBe("done");
  await host.expectQuiet(second);
  await host.wanted((await host.rotate()).id);
});

test("the first key of an empty store is brought by a person", async () => {
  await start({ empty: true });
  host.fake.vendor.setState(host.key, "archived");
  const { id, plan } = await host.rotate();
  expect(plan).toBe("initial");
  await host.wanted(id);
  const made = host.makeKey();
  await host.bring(made);
  expect((await host.ended(id)).outcome).toBe("done");
  await host.expectQuiet(made);
});

test("reminders are told again, and the deadline ends the rotation with nothing changed", async () => {
  await start({ timing: { intake: { remind: "150ms", deadline: "700ms" } } });
  const { id } = await host.rotate();
  const ended = await host.ended(id);
  expect(ended).toMatchObject({ outcome: "failed", wanted: null });
  expect(ended.lastError).toMatchObject({ code: "noKeyBrought", hint: expect.stringContaining("rotatectl intake main") });
  const { events } = await host.host.client.call("history", { name: "main", limit: 1000 });
  const told = events.filter(({ code, detail }) => code === "stuck" && detail["why"] === "keyWanted");
  expect(told.length).toBeGreaterThanOrEqual(3);
  expect(new Set(told.map(({ detail }) => detail["text"])).size, "each is a news of its own").toBe(told.length);
  const alarms = host.host.log.split("\n").filter((line) => line.includes('"level":"error"') && line.includes("waits for a key"));
  expect(alarms).toHaveLength(told.length);
  await host.expectQuiet(host.key);
  expect(host.fake.log.filter(({ method, path }) => method === "POST" && path.includes("/organizations/"))).toEqual([]);

  const made = host.makeKey();
  await host.bring(made);
  expect((await host.ended((await host.rotate()).id)).outcome, "a key that comes too late waits for the next one").toBe("done");
  await host.expectQuiet(made);
});

test("a first key that nobody brings ends the rotation, too", async () => {
  await start({ empty: true, timing: { intake: { remind: "5s", deadline: "200ms" } } });
  expect(await host.ended((await host.rotate()).id)).toMatchObject({ outcome: "failed", lastError: { code: "noKeyBrought" } });
});

test("where the old key is dead there is no giving up", async () => {
  await start({ timing: { intake: { remind: "100ms", deadline: "200ms" } } });
  host.fake.vendor.setState(host.key, "archived");
  const { id } = await host.rotate();
  await host.until("told after the deadline", async () => ((await host.view(id)).wanted?.told ?? 0) > 3);
  expect((await host.view(id)).stuck?.reason).toContain("no key serves meanwhile");
  const made = host.makeKey();
  await host.bring(made);
  expect((await host.ended(id)).outcome).toBe("done");
  await host.expectQuiet(made);
});

test("a cancelled wait changes nothing, and a key that was drawn goes back into the pool", async () => {
  await start();
  const { id } = await host.rotate();
  await host.wanted(id);
  await host.host.client.call("cancel", { name: "main" });
  expect((await host.ended(id)).outcome).toBe("cancelled");
  await host.expectQuiet(host.key);

  const made = host.makeKey();
  await host.bring(made);
  host.fake.vendor.lags.onMs = 60_000;
  const { id: second } = await host.rotate();
  await host.until("it is at verify", async () => (await host.view(second)).step === "verify");
  await host.host.client.call("cancel", { name: "main" });
  expect((await host.ended(second)).outcome).toBe("cancelled");
  await host.until("it is off again", () => made.state === "inactive");
  expect(await host.host.show("main")).toMatchObject({ pooled: 1 });
  host.fake.vendor.lags.onMs = 0;
  expect((await host.ended((await host.rotate()).id)).outcome).toBe("done");
  await host.expectQuiet(made);
});

test("keys of the pool that died while they waited are passed over", async () => {
  await start();
  const names = ["archived", "expired", "switched off by hand", "good"] as const;
  const [archived, expired, off, good] = names.map((name) => host.makeKey(name));
  for (const key of [archived, expired, off, good]) if (key !== undefined) await host.bring(key);
  if (archived === undefined || off === undefined || good === undefined || expired === undefined) throw new Error("no keys");
  host.fake.vendor.setState(archived, "archived");
  Object.assign(expired, { expiresAt: Date.now() });
  // As if it had never been switched off by us.
  await host.host.end();
  host.ledger((db) => db.prepare("update keys set disabled_at = null where vendor_id = ?").run(off.id));
  await host.host.start();

  const { id } = await host.rotate();
  expect((await host.ended(id)).outcome).toBe("done");
  await host.expectQuiet(good);
  const { events } = await host.host.client.call("history", { name: "main", limit: 1000 });
  const unfit = events.filter(({ code }) => code === "keyUnfit").map(({ detail }) => detail["keyId"]);
  expect(unfit.toReversed()).toEqual([archived.id, expired.id, off.id]);
  const { keys } = await host.host.show("main");
  expect(keys.filter(({ stage }) => stage !== "current" && stage !== "dead")).toEqual([]);
});

test("a key that is archived right after it was drawn makes room for the next one", async () => {
  await start();
  const [first, second] = [host.makeKey(), host.makeKey()];
  for (const key of [first, second]) await host.bring(key);
  host.fake.onRequest = ({ method, path }, phase) => {
    if (phase === "before" && method === "GET" && path.endsWith(first.id)) first.state = "archived";
  };
  expect((await host.ended((await host.rotate()).id)).outcome).toBe("done");
  await host.expectQuiet(second);
});

test("a switch-on whose reply is lost is done again, once it can no longer take effect", async () => {
  await start({ timing: { callTimeout: "600ms" } });
  const made = host.makeKey();
  await host.bring(made);
  host.fake.faults.add({ method: "POST", path: made.id, fault: { do: "loseReply" }, times: 1 });
  expect((await host.ended((await host.rotate()).id)).outcome).toBe("done");
  await host.expectQuiet(made);
  const switched = host.fake.log.filter(({ method, body }) => method === "POST" && (body as { status?: string })?.status === "active");
  expect(switched).toHaveLength(2);
});

test.each([
  ["its reply is lost", { do: "loseReply" }],
  ["the vendor is down", { do: "reply", status: 503 }],
  ["the vendor has a limit", { do: "rateLimit" }],
] as const)("a switch-off is made up for when %s", async (_, fault) => {
  await start({ timing: { callTimeout: "300ms" } });
  const made = host.makeKey();
  host.fake.faults.add({ method: "POST", path: made.id, fault, times: 2 });
  expect((await host.bring(made)).message).toContain("waits in the pool");
  await host.until("it is off", () => made.state === "inactive");
  await host.until("the ledger knows", async () => (await host.codes()).includes("keyDisabled") || fault.do === "loseReply");
  const { keys } = await host.host.show("main");
  expect(keys.find(({ vendorId }) => vendorId === made.id)).toMatchObject({ stage: "pooled", disabledAt: expect.any(Number) });
});

test("at the limit of active keys a person is told, and the rotation goes on when there is room", async () => {
  await start();
  const made = host.makeKey();
  await host.bring(made);
  host.fake.vendor.rules.mostActive = 1;
  const { id } = await host.rotate();
  await host.until("it is stuck", async () => (await host.view(id)).stuck !== null);
  expect((await host.view(id)).stuck).toMatchObject({
    reason: expect.stringContaining("as many active keys"),
    hint: expect.stringContaining("archive"),
  });
  host.fake.vendor.rules.mostActive = null;
  await host.host.client.call("retry", { name: "main" });
  expect((await host.ended(id)).outcome).toBe("done");
  await host.expectQuiet(made);
});
