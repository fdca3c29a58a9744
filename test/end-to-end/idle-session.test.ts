import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { FAKE_VENDORS } from "../fakes/index.ts";
import { PlugHost } from "../kill/plug-host.ts";
import { openVaultPlace } from "./trouble/vault.ts";

/** So long that a daemon on a busy machine has started before it is over. */
const LIFE_S = 12;
/** What stands for the month between two rotations: longer than the token lives when nobody renews it. */
const IDLE_MS = 2.2 * LIFE_S * 1000;

test("a token of real OpenBao that nobody else renews outlives the time between two rotations", { timeout: 180_000 }, async () => {
  const [vendor, place] = await Promise.all([FAKE_VENDORS.openai(), openVaultPlace()]);
  const token = await place.newToken({ ttl: `${LIFE_S}s`, period: `${LIFE_S}s` });
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
    await sleep(1.2 * LIFE_S * 1000);
    expect((await place.bao.call("POST", "auth/token/lookup", { token })).status, "nobody else has kept it alive").toBe(403);
  } finally {
    await host.close();
    await vendor.close();
  }
});
