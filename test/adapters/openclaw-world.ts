import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { z } from "zod";
import { openclaw } from "../../adapters/consumers/openclaw/index.ts";
import { Secret } from "../../src/contract/secret.ts";
import { realClock } from "../../src/world/clock.ts";
import type { OpenClawFile } from "../fakes/gateway/config.ts";
import { type FakeGateway, type FakeGatewayOptions, startFakeGateway } from "../fakes/gateway.ts";
import { type ChatVendor, startChatVendor } from "../support/chat-vendor.ts";
import { GATEWAY_TOKEN, openclawJson } from "../support/openclaw.ts";
import { type TestWorld, testWorld } from "../support/world.ts";

export const [old, fresh] = [new Secret("sk-canary-openclaw-old-0001"), new Secret("sk-canary-openclaw-new-0002")];
export const { signal } = new AbortController();

/** Nobody has to wait 100 s for a vendor that is ill. */
export const clock = { ...realClock, deadline: (ms: number) => realClock.deadline(ms > 60_000 ? 2_000 : ms) };

export interface Scene {
  readonly gateway: FakeGateway;
  readonly vendor: ChatVendor;
  readonly world: TestWorld;
  readonly secretFile: string;
  write(secret: Secret | string): Promise<void>;
  /** A consumer with these settings, as yet unpaired ones included. */
  consumer(use?: z.input<typeof openclaw.use>, settings?: z.input<typeof openclaw.settings>): ReturnType<typeof openclaw.connect>;
}

/** A fake gateway with `old` in its store and in use, a vendor that accepts both keys, and a paired consumer. Ends with the test. */
export async function scene(
  options: FakeGatewayOptions & {
    change?: (config: OpenClawFile, directory: string) => void | Promise<void>;
    pinned?: boolean;
    agents?: readonly string[];
    paired?: boolean;
  } = {},
): Promise<Scene> {
  const directory = await mkdtemp(join(tmpdir(), "rotated-openclaw-"));
  const world = await testWorld({ secrets: { gateway: GATEWAY_TOKEN }, overrides: { clock } });
  const vendor = await startChatVendor();
  for (const secret of [old, fresh]) vendor.accepted.add(secret.reveal());
  const secretFile = join(directory, "secrets.json");
  const write = (secret: Secret | string) =>
    world.files.replace(secretFile, JSON.stringify({ openai: { apiKey: typeof secret === "string" ? secret : secret.reveal() } }));
  await write(old);
  const { pinned, agents } = options;
  const config = openclawJson({ vendor: vendor.url, secretFile, ...(pinned !== undefined && { pinned }), ...(agents && { agents }) });
  await options.change?.(config, directory);
  const gateway = await startFakeGateway(config, options);
  onTestFinished(async () => {
    await gateway.close();
    await vendor.stop();
    await world.close();
    await rm(directory, { recursive: true });
  });
  const consumer: Scene["consumer"] = (use = { provider: "openai" }, settings = {}) =>
    openclaw.connect(
      openclaw.settings.parse({ url: gateway.url, token: { credential: "gateway" }, ...settings }),
      openclaw.use.parse(use),
      { credential: "prod", consumer: "gateway" },
      world,
    );
  if (options.paired !== false && options.remote !== true) await consumer().pair?.(signal);
  return { gateway, vendor, world, secretFile, write, consumer };
}

/** A world that ends with the test. */
export async function briefWorld(options: Parameters<typeof testWorld>[0] = {}): Promise<TestWorld> {
  const world = await testWorld(options);
  onTestFinished(() => world.close());
  return world;
}

/** What was thrown. */
export async function thrown(work: Promise<unknown> | undefined): Promise<unknown> {
  return work?.then(
    () => {
      throw new Error("nothing was thrown");
    },
    (error: unknown) => error,
  );
}
