import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { openclaw } from "../../adapters/consumers/openclaw/index.ts";
import { openclawToken } from "../../providers/openclaw-token.ts";
import { Secret } from "../../src/contract/secret.ts";
import { briefWorld, thrown } from "../adapters/openclaw-world.ts";
import { type FakeGatewayOptions, startFakeGateway } from "../fakes/gateway.ts";
import { GATEWAY_TOKEN } from "../support/openclaw.ts";
import { tokenJson } from "../support/token-host.ts";

const { signal } = new AbortController();
const wrong = new Secret("canary-a-wrong-token-0001");
const right = new Secret(GATEWAY_TOKEN);

/** A gateway whose own token stands in a file, the provider of it, and the consumer. Ends with the test. */
async function stage(
  options: FakeGatewayOptions & { url?: (url: string) => string; paired?: boolean; alsoRemote?: boolean; also?: readonly string[] } = {},
) {
  const directory = await mkdtemp(join(tmpdir(), "rotated-own-token-"));
  const path = join(directory, "token");
  const world = await briefWorld({ secrets: { gateway: GATEWAY_TOKEN } });
  const write = (token: Secret) => world.files.replace(path, token.reveal());
  await write(right);
  const file = tokenJson("file", path);
  const remote = options.alsoRemote === true ? { remote: { url: "ws://127.0.0.1:9", token: file.gateway.auth.token } } : {};
  const gateway = await startFakeGateway({ ...file, gateway: { ...file.gateway, ...remote } }, options);
  onTestFinished(async () => {
    await gateway.close();
    await rm(directory, { recursive: true });
  });
  const { url = (same) => same, paired = true } = options;
  const settings = openclaw.settings.parse({ url: gateway.url, token: { credential: "gateway" } });
  const use = openclaw.use.parse({ path: "gateway.auth.token", also: options.also });
  const consumer = openclaw.connect(settings, use, { credential: "token", consumer: "gateway" }, world);
  if (paired) await consumer.pair?.(signal);
  const provider = openclawToken.connect(openclawToken.settings.parse({ consumer: "gateway" }), world, {
    name: "gateway",
    settings: { ...settings, url: url(gateway.url) },
  });
  return { gateway, provider, consumer, write, world };
}

describe("a gateway's own token", () => {
  it("is 32 random bytes that fit into any header and file", () => {
    const make = () => openclawToken.makeSecret?.((bytes) => crypto.getRandomValues(new Uint8Array(bytes))).reveal() ?? "";
    expect(make()).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(make()).not.toBe(make());
  });

  it("has an id that tells nothing to who has no seed, not even of a weak one", async () => {
    const [first, second] = [await stage(), await stage()];
    const weak = new Secret("canary-weak");
    const ids = await Promise.all(
      [first, second].map(async ({ provider }) => (await provider.create({ label: "x", secret: weak }, signal)).id),
    );
    expect(ids[0]).toMatch(/^token_[0-9a-f]{12}$/);
    expect(ids[0]).not.toBe(ids[1]);
  });

  it("is not asked about before rotated is paired, but can be tried", async () => {
    const { provider } = await stage({ paired: false });
    expect(await thrown(provider.list(signal))).toMatchObject({ code: "misconfigured", hint: "rotatectl pair gateway" });
    expect(await provider.verify(right, signal)).toBe("accepted");
  });

  it("is tried without asking for any right, and without disturbing anybody's connection", async () => {
    const { gateway, provider } = await stage();
    const asked: string[] = [];
    gateway.onRequest = (name) => void asked.push(name);
    expect(await provider.verify(right, signal)).toBe("accepted");
    expect(asked).toEqual([]);
  });

  it("makes the gateway's answers to wrong ones come later and later, until a right one resets that", async () => {
    const { gateway, provider } = await stage();
    const took = async (token: Secret) => {
      const from = performance.now();
      await provider.verify(token, signal);
      return performance.now() - from;
    };
    expect(await took(wrong)).toBeGreaterThanOrEqual(245);
    expect(await took(wrong)).toBeGreaterThanOrEqual(495);
    expect(gateway.attempts.failed()).toBe(2);
    expect(await took(right)).toBeLessThan(245);
    expect(gateway.attempts.failed()).toBe(0);
  });

  it("is dead after one refusal from another address, where ten lock us out; from loopback the usual number is asked", async () => {
    expect((await stage()).provider.refusalsToDead).toBeUndefined();
    expect((await stage({ url: (url) => url.replace("127.0.0.1", "10.0.0.1") })).provider.refusalsToDead).toBe(1);
    const { provider } = await stage({ remote: true, paired: false });
    for (let n = 0; n < 10; n++) expect(await provider.verify(wrong, signal)).toBe("refused");
    const error = await thrown(provider.verify(right, signal));
    expect(error).toMatchObject({ code: "rateLimited", message: expect.not.stringContaining("canary") });
    expect((error as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(200_000);
  });

  it("takes no outage for a refusal", async () => {
    const { gateway, provider } = await stage();
    gateway.knobs.starting = true;
    expect(await thrown(provider.verify(right, signal))).toMatchObject({ code: "unavailable", retry: true });
    gateway.knobs.starting = false;
    await gateway.down();
    const calls = [
      () => provider.verify(right, signal),
      () => provider.list(signal),
      () => provider.identify(right, signal),
      () => provider.revoke("any", signal),
    ];
    for (const call of calls) {
      expect(await thrown(call())).toMatchObject({ code: "unreachable", retry: true });
    }
  });
});

describe("the gateway as the consumer of its own token", () => {
  it("finds nothing wrong where a reload would do, and proves by being let in", async () => {
    const { consumer } = await stage();
    expect(await consumer.preflight(right, signal)).toEqual([]);
    expect(await consumer.prove(right, signal)).toEqual({ result: "proven", grade: "value", detail: { connected: true } });
    expect((await consumer.prove(wrong, signal)).result).toBe("contradicted");
    expect(consumer.busySince).toBeUndefined();
  });

  it("loads a new one over our own connection, which stays", async () => {
    const { consumer, gateway, write, provider } = await stage();
    await write(wrong);
    expect(await consumer.reload(wrong, signal)).toEqual({ holds: "expected" });
    expect(gateway.token()).toBe(wrong.reveal());
    expect(await provider.verify(right, signal)).toBe("refused");
    expect(await consumer.prove(wrong, signal)).toMatchObject({ result: "proven" });
  });

  it("keeps the old one while the file cannot be read, and says why", async () => {
    const { consumer, gateway, write } = await stage();
    await write(new Secret(""));
    expect(await consumer.reload(wrong, signal)).toMatchObject({ holds: "stale", cause: expect.stringContaining("gateway.auth.token") });
    expect(gateway.token()).toBe(GATEWAY_TOKEN);
  });

  it("finds another token in the gateway than in the store, without trying it", async () => {
    const { consumer, gateway } = await stage();
    expect(await consumer.preflight(wrong, signal)).toMatchObject([{ code: "otherValue" }]);
    expect(gateway.attempts.failed()).toBe(0);
  });

  it("finds a further reference to the same token, unless it is known to follow", async () => {
    const remote = "gateway.remote.token";
    const found = await (await stage({ alsoRemote: true })).consumer.preflight(right, signal);
    expect(found).toMatchObject([
      {
        code: "otherReference",
        message: expect.stringContaining(remote),
        cure: `let it refer to the same place and list it: also: [${remote}]`,
      },
    ]);
    expect(await (await stage({ alsoRemote: true, also: [remote] })).consumer.preflight(right, signal)).toEqual([]);
  });
});
