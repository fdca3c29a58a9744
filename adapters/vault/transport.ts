import type { client } from "node-vault";
import type { Secret } from "../../src/contract/secret.ts";
import type { World } from "../../src/contract/world.ts";
import { parseExactly } from "./json.ts";
import { type KnownText, refusal } from "./refusals.ts";
import type { Server } from "./settings.ts";

export interface VaultRequest {
  /** Who asks what, for messages. */
  readonly action: string;
  readonly method: keyof typeof METHODS;
  /** Below `/v1/`, encoded. */
  readonly path: string;
  readonly body?: object;
  /** Left out by a login. */
  readonly token?: Secret;
  /** What refusals of this path mean, before what is known of all. */
  readonly texts?: readonly KnownText[];
  readonly signal: AbortSignal;
}

/** Makes one call and gives the body of its answer. Throws only `AdapterError` or the reason of an abort. */
export type CallVault = (request: VaultRequest) => Promise<unknown>;

const METHODS = {
  GET: (vault, path, _, options) => vault.read(path, options),
  // Not every proxy lets the method LIST pass.
  LIST: (vault, path, _, options) => vault.read(`${path}?list=true`, options),
  POST: (vault, path, body, options) => vault.write(path, body, options),
  PATCH: (vault, path, body, options) => vault.update(path, body, options),
  DELETE: (vault, path, _, options) => vault.delete(path, options),
} as const satisfies Record<string, (vault: client, path: string, body: object | undefined, options: Wire) => Promise<unknown>>;

/** What of a request is not node-vault's business, and goes past it. */
type Wire = Pick<VaultRequest, "action" | "token" | "texts" | "signal">;

/** What node-vault hands over in place of a call of axios. */
interface Outgoing extends Wire {
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly json?: unknown;
}

/**
 * The way to one server: node-vault words the calls, we send them; `policy` is the file with the rights that they need. Address,
 * token and namespace are put in here, from the settings alone, because node-vault fills what it is not given from `VAULT_ADDR`,
 * `VAULT_TOKEN`, `VAULT_NAMESPACE` and `VAULT_PREFIX`; its errors hold the token and the secret, and never come to be, because an
 * answer that refuses is thrown here.
 */
export function vaultCalls({ url, namespace }: Pick<Server, "url" | "namespace">, policy: string, world: World): CallVault {
  async function send({ path, method, headers, json, action, token, texts = [], signal }: Outgoing) {
    const reply = await world.exchange({
      action,
      url: `${url}/v1${path}`,
      method,
      headers: {
        accept: "application/json",
        "user-agent": "rotated",
        "x-vault-request": "true",
        ...(json !== undefined && { "content-type": headers["Content-Type"] ?? "application/json" }),
        ...(token !== undefined && { "x-vault-token": token.reveal() }),
        ...(namespace !== undefined && { "x-vault-namespace": namespace }),
      },
      ...(json !== undefined && { body: JSON.stringify(json) }),
      signal,
    });
    const body = parseExactly(Buffer.from(reply.body).toString("utf8"));
    const refused = refusal({ action, policy, texts, status: reply.status, headers: reply.headers, body });
    if (refused !== undefined) throw refused;
    return { statusCode: 200, body, request: { path: "" } };
  }

  let opened: Promise<client> | undefined;

  async function open(): Promise<client> {
    const { default: nodeVault } = await import("node-vault");
    return nodeVault({
      endpoint: url,
      // With DEBUG=node-vault it would print what is written.
      debug: () => undefined,
      "request-promise": { defaults: () => send },
    });
  }

  return async ({ method, path, body, ...wire }) => {
    wire.signal.throwIfAborted();
    opened ??= open();
    return METHODS[method](await opened, path, body, wire);
  };
}
