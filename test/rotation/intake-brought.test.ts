import { rmSync } from "node:fs";
import { afterEach, expect, test, vi } from "vitest";
import { IntakeHost, type IntakeHostOptions } from "../support/intake-host.ts";
import { rotatectl } from "../support/rotatectl.ts";

let host: IntakeHost;
afterEach(() => host?.stop());
// Whole rotations, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 });

async function start(options: IntakeHostOptions = {}): Promise<IntakeHost> {
  host = await IntakeHost.start(options);
  return host;
}

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
  await host.expectQuiet(made);
  await expect(host.bring(host.key)).rejects.toMatchObject({ code: "conflict", message: expect.stringContaining("dead") });
});

test("a key whose secret did not arrive is neither drawn nor thrown away, until it is brought again", async () => {
  await start();
  const { id } = await host.rotate();
  await host.wanted(id);
  const made = host.makeKey();
  await host.bring(made);
  await host.ended(id);
  const next = host.makeKey();
  await host.bring(next);
  // As if the daemon had died between the row and the secret, and nobody had brought it again.
  for (const name of host.kept().filter((kept) => kept.includes(next.name))) rmSync(host.host.path(name));
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
  await expect(host.bring({ secret: "sk-ant-api03-canary-whatever" })).rejects.toMatchObject({ message: "main was retired" });
  await host.host.client.call("adopt", { name: "main" });
  expect((await host.ended((await host.rotate()).id)).outcome, "back under management, the pool is of use").toBe("done");
  await host.expectQuiet(made);
});

test("a key of the pool that a person switched on and adopted is on: a rotation that replaces it can be cancelled", async () => {
  await start();
  const made = host.makeKey();
  await host.bring(made);
  expect(made.state).toBe("inactive");
  Object.assign(made, { state: "active" });
  host.host.write("secret", made.secret);
  expect(await host.host.client.call("adopt", { name: "main" })).toMatchObject({ key: { vendorId: made.id, disabledAt: null } });
  const { id } = await host.rotate();
  await host.wanted(id);
  await host.host.client.call("cancel", { name: "main" });
  expect((await host.ended(id)).outcome).toBe("cancelled");
});

test("a credential that is retired while a key is being looked at takes it no more", async () => {
  await start();
  const made = host.makeKey();
  host.fake.faults.add({ method: "GET", path: "/", times: 1, fault: { do: "delay", ms: 700 } });
  const brought = host.bring(made);
  const refused = expect(brought).rejects.toMatchObject({ code: "conflict", message: "main was retired" });
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect((await host.host.client.call("retire", { name: "main" })).pooled).toEqual([]);
  await refused;
  expect(host.kept(), "the adopted one only").toHaveLength(1);
});

test("status, show, plan and --wait tell of the pool and of the wait", async () => {
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
  const rotates = () => host.host.log.split("\n").filter((line) => line.includes('"path":"/v1/rotate"')).length;
  await host.until("its answer, which tells of the wait, is out", () => rotates() === 2);
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
