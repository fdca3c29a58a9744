import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { openclaw } from "../../adapters/consumers/openclaw/index.ts";
import { activeValues } from "../../adapters/openclaw/active.ts";
import { type Gateway, openGateway } from "../../adapters/openclaw/gateway.ts";
import { openclawSecrets } from "../../adapters/stores/openclaw-secrets.ts";
import { startFakeGateway } from "../fakes/gateway.ts";
import { freePort, GATEWAY_TOKEN, makeRealGateway, openclawJson } from "../support/openclaw.ts";
import { testWorld } from "../support/world.ts";
import type { MirrorFixture, OpenMirror } from "./mirror-fixture.ts";

const ENTRY = "OPENAI_API_KEY";
const REFERENCE = "models.providers.openai.apiKey";
const { signal } = new AbortController();

/** An openclaw.json whose only key is an entry of the gateway's own store. */
const ownStoreJson = (port = 0) =>
  openclawJson({
    vendor: "http://127.0.0.1:9/v1",
    secretFile: "/dev/null",
    port,
    apiKey: { source: "store", provider: "default", id: ENTRY },
  });

export const openclawMirrorFixtures: readonly MirrorFixture[] = [
  {
    name: "openclaw-secrets (fake gateway)",
    async openMirror() {
      const gateway = await startFakeGateway(ownStoreJson());
      return open(gateway.url, () => gateway.close());
    },
  },
];

/** The same on a real gateway, started once: each test begins with an entry that is not there. */
export async function startRealMirror(): Promise<{ fixture: MirrorFixture; stop(): Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), "rotated-openclaw-"));
  const gateway = await makeRealGateway(ownStoreJson(await freePort()), directory);
  await gateway.start();
  return {
    fixture: { name: "openclaw-secrets (real gateway)", openMirror: () => open(gateway.url, async () => {}) },
    async stop() {
      await gateway.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A mirror of one paired device, and a stranger who is another one. */
async function open(url: string, close: () => Promise<void>): Promise<OpenMirror> {
  const world = await testWorld({ secrets: { gateway: GATEWAY_TOKEN } });
  const settings = openclaw.settings.parse({ url, token: { credential: "gateway" } });
  const use = openclaw.use.parse({ provider: "openai" });
  for (const consumer of ["gateway", "stranger"]) {
    await openclaw.connect(settings, use, { credential: "prod", consumer }, world).pair?.(signal);
  }
  const consumer = { name: "gateway", settings, use };
  const asStranger = async <T>(work: (gateway: Gateway) => Promise<T>): Promise<T> => {
    using gateway = await openGateway({ name: "stranger", settings, world }, signal);
    return await work(gateway);
  };
  const seen = (gateway: Gateway) => activeValues(gateway, [REFERENCE]).then(([found]) => found?.value.reveal());
  await asStranger((gateway) => gateway.call("secrets.store.delete", { name: ENTRY }, z.unknown()));

  return {
    connectMirror: () =>
      openclawSecrets.mirror(
        openclawSecrets.settings.parse({ consumer: "gateway" }),
        openclawSecrets.place.parse({ path: ENTRY }),
        { credential: "prod", consumer },
        world,
      ),
    seen: () => asStranger(seen),
    strangerWrites: (value) =>
      asStranger(async (gateway) => void (await gateway.call("secrets.store.set", { name: ENTRY, value, kind: "secret" }, z.unknown()))),
    snapshot: () =>
      asStranger(async (gateway) => [
        await seen(gateway),
        await gateway.call("secrets.store.list", {}, z.object({ entries: z.unknown() })),
      ]),
    async close() {
      await close();
      await world.close();
    },
  };
}
