import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { parse, stringify } from "yaml";
import { startFaultProxy } from "../../fakes/fault-proxy.ts";
import type { Host } from "../../support/host.ts";
import { startOpenBao } from "../../support/openbao.ts";
import type { Trouble, TroubledStore } from "./trouble.ts";

const POLICY = readFileSync(new URL("../../../examples/vault-policy.hcl", import.meta.url), "utf8");
const PATH = "apps/openclaw";
const TOKEN_FILE = "vault-token";

export type VaultPlace = Awaited<ReturnType<typeof openVaultPlace>>;

/** A real OpenBao of its own; the daemon has a token with the rights of the shipped policy, in a file. */
export async function openVaultPlace() {
  const bao = await startOpenBao();
  const proxy = await startFaultProxy(bao.url, (text) => ({ errors: [text] }));
  const setPolicy = (policy: string) => bao.call("PUT", "sys/policies/acl/rotated", { policy });
  const fields = async () => (await bao.call("GET", `secret/data/${PATH}`)).body.data.data as Readonly<Record<string, string>>;
  await setPolicy(POLICY);

  async function newToken(options: object = {}): Promise<string> {
    const { body } = await bao.call("POST", "auth/token/create", { policies: ["rotated"], no_default_policy: true, ttl: "1h", ...options });
    return body.auth.client_token;
  }

  const place = {
    bao,
    proxy,
    setPolicy,
    newToken,
    meet: undefined as TroubledStore["meet"],
    beside: async () => (await fields())["note"] ?? "",
    async writeBeside(note: string) {
      await bao.call("POST", `secret/data/${PATH}`, { data: { ...(await fields()), note } });
    },
    async open(host: Host) {
      host.write(TOKEN_FILE, await newToken());
      proxy.onRequest = async (method, path) => {
        if (method !== "POST" || path !== `/v1/secret/data/${PATH}`) return;
        const { meet } = place;
        place.meet = undefined;
        await meet?.();
      };
      return {
        settings: { type: "vault", url: proxy.url, auth: { tokenFile: host.path(TOKEN_FILE) } },
        place: { path: PATH, field: "key" },
        env: {},
        begin: async (secret: string) => void (await bao.call("POST", `secret/data/${PATH}`, { data: { key: secret, note: "not ours" } })),
        current: async () => (await fields())["key"],
        async close() {
          await proxy.close();
          await bao.close();
        },
      };
    },
  } satisfies TroubledStore & Record<string, unknown>;
  return place;
}

/** Has the daemon read a configuration whose store is set up otherwise, and gives the way back. */
async function withStore(host: Host, more: object): Promise<() => Promise<void>> {
  const before = host.read("rotated.yaml");
  const config = parse(before);
  const reload = async (text: string) => {
    const times = host.log.split("configuration read again").length;
    host.write("rotated.yaml", text);
    host.daemon?.kill("SIGHUP");
    while (host.log.split("configuration read again").length === times) await sleep(20);
  };
  await reload(stringify({ ...config, stores: { kept: { ...config.stores.kept, ...more } } }));
  return () => reload(before);
}

export const VAULT_TROUBLES: readonly Trouble<VaultPlace>[] = [
  {
    name: "sealed",
    async begin({ bao }) {
      await bao.seal();
      return () => bao.unseal();
    },
    code: "unavailable",
    hint: /unseal/,
    passes: true,
  },
  {
    name: "throttled",
    async begin({ proxy }) {
      proxy.faults.add({ fault: { do: "rateLimit", retryAfter: "1" } });
      return async () => proxy.faults.clear();
    },
    code: "rateLimited",
    hint: /lifts by itself/,
    passes: true,
  },
  {
    name: "denied by its policy",
    async begin({ setPolicy }) {
      await setPolicy(POLICY.replace(`secret/data/${PATH}`, "secret/data/other"));
      return () => setPolicy(POLICY);
    },
    code: "forbidden",
    hint: /policy/,
    passes: false,
  },
  {
    name: "a token that somebody revoked",
    async begin({ bao, newToken }, host) {
      await bao.call("POST", "auth/token/revoke", { token: host.read(TOKEN_FILE) });
      return async () => host.write(TOKEN_FILE, await newToken());
    },
    code: "unauthorized",
    hint: /token/,
    passes: false,
  },
  {
    name: "a token whose time is over",
    async begin({ newToken }, host) {
      host.write(TOKEN_FILE, await newToken({ explicit_max_ttl: "1s" }));
      const back = await withStore(host, {});
      await sleep(1500);
      return async () => {
        host.write(TOKEN_FILE, await newToken());
        await back();
      };
    },
    code: "unauthorized",
    hint: /token/,
    passes: false,
  },
  {
    name: "the wrong namespace",
    begin: (_, host) => withStore(host, { namespace: "nobody" }),
    code: "misconfigured",
    hint: /namespace/,
    passes: false,
  },
];
