import type { TokenCredentialOptions } from "@azure/identity";
import { AdapterError } from "../../src/contract/errors.ts";
import type { World } from "../../src/contract/world.ts";
import { signInRefusal } from "./refusals.ts";

type Client = NonNullable<TokenCredentialOptions["httpClient"]>;
type Headers = Parameters<Client["sendRequest"]>[0]["headers"];

/** Headers that our own exchange writes, or that would bring an answer which it does not unpack. */
const NOT_OURS = /^(host|content-length|connection|accept-encoding)$/i;

/**
 * How @azure/identity reaches Entra: through our own network, once. `failure` is what went wrong, in
 * our own words: an error of the library may quote what was answered.
 */
export function entraTransport(action: string, loginUrl: string, world: World, signal: AbortSignal) {
  // The library wants https of every authority; whether plain text may leave is decided by our own network.
  const authorityHost = loginUrl.replace(/^http:/, "https:");
  const transport = { authorityHost, failure: undefined as { readonly reason: unknown } | undefined, client: {} as Client };

  transport.client = {
    async sendRequest(request) {
      const url = request.url.startsWith(authorityHost) ? loginUrl + request.url.slice(authorityHost.length) : request.url;
      const headers = Object.fromEntries(Object.entries(request.headers.toJSON()).filter(([name]) => !NOT_OURS.test(name)));
      const body = typeof request.body === "string" ? { body: request.body } : {};
      try {
        const reply = await world.exchange({ action, url, method: request.method, headers, ...body, signal });
        if (reply.status !== 200) {
          const { code, detail } = signInRefusal(reply.status);
          transport.failure = { reason: new AdapterError(code, `${action}: ${detail}`) };
        }
        const bodyAsText = Buffer.from(reply.body).toString("utf8");
        return { request, status: reply.status, headers: headersOf(reply.headers), bodyAsText };
      } catch (reason) {
        transport.failure = { reason };
        throw new Error("not answered");
      }
    },
  };
  return transport;
}

/** Headers in the library's own shape. */
function headersOf(headers: Readonly<Record<string, string>>): Headers {
  const all = new Map(Object.entries(headers));
  return {
    get: (name) => all.get(name.toLowerCase()),
    has: (name) => all.has(name.toLowerCase()),
    set: (name, value) => void all.set(name.toLowerCase(), String(value)),
    delete: (name) => void all.delete(name.toLowerCase()),
    toJSON: () => Object.fromEntries(all),
    [Symbol.iterator]: () => all.entries(),
  };
}
