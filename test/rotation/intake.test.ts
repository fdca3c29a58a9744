import { afterEach, expect, test } from "vitest";
import { IntakeHost, type IntakeHostOptions } from "../support/intake-host.ts";
import { rotatectl } from "../support/rotatectl.ts";

let host: IntakeHost;
afterEach(() => host.stop());

async function start(options: IntakeHostOptions = {}): Promise<IntakeHost> {
  host = await IntakeHost.start(options);
  return host;
}

async function expectQuiet(serves: { readonly id: string; readonly secret: string }): Promise<void> {
  const shown = await host.host.show("main");
  expect(shown.current?.vendorId).toBe(serves.id);
  expect(host.stored()).toBe(serves.secret);
  expect(await host.serves(), "the consumer is served").toBe(true);
  expect(host.on(), "one key is on at the vendor").toEqual([serves.id]);
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
  await expectQuiet(made);
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
  await expectQuiet(made);
  expect(await host.codes()).toEqual(expect.arrayContaining(["keyBrought", "keyDisabled", "keyDrawn", "keyEnabled", "keyVerified"]));
});

test("several keys are used up one after the other, oldest first; then a person is asked", async () => {
  await start();
  const [first, second] = [host.makeKey(), host.makeKey()];
  for (const key of [first, second]) await host.bring(key);
  expect(host.on()).toEqual([host.key.id]);
  expect((await host.ended((await host.rotate()).id)).outcome).toBe("done");
  await expectQuiet(first);
  expect(await host.host.show("main")).toMatchObject({ pooled: 1 });
  expect((await host.ended((await host.rotate()).id)).outcome).toBe("done");
  await expectQuiet(second);
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
  await expectQuiet(made);
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
  await expectQuiet(host.key);
  expect(host.fake.log.filter(({ method, path }) => method === "POST" && path.includes("/organizations/"))).toEqual([]);

  const made = host.makeKey();
  await host.bring(made);
  expect((await host.ended((await host.rotate()).id)).outcome, "a key that comes too late waits for the next one").toBe("done");
  await expectQuiet(made);
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
  await expectQuiet(made);
});

test("a cancelled wait changes nothing, and a key that was drawn goes back into the pool", async () => {
  await start();
  const { id } = await host.rotate();
  await host.wanted(id);
  await host.host.client.call("cancel", { name: "main" });
  expect((await host.ended(id)).outcome).toBe("cancelled");
  await expectQuiet(host.key);

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
  await expectQuiet(made);
});

test("keys of the pool that died while they waited are passed over", async () => {
  await start();
  const names = ["archived", "expired", "switched off by hand", "good"] as const;
  const soon = Date.now() + 1500;
  const [archived, expired, off, good] = names.map((name) => host.makeKey(name, name === "expired" ? { expiresAt: soon } : {}));
  for (const key of [archived, expired, off, good]) if (key !== undefined) await host.bring(key);
  if (archived === undefined || off === undefined || good === undefined || expired === undefined) throw new Error("no keys");
  host.fake.vendor.setState(archived, "archived");
  // As if it had never been switched off by us.
  await host.host.end();
  host.ledger((db) => db.prepare("update keys set disabled_at = null where vendor_id = ?").run(off.id));
  await host.host.start();
  await host.until("one has expired", () => Date.now() > soon);

  const { id } = await host.rotate();
  expect((await host.ended(id)).outcome).toBe("done");
  await expectQuiet(good);
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
  await expectQuiet(second);
});

test("a switch-on whose reply is lost is done again, once it can no longer take effect", async () => {
  await start({ timing: { callTimeout: "600ms" } });
  const made = host.makeKey();
  await host.bring(made);
  host.fake.faults.add({ method: "POST", path: made.id, fault: { do: "loseReply" }, times: 1 });
  expect((await host.ended((await host.rotate()).id)).outcome).toBe("done");
  await expectQuiet(made);
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
  await expectQuiet(made);
});

test("what is no key of ours is refused, and leaves nothing behind", async () => {
  await start({ other: true });
  const brought = async (secret: string, more: Parameters<IntakeHost["bring"]>[1] = {}) =>
    host.bring({ secret }, more).then(
      ({ message }) => message,
      (error: Error) => error.message,
    );
  const [stranger, dead, taken] = [
    host.makeKey("elsewhere", { workspace: null }),
    host.makeKey("dead", { state: "archived" }),
    host.makeKey(),
  ];
  expect(await brought("sk-proj-canary-0123456789")).toContain("does not look like a key");
  expect(await brought(`${host.makeKey().secret} and more`)).toContain("without spaces");
  expect(await brought(host.fake.admin.secret)).toContain("does not look like a key");
  expect(await brought(dead.secret)).toContain("the vendor refuses this key");
  expect(await brought(stranger.secret), "of another workspace").toContain("does not tell which one it is");
  expect(await brought(stranger.secret, { keyId: stranger.id })).toContain("lists no key");
  expect(await brought(taken.secret, { keyId: host.key.id })).toContain(`the secret of ${taken.id}, not of`);
  expect(await brought(host.key.secret), "the key that serves").toContain("it is the key that serves");
  expect(await brought(host.key.secret, { name: "other" })).toContain("is known already: it is current at main");
  expect(await brought(taken.secret, { name: "other" })).toContain("was taken in");
  expect(await brought(taken.secret)).toContain("is known already: it is pooled at other");
  expect(await host.host.show("main")).toMatchObject({ pooled: 0, keys: [{ vendorId: host.key.id }] });
  expect(host.kept()).toHaveLength(1);
});

