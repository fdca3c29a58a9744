import { randomUUID } from "node:crypto";
import { vault } from "../../adapters/stores/vault.ts";
import { AdapterError } from "../../src/contract/errors.ts";
import type { Exchange } from "../../src/contract/http.ts";
import type { World } from "../../src/contract/world.ts";
import { type OpenBao, startOpenBao } from "../support/openbao.ts";
import { testWorld } from "../support/world.ts";
import type { MirrorFixture, OpenMirror } from "./mirror-fixture.ts";
import type { Cell, OpenStore, StoreFixture } from "./store-fixture.ts";

/** Both shapes of the store on a real OpenBao: a path per value, and two fields of one path. */
export const vaultFixtures: readonly StoreFixture[] = [
  { name: "vault (a path per value)", open: () => open(false) },
  { name: "vault (two fields of one path)", open: () => open(true) },
];

export const vaultMirrorFixtures: readonly MirrorFixture[] = [{ name: "vault (a field of a path)", openMirror }];

async function openMirror(): Promise<OpenMirror> {
  const store = await open(true);
  return {
    ...store,
    seen: () => store.seen("first"),
    strangerWrites: (value) => store.strangerWrites("first", value),
  };
}

/** One server for all tests of a file; each has a mount of its own. It ends with the process. */
let server: Promise<OpenBao> | undefined;

async function open(shared: boolean): Promise<OpenStore & Pick<OpenMirror, "connectMirror">> {
  server ??= startOpenBao();
  const bao = await server;
  const mount = randomUUID();
  await bao.call("POST", `sys/mounts/${mount}`, { type: "kv", options: { version: "2" } });
  const world = await testWorld({ secrets: { token: bao.rootToken } });
  const settings = vault.settings.parse({ url: bao.url, mount, auth: { token: { credential: "token" } } });
  const place = (cell: Cell) => (shared ? { path: "apps/both", field: cell } : { path: `apps/${cell}`, field: "key" });
  if (shared) await bao.call("POST", `${mount}/data/apps/both`, { data: { rest: { is: ["others'"] } } });
  const connect = (cell: Cell, exchange: Exchange = world.exchange) => {
    const its: World = exchange === world.exchange ? world : { ...world, exchange };
    return vault.connect(settings, vault.place.parse(place(cell)), { credential: cell }, its);
  };

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
    connect: (cell) => connect(cell),
    connectMirror: () => vault.mirror(settings, vault.place.parse(place("first")), { credential: "first" }, world),
    connectFailing(cell, at, when) {
      const { exchange, failed } = failing(world.exchange, at, when);
      return { store: connect(cell, exchange), failed };
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

/** As if the process had died at its exchange number `at`: this one and all later ones throw. */
function failing(real: Exchange, at: number, when: "before" | "after"): { exchange: Exchange; failed: () => boolean } {
  let count = 0;
  return {
    failed: () => count >= at,
    async exchange(request) {
      count += 1;
      if (count === at && when === "after") await real(request);
      if (count >= at) throw new AdapterError("unavailable", `${request.action}: the process died here`);
      return real(request);
    },
  };
}
