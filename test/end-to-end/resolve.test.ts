import { chmod, chown, rename, rm, symlink } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startLoad } from "../support/load.ts";
import { GATEWAY_TOKEN } from "../support/openclaw.ts";
import { liveKeys } from "./real-host.ts";
import { ResolveHost } from "./resolve-host.ts";

describe("real OpenClaw that reads AWS Secrets Manager through rotatectl resolve", { timeout: 480_000 }, () => {
  let real: ResolveHost;
  beforeAll(async () => {
    real = await ResolveHost.start();
  }, 240_000);
  afterAll(async () => {
    await real?.stop();
  }, 60_000);

  const load = () => startLoad({ http: real.gateway.http, token: GATEWAY_TOKEN, clients: 2, pauseMs: 1500 });

  test("the pre-flight has nothing against it", async () => {
    const { checked } = await real.host.client.call("check", {});
    expect(checked.flatMap(({ findings }) => findings)).toEqual([]);
  });

  test("one key goes through all five steps under load, and no request fails", async () => {
    const users = load();
    const before = real.vendor.key;
    const rotation = await real.host.settled(await real.rotate(), 420_000);
    await users.stop();
    expect(rotation.outcome, JSON.stringify(rotation)).toBe("done");
    expect(users.failures).toEqual([]);
    expect(users.served).toBeGreaterThan(5);

    const { events } = await real.host.client.call("history", { name: "main", limit: 200 });
    const at = (code: string) => events.find((event) => event.code === code)?.at ?? 0;
    expect(events.find(({ code }) => code === "consumerProven")?.detail).toMatchObject({ consumer: "gateway", grade: "value" });
    expect(before.deletedAt).not.toBeNull();
    expect(before.refusals.filter((time) => time > at("keyRevoked") - 50).length, "the old key was seen refused").toBeGreaterThanOrEqual(3);
    expect(liveKeys(real.vendor).map(({ id }) => id)).toEqual([rotation.target]);
    expect(await real.stored()).toEqual({ openai: { apiKey: liveKeys(real.vendor)[0]?.secret }, note: "not ours" });
  });

  test("SIGKILL of the daemon before the reload: the gateway goes on with the value that it has, and then gets the new one", async () => {
    const users = load();
    const key = crypto.randomUUID();
    const serving = (await real.host.show("main")).current?.vendorId;
    const id = await real.rotate({ key });
    for (const until = Date.now() + 120_000; ; await sleep(5)) {
      const { open } = await real.host.show("main");
      if (open?.step === "promote") break;
      if (open === null || Date.now() > until) throw new Error(`never at promote\n${real.host.tail()}`);
    }
    await real.host.end("SIGKILL");

    // While nobody answers, somebody reloads the gateway: it must keep what it has.
    const served = users.served;
    const old = real.vendor.vendor.everyKey().find(({ id: keyId }) => keyId === serving);
    expect(await real.reloadGateway()).toEqual({ degraded: expect.stringContaining("(stale): secret provider failed"), key: old?.secret });
    await expect.poll(() => users.served, { timeout: 120_000 }).toBeGreaterThan(served + 4);
    expect(users.failures).toEqual([]);

    await real.host.start();
    expect(await real.rotate({ key }), "the same request finds the same rotation").toBe(id);
    const rotation = await real.host.settled(id, 420_000);
    await users.stop();
    expect(rotation.outcome, JSON.stringify(rotation)).toBe("done");
    expect(rotation.plan, "a gateway that could not read was no reason to turn round").toBe("routine");
    expect(users.failures).toEqual([]);
    expect(liveKeys(real.vendor).map(({ id: keyId }) => keyId)).toEqual([rotation.target]);
  });

  const root = process.getuid?.() === 0;
  const wrong: Readonly<Record<string, (wrapper: string) => Promise<void>>> = {
    "a link in its place": async (wrapper) => {
      await rename(wrapper, `${wrapper}.real`);
      await symlink(`${wrapper}.real`, wrapper);
    },
    "a mode that lets others write it": (wrapper) => chmod(wrapper, 0o770),
    ...(root && { "another owner": (wrapper: string) => chown(wrapper, 4242, 4242) }),
  };
  test.each(Object.entries(wrong))(
    "the real gateway refuses the wrapper with %s, as the double does, and keeps the value",
    async (_, spoil) => {
      const { secret } = liveKeys(real.vendor)[0] ?? {};
      await spoil(real.wrapper);
      expect(await real.reloadGateway()).toEqual({ degraded: expect.stringContaining("(stale): secret provider failed"), key: secret });
      await rm(real.wrapper);
      await real.installWrapper();
      expect(await real.reloadGateway()).toEqual({ degraded: undefined, key: secret });
    },
  );

  test("no secret is in the log, nor in what the gateway printed", () => {
    for (const { secret } of real.vendor.vendor.everyKey()) {
      expect(real.host.log).not.toContain(secret);
      expect(real.gateway.output.join("")).not.toContain(secret);
    }
    expect(real.host.log).toContain("secrets asked for");
  });
});