test("the same key may be brought again, also by two at once, and when it serves already", async () => {
  await start();
  const made = host.makeKey();
  const replies = await Promise.all([host.bring(made), host.bring(made)]);
  expect(replies.map(({ key }) => key.vendorId)).toEqual([made.id, made.id]);
  expect((await host.bring(made)).message).toContain("waits in the pool");
  expect(await host.host.show("main")).toMatchObject({ pooled: 1, keys: [{ vendorId: made.id }, { vendorId: host.key.id }] });
  await host.ended((await host.rotate()).id);
  expect((await host.bring(made)).message).toBe(`${made.id} was taken in; it is the key that serves`);
  await expectQuiet(made);
  await expect(host.bring(host.key)).rejects.toMatchObject({ code: "conflict", message: expect.stringContaining("dead") });
});

test("a key whose secret did not arrive is neither drawn nor thrown away, until it is brought again", async () => {
  await start();
  const { id } = await host.rotate();
  await host.wanted(id);
  const made = host.makeKey();
  // The disk of the store fails between the row and the secret.
  await host.bring(made);
  await host.ended(id);
  const next = host.makeKey();
  await host.bring(next);
  for (const name of host.kept().filter((kept) => kept.includes(next.name)))
    await import("node:fs").then(({ rmSync }) => rmSync(host.host.path(name)));
  const { id: second } = await host.rotate();
  const waiting = await host.wanted(second);
  expect(waiting.stuck?.hint).toContain(`${next.id} is in the pool without its secret: bring it once more`);
  expect(next.state).toBe("inactive");
});

test("a credential that is retired says what becomes of its pool", async () => {
  await start();
  const made = host.makeKey();
  await host.bring(made);
  const { message, pooled } = await host.host.client.call("retire", { name: "main" });
  expect(message).toContain(`its pool (${made.id}) stays as it is`);
  expect(pooled).toMatchObject([{ vendorId: made.id, stage: "pooled" }]);
  expect(made.state).toBe("inactive");
  await expect(host.bring(host.makeKey())).rejects.toMatchObject({ message: "main was retired" });
  await host.host.client.call("adopt", { name: "main" });
  expect((await host.ended((await host.rotate()).id)).outcome, "back under management, the pool is of use").toBe("done");
  await expectQuiet(made);
});

test("status, show, plan and --wait tell of the pool and of the wait", { timeout: 40_000 }, async () => {
  await start();
  const said = async (...argv: string[]) => (await rotatectl(host.host.socket, ...argv)).stdout;
  expect(await said("plan", "main")).toMatch(
    /the pool is empty: it waits up to 14d for a person; make a key at https:.*rotatectl intake main/,
  );
  const { id } = await host.rotate();
  const { wanted } = await host.wanted(id);
  expect(await said("status")).toMatch(/intake: waits for a key that a person makes, gives up in 13 d/);
  expect(await said("show", "main")).toContain(`call it ${wanted?.label}`);

  const watching = rotatectl(host.host.socket, "rotate", "main", "--wait");
  await host.until("somebody watches", () => host.host.log.includes('"operation":"watch"') || host.host.log.includes("/v1/rotations/"));
  const made = host.makeKey();
  await host.bring(made);
  const watched = await watching;
  expect(watched).toMatchObject({ code: 0, stdout: expect.stringContaining("intake done") });
  expect(watched.stderr).toMatch(/… generate {2}waits until .* for a key that a person makes\n {2}· make a key at https:/);
  expect(watched.stderr).toContain("rotatectl intake main");
  expect(watched.stderr.match(/make a key at/g), "it is said once").toHaveLength(1);

  const next = host.makeKey();
  await host.bring(next);
  expect(await said("status")).toMatch(/done .*, 1 in the pool/);
  expect(await said("show", "main")).toMatch(new RegExp(`${next.id} +pooled, off`));
  expect(await said("plan", "main")).toContain(`a person brought ${next.id}, which it takes; none is left in the pool then`);
});

test("no secret of a key that is brought is in the log, the database or the history", async () => {
  await start();
  const { id } = await host.rotate();
  await host.wanted(id);
  for (const bad of ["canary with spaces", `sk-ant-api03-xxx-canary-${"y".repeat(30)}`])
    await host.bring({ secret: bad }).catch(() => undefined);
  await host.bring(host.makeKey());
  await host.bring(host.makeKey());
  await host.ended(id);
  const { events } = await host.host.client.call("history", { name: "main", limit: 1000 });
  expect(JSON.stringify(events)).not.toContain("canary");
  await host.host.end();
  expect(host.host.log).toContain('"level":"debug"');
  expect(host.written().includes("canary")).toBe(false);
});
