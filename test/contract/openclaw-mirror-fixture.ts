import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { openclaw } from "../../adapters/consumers/openclaw/index.ts";
import { activeValues } from "../../adapters/openclaw/active.ts";
import { type Gateway, openGateway } from "../../adapters/openclaw/gateway.ts";
import { openclawSecrets } from "../../adapters/stores/openclaw-secrets.ts";
import type { World } from "../../src/contract/world.ts";
import { startFakeGateway } from "../fakes/gateway.ts";
import { freePort } from "../support/free-port.ts";
import { GATEWAY_TOKEN, makeRealGateway, openclawJson } from "../support/openclaw.ts";
import { testWorld } from "../support/world.ts";
import { failingSockets } from "./failing.ts";
import type { MirrorFixture, OpenMirror } from "./mirror-fixture.ts";
import type { Cell } from "./store-fixture.ts";

const ENTRIES = {
  first: { name: "OPENAI_API_KEY", provider: "openai", reference: "models.providers.openai.apiKey" },
  second: { name: "SECOND_API_KEY", provider: "second", reference: "models.providers.second.apiKey" },
} as const satisfies Record<Cell, object>;
const { signal } = new AbortController();

/** An openclaw.json whose keys are entries of the gateway's own store. */
function ownStoreJson(port = 0) {
  const apiKey = (cell: Cell) => ({ source: "store", provider: "default", id: ENTRIES[cell].name }) as const;
  const usual = openclawJson({ vendor: "http://127.0.0.1:9/v1", secretFile: "/dev/null", port, apiKey: apiKey("first") });
  const { openai } = usual.models.providers;
  if (openai === undefined) throw new Error("the usual file has no provider openai");
  return { ...usual, models: { providers: { openai, second: { ...openai, apiKey: apiKey("second") } } } };
}

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
    fixture: { name: "openclaw-secrets (real gateway)", quietMs: 61_000, openMirror: () => open(gateway.url, async () => {}) },
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
  const use = (cell: Cell) => openclaw.use.parse({ provider: ENTRIES[cell].provider });
  for (const consumer of ["gateway", "stranger"]) {
    await openclaw.connect(settings, use("first"), { credential: "prod", consumer }, world).pair?.(signal);
  }
  const asStranger = async <T>(work: (gateway: Gateway) => Promise<T>): Promise<T> => {
    using gateway = await openGateway({ name: "stranger", settings, world }, signal);
    return await work(gateway);
  };
  const seen = (gateway: Gateway, cell: Cell) => activeValues(gateway, [ENTRIES[cell].reference]).then(([found]) => found?.value.reveal());
  await asStranger(async (gateway) => {
    for (const { name } of Object.values(ENTRIES)) await gateway.call("secrets.store.delete", { name }, z.unknown());
  });

  const mirror = (cell: Cell, as: World) =>
    openclawSecrets.mirror(
      openclawSecrets.settings.parse({ consumer: "gateway" }),
      openclawSecrets.place.parse({ path: ENTRIES[cell].name }),
      { credential: "prod", consumer: { name: "gateway", settings, use: use(cell) } },
      as,
    );
  const snapshot = (entry: z.ZodType) =>
    asStranger(async (gateway) => [
      await seen(gateway, "first"),
      await gateway.call("secrets.store.list", {}, z.object({ entries: z.array(entry) })),
    ]);

  return {
    connectMirror: (cell) => mirror(cell, world),
    connectFailingMirror(cell, at, when) {
      const { openWebSocket, failed } = failingSockets(world.openWebSocket, at, when);
      return { mirror: mirror(cell, { ...world, openWebSocket }), failed };
    },
    seen: (cell) => asStranger((gateway) => seen(gateway, cell)),
    async strangerWrites(cell, value) {
      const { name } = ENTRIES[cell];
      await asStranger((gateway) => gateway.call("secrets.store.set", { name, value, kind: "secret" }, z.unknown()));
    },
    snapshot: () => snapshot(z.unknown()),
    content: () => snapshot(z.object({ name: z.string(), kind: z.string() })),
    async close() {
      await close();
      await world.close();
    },
  };
}
