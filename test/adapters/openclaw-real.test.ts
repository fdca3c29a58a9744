import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { openclaw } from "../../adapters/consumers/openclaw/index.ts";
import { openGateway } from "../../adapters/openclaw/gateway.ts";
import type { World } from "../../src/contract/world.ts";
import { makeAuthority } from "../support/authority.ts";
import { type ChatVendor, startChatVendor } from "../support/chat-vendor.ts";
import { freePort } from "../support/free-port.ts";
import { startLoad } from "../support/load.ts";
import { GATEWAY_TOKEN, makeRealGateway, openclawJson, type RealGateway } from "../support/openclaw.ts";
import { startTlsFront } from "../support/tls-front.ts";
import { type TestWorld, testWorld } from "../support/world.ts";
import { clock, fresh, old, signal, thrown } from "./openclaw-world.ts";

// What the fake gateway simulates, once more where it comes from. One start of the real gateway for all of it.

const ENVIRONMENT = "sk-canary-real-environment";
const START_LIMIT_MS = 180_000;
const TEST_LIMIT_MS = 180_000;

let directory: string;
let vendor: ChatVendor;
let world: TestWorld;
let gateway: RealGateway;

/** A resolver that reads, then waits as long as a file says, then answers: what a slow vault is. */
const RESOLVER = `#!${process.execPath}
const { readFileSync } = require("node:fs");
const { ids } = JSON.parse(readFileSync(0, "utf8"));
const value = readFileSync("slow-key", "utf8");
setTimeout(() => console.log(JSON.stringify({ protocolVersion: 1, values: { [ids[0]]: value } })), Number(readFileSync("slow-ms", "utf8")));
`;

function consumer(provider: string, settings: { url?: string; admissionWindow?: string } = {}, name = "gateway") {
  const given = openclaw.settings.parse({ url: gateway.url, token: { credential: "gateway" }, ...settings });
  return openclaw.connect(given, openclaw.use.parse({ provider }), { credential: "prod", consumer: name }, world);
}

/** An address of this host that is not loopback: to the gateway we are then somebody from elsewhere. */
const elsewhere = Object.values(networkInterfaces())
  .flat()
  .find((address) => address?.family === "IPv4" && !address.internal)?.address;

const file = (name: string) => join(directory, name);
const hold = (keys: { openai: string; acme: string }) =>
  world.files.replace(file("secrets.json"), JSON.stringify({ openai: { apiKey: keys.openai }, acme: { apiKey: keys.acme } }));

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "rotated-openclaw-"));
  world = await testWorld({
    secrets: { gateway: GATEWAY_TOKEN },
    network: { allowHttp: true },
    overrides: { clock: { ...clock, deadline } },
  });
  vendor = await startChatVendor();
  await writeFile(file("resolver.cjs"), RESOLVER, { mode: 0o700 });
  await writeFile(file("slow-key"), old.reveal(), { mode: 0o600 });
  await writeFile(file("slow-ms"), "0");
  await hold({ openai: old.reveal(), acme: old.reveal() });
  const config = openclawJson({ vendor: vendor.url, secretFile: file("secrets.json"), port: await freePort(), pinned: false });
  const { openai } = config.models.providers;
  if (openai === undefined) throw new Error("no provider");
  config.secrets.providers["slow"] = { source: "exec", command: file("resolver.cjs"), passEnv: ["PATH"], timeoutMs: 10_000 };
  config.models.providers["acme"] = { ...openai, auth: "api-key", apiKey: { source: "file", provider: "keys", id: "/acme/apiKey" } };
  config.models.providers["slow"] = { ...openai, auth: "api-key", apiKey: { source: "exec", provider: "slow", id: "slow/key" } };
  // All addresses of this host: loopback among them.
  config.gateway.bind = "lan";
  config.agents = {
    ownership: "explicit",
    defaults: { model: { primary: "acme/fake-1" } },
    entries: { main: {}, helper: {}, shadowed: { model: "openai/fake-1" }, patient: { model: "slow/fake-1" } },
  };
  gateway = await makeRealGateway(config, directory, { OPENAI_API_KEY: ENVIRONMENT });
  await gateway.start();
  expect(await consumer("acme").pair?.(signal)).toMatchObject({ paired: true });
}, START_LIMIT_MS);

beforeEach(async () => {
  vendor.outage = undefined;
  vendor.delayMs = 0;
  for (const key of [old.reveal(), fresh.reveal(), ENVIRONMENT]) vendor.accepted.add(key);
  await hold({ openai: old.reveal(), acme: old.reveal() });
  await chmod(file("secrets.json"), 0o600);
}, TEST_LIMIT_MS);

