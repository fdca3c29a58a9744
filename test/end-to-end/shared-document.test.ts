import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Load, startLoad } from "../support/load.ts";
import { GATEWAY_TOKEN } from "../support/openclaw.ts";
import { chatsSince, liveKeys } from "./real-host.ts";
import { AGENTS, SharedHost } from "./shared-host.ts";

// Two real gateways take up to a minute to start on a busy machine, and each first request through one some seconds more.
describe("two real OpenClaw gateways under load", { timeout: 600_000 }, () => {
  let real: SharedHost;
  let users: readonly Load[];
  beforeAll(async () => {
    real = await SharedHost.start();
    const agents = [Object.values(AGENTS), ["main"]];
    users = real.gateways.map(({ http }, index) =>
      startLoad({ http, token: GATEWAY_TOKEN, agents: agents[index] ?? [], clients: 2 - index, pauseMs: 2000 }),
    );
  }, 240_000);
  afterAll(async () => {
    await Promise.all((users ?? []).map((load) => load.stop()));
    await real?.stop();
  }, 60_000);

  test("two keys in one JSON file are rotated at the same time, and neither brings the other's old value back", async () => {
    const ids = await Promise.all([real.rotate({ name: "main" }), real.rotate({ name: "second" })]);
    const [main, second] = await Promise.all(ids.map((id) => real.host.settled(id, 560_000)));
    expect([main?.outcome, second?.outcome], JSON.stringify([main, second])).toEqual(["done", "done"]);
    expect(users.map(({ failures }) => failures)).toEqual([[], []]);
    for (const { served } of users) expect(served).toBeGreaterThan(5);

    const live = [real.vendors.main, real.vendors.second].map((vendor) => liveKeys(vendor).map(({ id }) => id));
    expect(live).toEqual([[main?.target], [second?.target]]);
    for (const [name, provider] of [
      ["main", "openai"],
      ["second", "acme"],
    ] as const)
      expect(real.vendors[name].vendor.accepted(real.stored("first", provider)), name).toBeDefined();
    expect(real.stored("other", "openai"), "the copy").toBe(real.stored("first", "openai"));
    expect(JSON.parse(real.host.read("first/secrets.json"))).toMatchObject({ note: "not ours" });
  });

  test("one key of two gateways: both are seen on the new one before the old one dies", async () => {
    const vendor = real.vendors.main;
    const old = liveKeys(vendor)[0]?.id;
    let asked: { readonly at: number; readonly answers: readonly number[] } | undefined;
    // Right before the old key dies, each gateway serves one more request.
    vendor.onRequest = async ({ method, path }, phase) => {
      if (method !== "DELETE" || phase !== "before" || !path.endsWith(`${old}`)) return;
      vendor.onRequest = undefined;
      const at = Date.now();
      const answers = await Promise.all(real.gateways.map(({ http }) => chat(http)));
      asked = { at, answers };
    };
    const rotation = await real.host.settled(await real.rotate({ name: "main" }), 560_000);
    expect(rotation.outcome, JSON.stringify(rotation)).toBe("done");
    expect(users.map(({ failures }) => failures)).toEqual([[], []]);

    expect(asked?.answers).toEqual([200, 200]);
    const after = chatsSince(real.vendors.main, asked?.at ?? 0);
    expect(after.length).toBeGreaterThanOrEqual(2);
    expect(new Set(after)).toEqual(new Set([rotation.target]));
    const { events } = await real.host.client.call("history", { name: "main", limit: 200 });
    const ours = events.filter(({ rotation: id }) => id === rotation.id);
    const proven = ours.filter(({ code }) => code === "consumerProven");
    expect(new Set(proven.map(({ detail }) => `${detail["consumer"]}: ${detail["grade"]}`))).toEqual(
      new Set(["first: value", "other: value"]),
    );
    const revokedAt = ours.find(({ code }) => code === "keyRevoked")?.at ?? 0;
    expect(proven.filter(({ at }) => at < revokedAt).length).toBeGreaterThanOrEqual(2);
  });
});

/** One request of a user; the status of the answer. */
async function chat(http: string): Promise<number> {
  const { status } = await fetch(`${http}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${GATEWAY_TOKEN}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "openclaw/main", messages: [{ role: "user", content: "ping" }] }),
  });
  return status;
}
