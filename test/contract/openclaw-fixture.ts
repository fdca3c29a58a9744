import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openclaw } from "../../adapters/consumers/openclaw/index.ts";
import type { Secret } from "../../src/contract/secret.ts";
import { realClock } from "../../src/world/clock.ts";
import { startFakeGateway } from "../fakes/gateway.ts";
import { startChatVendor } from "../support/chat-vendor.ts";
import { freePort } from "../support/free-port.ts";
import { GATEWAY_TOKEN, makeRealGateway, openclawJson } from "../support/openclaw.ts";
import { testWorld } from "../support/world.ts";
import type { ConsumerFixture, RunningConsumer } from "./consumer-fixture.ts";

/**
 * The real gateway answers a probe only after 75 s while the vendor is ill; nobody has to wait for that here. A proof by two agents
 * takes 4 s on a usual machine, and 14 s on a slow one.
 */
const PATIENCE_MS = 40_000;
const clock = { ...realClock, deadline: (ms: number) => realClock.deadline(ms > 60_000 ? PATIENCE_MS : ms) };

interface Program {
  readonly http: string;
  readonly url: string;
  start(): Promise<void>;
  stop(): Promise<void>;
}
type Make = (config: ReturnType<typeof openclawJson>, directory: string) => Promise<Program>;

const facts = { grade: "value", reloadSees: true, tellsRefusals: true, tellsRuns: true } as const;

export const openclawFixtures: readonly ConsumerFixture[] = [
  { ...facts, name: "openclaw (fake gateway)", startLimitMs: 10_000, start: (secret) => start(secret, fakeProgram) },
  { ...facts, name: "openclaw (real gateway)", startLimitMs: 150_000, start: (secret) => start(secret, makeRealGateway) },
];

async function start(secret: Secret, make: Make): Promise<RunningConsumer> {
  const directory = await mkdtemp(join(tmpdir(), "rotated-openclaw-"));
  const world = await testWorld({ secrets: { gateway: GATEWAY_TOKEN }, overrides: { clock } });
  const vendor = await startChatVendor();
  const secretFile = join(directory, "secrets.json");
  const config = openclawJson({ vendor: vendor.url, secretFile, port: await freePort(), agents: ["main", "helper"] });
  const program = await make(config, directory);
  const holdNow = (value: Secret) => world.files.replace(secretFile, JSON.stringify({ openai: { apiKey: value.reveal() } }));
  let running = false;

  const { signal } = new AbortController();
  const consumer = openclaw.connect(
    openclaw.settings.parse({ url: program.url, token: { credential: "gateway" }, admissionWindow: "200ms" }),
    openclaw.use.parse({ provider: "openai" }),
    { credential: "prod", consumer: "gateway" },
    world,
  );

  const settle = async (value: Secret) => {
    vendor.outage = undefined;
    vendor.accepted.clear();
    vendor.accepted.add(value.reveal());
    await holdNow(value);
    const cold = !running;
    if (cold) await program.start();
    running = true;
    await consumer.pair?.(signal);
    await consumer.reload(value, signal);
    // The first request to each agent of a real gateway takes several seconds: here, not in a test.
    if (cold) await consumer.prove(value, signal);
  };
  await settle(secret);

  return {
    consumer,
    settle,
    holdNow,
    async isHolding(value) {
      vendor.seen.length = 0;
      await fetch(`${program.http}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${GATEWAY_TOKEN}`, "content-type": "application/json" },
        body: JSON.stringify({ model: "openclaw/helper", messages: [{ role: "user", content: "ping" }] }),
      }).then((response) => response.text());
      return vendor.seen.length > 0 && vendor.seen.every((key) => key === value.reveal());
    },
    vendorAccepts(...secrets) {
      vendor.accepted.clear();
      for (const value of secrets) vendor.accepted.add(value.reveal());
    },
    vendorRefuses: (value) => void vendor.accepted.delete(value.reveal()),
    vendorFails() {
      vendor.outage = 503;
    },
    async programEnds() {
      running = false;
      await program.stop();
    },
    async stop() {
      await program.stop();
      await vendor.stop();
      await world.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** The fake gateway forgets its devices when it ends; `pair` introduces us anew. */
async function fakeProgram(config: ReturnType<typeof openclawJson>): Promise<Program> {
  const { port } = config.gateway;
  let gateway: Awaited<ReturnType<typeof startFakeGateway>> | undefined;
  return {
    http: `http://127.0.0.1:${port}`,
    url: `ws://127.0.0.1:${port}`,
    async start() {
      gateway = await startFakeGateway(config);
    },
    async stop() {
      await gateway?.close();
      gateway = undefined;
    },
  };
}