afterAll(async () => {
  await gateway?.stop();
  await vendor?.stop();
  await world?.close();
  await rm(directory, { recursive: true, force: true });
}, TEST_LIMIT_MS);

/** Less patient than ours, but more than with the fake. */
function deadline(ms: number): AbortSignal {
  return AbortSignal.timeout(ms > 60_000 ? 30_000 : ms);
}

describe("a real OpenClaw gateway", { timeout: TEST_LIMIT_MS }, () => {
  it("lets a variable of the environment beat the reference; the pre-flight and the proof see it", async () => {
    await consumer("openai").reload(old, signal);
    const found = await consumer("openai").preflight(old, signal);
    expect(found).toContainEqual(
      expect.objectContaining({ code: "environmentCredential", message: expect.stringContaining("OPENAI_API_KEY") }),
    );
    expect(await consumer("openai").prove(old, signal)).toMatchObject({
      result: "contradicted",
      cure: expect.stringContaining('"auth": "api-key"'),
    });
    expect(vendor.seen).toContain(ENVIRONMENT);
  });

  it("keeps the old value of a file that others can read, and says why", async () => {
    await hold({ openai: fresh.reveal(), acme: fresh.reveal() });
    await chmod(file("secrets.json"), 0o640);
    expect(await consumer("acme").reload(fresh, signal)).toMatchObject({ holds: "stale", cause: expect.stringMatching(/stale.*: .+/) });
    expect(await consumer("acme").preflight(old, signal)).toContainEqual(expect.objectContaining({ code: "degraded" }));
    expect(await consumer("acme").prove(fresh, signal)).toMatchObject({ result: "contradicted" });
    await chmod(file("secrets.json"), 0o600);
    expect(await consumer("acme").reload(fresh, signal)).toEqual({ holds: "expected" });
  });

  it("refuses to reload anything while one value is empty; its log says which", async () => {
    await hold({ openai: "", acme: fresh.reveal() });
    const holding = await consumer("acme").reload(fresh, signal);
    expect(holding).toMatchObject({
      holds: "stale",
      cause: expect.stringContaining("models.providers.openai.apiKey resolved to a non-string or empty value"),
    });
  });

  it("answers ok to a reload that joined an older one; ours sees the old value and asks again", async () => {
    await writeFile(file("slow-ms"), "1500");
    const older = consumer("slow").reload(old, signal);
    await sleep(700);
    await world.files.replace(file("slow-key"), fresh.reveal());
    const began = Date.now();
    expect(await consumer("slow").reload(fresh, signal)).toEqual({ holds: "expected" });
    // Not joined, it would have taken one round; joined, the rest of the older one and a round of its own.
    expect(Date.now() - began).toBeGreaterThan(1_600);
    await older;
    await writeFile(file("slow-ms"), "0");
  });

  it("holds a refused key against a good one for a while: that is no refusal of the good one", async () => {
    await world.files.replace(file("slow-key"), old.reveal());
    expect(await consumer("slow").reload(old, signal)).toEqual({ holds: "expected" });
    vendor.accepted.delete(old.reveal());
    const load = startLoad({ http: gateway.http, token: GATEWAY_TOKEN, agents: ["patient"], clients: 1, pauseMs: 50 });
    await expect.poll(() => load.failed, { timeout: 120_000 }).toBeGreaterThan(0);
    await load.stop();
    expect(await consumer("slow").prove(old, signal)).toMatchObject({ result: "refused" });
    await world.files.replace(file("slow-key"), fresh.reveal());
    expect(await consumer("slow").reload(fresh, signal)).toEqual({ holds: "expected" });
    expect(await thrown(consumer("slow").prove(fresh, signal))).toMatchObject({
      code: "inconclusive",
      message: expect.stringContaining("cooldown"),
    });
  });

  it("swaps the key under load without a failed request; the drain waits for the run that began before, and then nobody uses the old key", async () => {
    expect(await consumer("acme").reload(old, signal)).toEqual({ holds: "expected" });
    const load = startLoad({ http: gateway.http, token: GATEWAY_TOKEN, agents: ["main", "helper"], clients: 4 });
    await expect.poll(() => load.served, { timeout: 120_000 }).toBeGreaterThan(4);
    vendor.delayMs = 12_000;
    await hold({ openai: old.reveal(), acme: fresh.reveal() });
    await sleep(1_000);
    expect(await consumer("acme").reload(fresh, signal)).toEqual({ holds: "expected" });
    const reloadedAt = new Date();
    const drain = (earlier?: readonly string[]) => consumer("acme", { admissionWindow: "10s" }).busySince?.(reloadedAt, earlier, signal);
    expect(await drain()).toBe("tooEarly");
    await expect.poll(() => drain(), { timeout: 20_000, interval: 100 }).not.toBe("tooEarly");
    let earlier = (await drain()) as readonly string[];
    expect(earlier.length).toBeGreaterThan(0);
    await expect
      .poll(
        async () => {
          const later = (await drain(earlier)) as readonly string[];
          expect(earlier).toEqual(expect.arrayContaining([...later]));
          earlier = later;
          return later;
        },
        { timeout: 120_000, interval: 300 },
      )
      .toEqual([]);
    vendor.delayMs = 0;
    const before = vendor.seen.length;
    vendor.accepted.delete(old.reveal());
    const had = load.served;
    await expect.poll(() => load.served, { timeout: 120_000 }).toBeGreaterThan(had + 8);
    await load.stop();
    expect(load.failures).toEqual([]);
    expect(vendor.seen.slice(before)).not.toContain(old.reveal());
    expect(await consumer("acme").prove(fresh, signal)).toMatchObject({ result: "proven", detail: { agents: ["main", "helper"] } });
  });

  const reason = elsewhere === undefined ? " (skipped: this host has no address but loopback)" : "";
  it.skipIf(elsewhere === undefined)(
    `pairs from another address once somebody has approved it on the gateway's host${reason}`,
    async () => {
      const far = consumer("acme", { url: gateway.url.replace("127.0.0.1", elsewhere ?? "") }, "far");
      const first = await far.pair?.(signal);
      expect(first).toMatchObject({ paired: false });
      const requestId = /openclaw devices approve (\S+)/.exec(first?.message ?? "")?.[1];
      const settings = openclaw.settings.parse({ url: gateway.url });
      using connection = await openGateway({ name: "gateway", settings, world }, signal);
      await connection.call("device.pair.approve", { requestId }, z.unknown());
      expect(await far.pair?.(signal)).toMatchObject({ paired: true });
      expect(await far.pair?.(signal)).toMatchObject({ paired: true, message: expect.stringContaining("already") });
      expect(await far.reload(old, signal)).toEqual({ holds: "expected" });
    },
  );

  it("is spoken to through wss, as on another host, when its certificate is one that the configuration trusts", async () => {
    const authority = makeAuthority();
    const front = await startTlsFront(Number(new URL(gateway.url).port), authority.tls);
    const given = openclaw.settings.parse({ url: `wss://localhost:${front.port}` });
    const through = (by: World) =>
      openclaw.connect(given, openclaw.use.parse({ provider: "acme" }), { credential: "prod", consumer: "gateway" }, by);
    const overrides = { clock: { ...clock, deadline }, stateDirectory: world.stateDirectory };
    const trusting = await testWorld({ network: { ca: [authority.caFile] }, overrides });
    const wary = await testWorld({ overrides });
    try {
      expect(await through(trusting).pair?.(signal), "the device is the same one").toMatchObject({ paired: true });
      expect(await through(trusting).reload(old, signal)).toEqual({ holds: "expected" });
      expect(await through(trusting).prove(old, signal)).toMatchObject({ result: "proven" });
      expect(await thrown(through(wary).reload(old, signal))).toMatchObject({ code: "unreachable" });
    } finally {
      front.close();
      await Promise.all([trusting.close(), wary.close()]);
      authority.remove();
    }
  });

  it("puts a profile in the place of the reference when somebody types a key into the web UI; the pre-flight and the proof see it", async () => {
    await consumer("acme").reload(old, signal);
    const settings = openclaw.settings.parse({ url: gateway.url });
    using connection = await openGateway({ name: "gateway", settings, world }, signal);
    await connection.call("models.authSetApiKey", { provider: "acme", agentId: "main", apiKey: old.reveal() }, z.unknown());
    await expect.poll(() => consumer("acme").preflight(old, signal), { timeout: 20_000 }).toMatchObject([{ code: "plainKey" }]);
    expect(await consumer("acme").prove(old, signal)).toMatchObject({ result: "contradicted", cure: expect.stringContaining("reference") });
  });

  it("has shown no secret in what it printed", () => {
    const printed = gateway.output.join("");
    for (const secret of [old, fresh]) expect(printed).not.toContain(secret.reveal());
  });
});
