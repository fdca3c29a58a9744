import { readFileSync } from "node:fs";
import { type FaultProxy, startFaultProxy } from "../fakes/fault-proxy.ts";
import { Host, QUICK_TIMING, ROOT } from "./host.ts";
import { type OpenBao, startOpenBao } from "./openbao.ts";
import { RotationHost } from "./rotation-host.ts";

const LAGS = { listLag: "40ms" };

/** The credential `admin` signs the calls of the provider of `main`, and of its own. */
export async function openAiAdminHost(options: { scopes?: "all" | "restricted"; timing?: object } = {}): Promise<RotationHost> {
  const inner = await RotationHost.make();
  const { host, vendor, gateway } = inner;
  const config = inner.config(gateway.url, { provider: { adminKey: { store: "admin" } }, timing: { ...options.timing } });
  const { scopes = "all" } = options;
  host.write("admin.json", JSON.stringify({ note: "not ours", key: vendor.admin.secret }));
  host.configure({
    ...config,
    providers: {
      ...config.providers,
      "openai-admin": {
        type: "openai-admin",
        baseUrl: vendor.url,
        adminKey: { store: "admin" },
        scopes,
        ...LAGS,
        lastUsedLag: "40ms",
        lastUsedPrecision: "1s",
      },
    },
    credentials: {
      ...config.credentials,
      admin: { provider: "openai-admin", store: { use: "local", path: host.path("admin.json"), field: "/key" }, overlap: "1h" },
    },
  });
  return inner;
}

/** The value that the store of `admin` holds now. */
export function adminKeyOf({ host }: RotationHost): string {
  return (JSON.parse(host.read("admin.json")) as { key: string }).key;
}

const ROLE = "auth/approle/role/rotated";

/** The store `vault` opens with the credential `vault-secret-id`, at a real OpenBao, with the policies that are shipped. */
export class AppRoleHost {
  /** Everything runs but the daemon. */
  static async make(timing: object = {}): Promise<AppRoleHost> {
    const bao = await startOpenBao();
    const proxy = await startFaultProxy(bao.url, (text) => ({ errors: [text] }));
    await bao.call("POST", "sys/auth/approle", { type: "approle" });
    for (const name of ["vault-policy", "vault-approle-policy"])
      await bao.call("PUT", `sys/policies/acl/${name}`, { policy: readFileSync(`${ROOT}examples/${name}.hcl`, "utf8") });
    await bao.call("POST", ROLE, {
      token_policies: ["vault-policy", "vault-approle-policy"],
      token_no_default_policy: true,
      token_ttl: "1h",
    });
    const roleId: string = (await bao.call("GET", `${ROLE}/role-id`)).body.data.role_id;
    const first = (await bao.call("POST", `${ROLE}/secret-id`, {})).body.data;
    await bao.call("POST", "secret/data/apps/openclaw", { data: { apiKey: "sk-canary-serves", note: "not ours" } });
    const host = new Host((h) => {
      const server = { url: proxy.url, auth: { appRole: { roleId, secretId: { store: "vault-secret-id" } } } };
      return {
        config: {
          providers: {
            approle: { type: "vault-approle", ...server, role: "rotated", roleId, ...LAGS },
            // Nobody calls it: the credential is there for its place in the store.
            openai: { type: "openai", project: "proj_nobody", adminKey: { file: h.path("nothing") }, baseUrl: "http://127.0.0.1:9/v1" },
          },
          stores: { local: { type: "file" }, vault: { type: "vault", ...server } },
          consumers: { nobody: { type: "command", validate: ["/bin/true"] } },
          credentials: {
            "vault-secret-id": { provider: "approle", store: { use: "local", path: h.path("secret-id") }, overlap: "1h" },
            main: {
              provider: "openai",
              store: { use: "vault", path: "apps/openclaw", field: "apiKey" },
              consumers: [{ use: "nobody" }],
            },
          },
          timing: { ...QUICK_TIMING, ...timing },
        },
      };
    });
    host.write("secret-id", first.secret_id);
    return new AppRoleHost(host, bao, proxy, roleId, { id: first.secret_id_accessor, secret: first.secret_id });
  }

  readonly host: Host;
  readonly bao: OpenBao;
  /** What the daemon talks to in the place of the server. */
  readonly proxy: FaultProxy;
  /** The secret-id that a person made. */
  readonly first: { readonly id: string; readonly secret: string };
  readonly #roleId: string;

  private constructor(host: Host, bao: OpenBao, proxy: FaultProxy, roleId: string, first: AppRoleHost["first"]) {
    this.host = host;
    this.bao = bao;
    this.proxy = proxy;
    this.#roleId = roleId;
    this.first = first;
  }

  /** Logs in as any other program would; `undefined` when that is refused. */
  async logIn(secretId: string): Promise<string | undefined> {
    const { body } = await this.bao.call("POST", "auth/approle/login", { role_id: this.#roleId, secret_id: secretId });
    return body.auth?.client_token;
  }

  /** Whether a token still opens the place that consumers read. */
  async opens(token: string | undefined): Promise<boolean> {
    return token !== undefined && (await this.bao.call("GET", "secret/data/apps/openclaw", undefined, { token })).status === 200;
  }

  /** The accessors of all secret-ids of the role. */
  async secretIds(): Promise<readonly string[]> {
    return (await this.bao.call("LIST", `${ROLE}/secret-id`)).body.data.keys;
  }

  /** What the tokens of the role carry, one entry a token: the label of the secret-id that each was born of. */
  async tokenLabels(): Promise<readonly (string | undefined)[]> {
    const { keys } = (await this.bao.call("LIST", "auth/token/accessors")).body.data as { keys: readonly string[] };
    const rows = await Promise.all(keys.map((accessor) => this.bao.call("POST", "auth/token/lookup-accessor", { accessor })));
    const metas = rows.map(({ body }) => body.data?.meta as Readonly<Record<string, string>> | null | undefined);
    return metas.filter((meta) => meta?.["role_name"] === "rotated").map((meta) => meta?.["label"]);
  }

  async stop(): Promise<void> {
    await this.host.remove();
    await this.proxy.close();
    await this.bao.close();
  }
}
