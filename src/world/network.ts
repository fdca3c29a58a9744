import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext, getCACertificates, type SecureContext } from "node:tls";
import { Agent, type Dispatcher, Pool, ProxyAgent } from "undici";
import type { NetworkConfig } from "../config/config.ts";
import { AdapterError } from "../contract/errors.ts";
import { errnoOf } from "../contract/file-errors.ts";
import type { Exchange, Http } from "../contract/http.ts";
import { isLoopback } from "../contract/loopback.ts";
import { Secret } from "../contract/secret.ts";
import type { DebugLog } from "../contract/world.ts";
import { isExempt, staysHere } from "./hosts.ts";
import { makeExchange, makeHttp, type Route } from "./http.ts";

/** All ways out of this process. */
export interface Network {
  readonly http: Http;
  readonly exchange: Exchange;
  /** Opens a WebSocket by the same proxy, CA and plain-text rules as `http`; throws `insecure` for plain text off loopback. */
  readonly openWebSocket: (url: string) => Promise<WebSocket>;
  readonly debug: DebugLog;
  /** Breaks the requests that are still on their way. A WebSocket is its owner's to close. */
  close(): Promise<void>;
}

/**
 * Sets up the one proxy, its exceptions and the certificate authorities for everything outbound. Loopback never goes through
 * the proxy; the environment's proxy variables are not read. Throws `AdapterError` `misconfigured`, naming the setting or file.
 */
export function openNetwork(config: NetworkConfig, { log = () => {} }: { readonly log?: DebugLog } = {}): Network {
  const secureContext = config.ca.length === 0 ? undefined : trust(config.ca);
  const tls = secureContext === undefined ? {} : { secureContext };
  // One request, one connection: a probe of a dead key must not ride on a connection that the vendor knows.
  const options = { pipelining: 0, allowH2: false } as const;
  const direct = new Agent({ ...options, connect: tls });
  const proxy = config.proxy === undefined ? undefined : openProxy(config.proxy, options, tls);

  const routeVia = (through: Dispatcher | undefined) => {
    return (url: URL): Route => {
      if (through === undefined || staysHere(url) || isExempt(url, config.noProxy)) return { dispatcher: direct, viaProxy: false };
      return { dispatcher: through, viaProxy: true };
    };
  };
  const routeSocket = routeVia(proxy?.tunnel);
  const exchange = makeExchange({ route: routeVia(proxy?.forward), allowHttp: config.allowHttp, log });

  return {
    http: makeHttp(exchange),
    exchange,
    debug: log,
    async openWebSocket(address) {
      const url = new URL(address);
      if (["ws:", "http:"].includes(url.protocol) && !config.allowHttp && !isLoopback(url)) {
        throw new AdapterError("insecure", `open WebSocket: plain text to ${url.host}`, {
          cure: "use wss, or set network.allowHttp",
        });
      }
      log({ url: `${url.origin}${url.pathname}` }, "open WebSocket");
      // Loaded when it is needed: a start need not wait for it.
      const { WebSocket } = await import("./web-socket.ts");
      return new WebSocket(url, { dispatcher: routeSocket(url).dispatcher });
    },
    async close() {
      await Promise.all([direct, proxy?.forward, proxy?.tunnel].map((dispatcher) => dispatcher?.destroy()));
    },
  };
}

type ClientOptions = { readonly pipelining: 0; readonly allowH2: false };

/** The proxy, by CONNECT for TLS. Plain http is forwarded, since proxies rarely tunnel to port 80; a WebSocket is always tunnelled. */
function openProxy(address: string, options: ClientOptions, tls: { readonly secureContext?: SecureContext }) {
  const uri = parseProxy(address);
  // undici leaves the pool options out where it forwards plain http.
  const factory = (origin: string | URL, pool: object) => new Pool(origin, { ...pool, ...options });
  const shared = { ...options, uri: uri.href, factory, requestTls: tls, proxyTls: tls };
  return {
    forward: new ProxyAgent({ ...shared, proxyTunnel: false }),
    tunnel: new ProxyAgent({ ...shared, proxyTunnel: true }),
    /** Kept alive with the proxy, so that its password is masked wherever it might turn up. */
    password: new Secret(decodeURIComponent(uri.password)),
  };
}

function parseProxy(address: string): URL {
  const uri = URL.canParse(address) ? new URL(address) : undefined;
  if (uri !== undefined && ["http:", "https:"].includes(uri.protocol)) return uri;
  throw new AdapterError("misconfigured", "network.proxy: not an http or https address", { cure: "write it as http://HOST:PORT" });
}

/** The default authorities and those of the given PEM files. */
function trust(files: readonly string[]): SecureContext {
  // Made once: parsing all the roots for every connection takes longer than the handshake.
  return createSecureContext({ ca: [...getCACertificates("default"), ...files.flatMap(readCertificates)] });
}

function readCertificates(path: string): readonly string[] {
  const text = readCaFile(path);
  const certificates = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  try {
    for (const pem of certificates) new X509Certificate(pem);
  } catch (cause) {
    throw new AdapterError("misconfigured", `network.ca: ${path} holds a broken certificate`, {
      cause,
      cure: "look at it with openssl x509",
    });
  }
  if (certificates.length > 0) return certificates;
  throw new AdapterError("misconfigured", `network.ca: ${path} holds no PEM certificate`, {
    cure: "name a file with BEGIN CERTIFICATE in it",
  });
}

function readCaFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new AdapterError("misconfigured", `network.ca: cannot read ${path} (${errnoOf(cause) ?? "no code"})`, {
      cause,
      cure: `make ${path} readable, or take it out`,
    });
  }
}
