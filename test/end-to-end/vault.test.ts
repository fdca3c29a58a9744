import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startLoad } from "../support/load.ts";
import { GATEWAY_TOKEN } from "../support/openclaw.ts";
import { randomFrom } from "../support/random.ts";
import { VaultHost } from "./vault-host.ts";

/** Give ROTATED_SEED to have the same moments again. */
const SEED = Number(process.env["ROTATED_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const KILLS = 10;
/** A rotation lasts some 20 s here, most of which it waits for older runs. */
const LONGEST_LIFE_MS = 2500;

describe("real OpenClaw, real any-llm gateway, key in real OpenBao", { timeout: 300_000 }, () => {
  let real: VaultHost;
  beforeAll(async () => {
    real = await VaultHost.start();
  }, 240_000);
  afterAll(async () => {
    await real?.stop();
  }, 60_000);

  const load = () => startLoad({ http: real.gateway.http, token: GATEWAY_TOKEN, clients: 3, pauseMs: 1500 });

  test("one key goes through all five steps under load, and no request fails", async () => {
    const users = load();
    const [before] = await real.keys();
    const rotation = await real.host.settled(await real.rotate(), 240_000);
    await users.stop();
    expect(rotation.outcome, JSON.stringify(rotation)).toBe("done");
    expect(users.failures).toEqual([]);
    expect(users.served).toBeGreaterThan(5);
    expect(await real.keys()).toEqual([rotation.target]);
    expect(rotation.target).not.toBe(before);
    expect(await real.stored()).toMatchObject({ note: "not ours" });
    expect(await real.kept(), "the dead version has left the keep").toHaveLength(1);
  });

  test(`killed at ten random moments (seed ${SEED}), and nothing is lost`, async () => {
    const random = randomFrom(SEED);
    const users = load();
    const request = crypto.randomUUID();
    const id = await real.rotate({ key: request });
    let kills = 0;
    for (; kills < KILLS; kills += 1) {
      await sleep(random() * LONGEST_LIFE_MS);
      await real.host.end("SIGKILL");
      await real.host.start();
      // Where it has ended between two kills, the rest of them meet the next one.
      const { open } = await real.host.show("main");
      if (open === null) await real.rotate();
    }
    expect(await real.rotate({ key: request }), "the same request finds the same rotation").toBe(id);
    const { open, last } = await real.host.show("main");
    const rotation = await real.host.settled(open?.id ?? last?.rotation ?? id, 240_000);
    await users.stop();
    expect(kills).toBe(KILLS);
    expect(rotation.outcome, JSON.stringify(rotation)).toBe("done");
    expect(users.failures).toEqual([]);
    expect(await real.keys()).toEqual([rotation.target]);
    expect(await real.kept()).toHaveLength(1);
    expect(await real.stored()).toMatchObject({ note: "not ours" });
    const written = real.host.log + JSON.stringify(await real.host.client.call("history", { name: "main", limit: 1000 }));
    expect(written).not.toContain(String((await real.stored())["apiKey"]));
  });
});
