import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { FAKE_VENDORS } from "../fakes/index.ts";
import { PlugHost } from "../kill/plug-host.ts";
import { openVaultPlace } from "./trouble/vault.ts";

/** What stands for the month between two rotations: many times the life of a token that nobody renews. */
const IDLE_MS = 7000;

test("a token of real OpenBao that lives for two seconds outlives the time between two rotations", { timeout: 120_000 }, async () => {
  const [vendor, place] = await Promise.all([FAKE_VENDORS.openai(), openVaultPlace()]);
  const token = await place.newToken({ ttl: "2s", period: "2s" });
  const host = await PlugHost.make({
    provider: "openai",
    vendor,
    watched: [],
    store: async (made) => {
      const opened = await place.open(made);
      made.write("short-token", token);
      return { ...opened, settings: { ...opened.settings, auth: { token: { file: made.path("short-token") } } } };
    },
  });
  try {
    await host.open(undefined);
    await sleep(IDLE_MS);
    expect((await place.bao.call("POST", "auth/token/lookup", { token })).status, "the token lives").toBe(200);
    await host.rotate();
    expect((await host.ended()).outcome).toBe("done");
    await host.host.end();
    await sleep(IDLE_MS / 2);
    expect((await place.bao.call("POST", "auth/token/lookup", { token })).status, "nobody else has kept it alive").toBe(403);
  } finally {
    await host.close();
    await vendor.close();
  }
});
