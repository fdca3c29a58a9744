import { randomUUID } from "node:crypto";
import { vault } from "../../adapters/stores/vault.ts";
import { type OpenBao, startOpenBao } from "../support/openbao.ts";
import { testWorld } from "../support/world.ts";
import { failingExchange } from "./failing.ts";
import type { MirrorFixture, OpenMirror } from "./mirror-fixture.ts";
import type { Cell, OpenStore, StoreFixture } from "./store-fixture.ts";

/** Both shapes of the store on a real OpenBao: a path per value, and two fields of one path. */
export const vaultFixtures: readonly StoreFixture[] = [
  { name: "vault (a path per value)", open: () => open(false) },
  { name: "vault (two fields of one path)", open: () => open(true) },
];

export const vaultMirrorFixtures: readonly MirrorFixture[] = [{ name: "vault (two fields of one path)", openMirror: () => open(true) }];

/** One server for all tests of a file; each has a mount of its own. It ends with the process. */
let server: Promise<OpenBao> | undefined;

async function open(shared: boolean): Promise<OpenStore & OpenMirror> {
  server ??= startOpenBao();
  const bao = await server;
  const mount = randomUUID();
  await bao.call("POST", `sys/mounts/${mount}`, { type: "kv", options: { version: "2" } });
  const world = await testWorld({ secrets: { token: bao.rootToken } });
  const settings = vault.settings.parse({ url: bao.url, mount, auth: { token: { credential: "token" } } });
  const place = (cell: Cell) => (shared ? { path: "apps/both", field: cell } : { path: `apps/${cell}`, field: "key" });
  if (shared) await bao.call("POST", `${mount}/data/apps/both`, { data: { rest: { is: ["others'"] } } });
  const asked = (cell: Cell) => [settings, vault.place.parse(place(cell)), { credential: cell }] as const;

  async function fieldsOf(path: string): Promise<Record<string, unknown>> {
    const { body } = await bao.call("GET", `${mount}/data/${path}`);
    return body.data?.data ?? {};
  }

  /** Every document below `folder`, with its fields and its custom metadata. */
  async function below(folder: string): Promise<readonly unknown[]> {
    const { body } = await bao.call("LIST", `${mount}/metadata/${folder}`);
    const names: readonly string[] = body.data?.keys ?? [];
    const found = names.map(async (name) => {
      if (name.endsWith("/")) return below(folder + name);
      const metadata = await bao.call("GET", `${mount}/metadata/${folder}${name}`);
      return [folder + name, await fieldsOf(folder + name), metadata.body.data.custom_metadata];
    });
    return Promise.all(found);
  }

  return {
    connect: (cell) => vault.connect(...asked(cell), world),
    connectMirror: (cell) => vault.mirror(...asked(cell), world),
    connectFailing(cell, at, when) {
      const { exchange, failed } = failingExchange(world.exchange, at, when);
      return { store: vault.connect(...asked(cell), { ...world, exchange }), failed };
    },
    connectFailingMirror(cell, at, when) {
      const { exchange, failed } = failingExchange(world.exchange, at, when);
      return { mirror: vault.mirror(...asked(cell), { ...world, exchange }), failed };
    },
    async seen(cell) {
      const { path, field } = place(cell);
      return (await fieldsOf(path))[field] as string | undefined;
    },
    async strangerWrites(cell, value) {
      const { path, field } = place(cell);
      await bao.call("POST", `${mount}/data/${path}`, { data: { ...(await fieldsOf(path)), [field]: value } });
    },
    snapshot: () => below(""),
    async close() {
      await bao.call("DELETE", `sys/mounts/${mount}`);
      await world.close();
    },
  };
}
