import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import type { NetworkConfig } from "../src/config/config.ts";
import { Secret } from "../src/contract/secret.ts";
import { type Network, openNetwork } from "../src/world/network.ts";
import { makeAuthority } from "./support/authority.ts";
import { type EchoServer, startEchoServer } from "./support/echo-server.ts";
import { startProxy, type TestProxy } from "./support/proxy.ts";
import { PLAIN_NETWORK } from "./support/world.ts";

const ok = z.looseObject({ ok: z.literal(true) });
const authority = makeAuthority();
const closing: { close(): Promise<void> }[] = [];
const logged: string[] = [];
let plain: EchoServer;
let tls: EchoServer;

beforeAll(async () => {
  [plain, tls] = await Promise.all([startEchoServer(), startEchoServer(authority.tls)]);
});
afterEach(async () => {
  for (const one of closing.splice(0)) await one.close();
});
afterAll(async () => {
  await Promise.all([plain.close(), tls.close()]);
  authority.remove();
});

function network(config: Partial<NetworkConfig> = {}): Network {
  const opened = openNetwork(
    { ...PLAIN_NETWORK, ...config },
    { log: (fields, message) => logged.push(JSON.stringify({ message, ...fields })) },
  );
  closing.push(opened);
  return opened;
}

async function proxyTo(toPort: number, more: Omit<Parameters<typeof startProxy>[0], "toPort"> = {}): Promise<TestProxy> {
  const proxy = await startProxy({ toPort, ...more });
  closing.push(proxy);
  return proxy;
}

function get(http: Network["http"], url: string, signal = AbortSignal.timeout(5000)) {
  return http(url, { action: "test: get", method: "GET", reply: ok, signal });
}

/** Sends one message and gives the echo. */
async function echo({ openWebSocket }: Network, url: string): Promise<string> {
  const socket = await openWebSocket(url);
  return new Promise((resolve, reject) => {
    socket.onopen = () => socket.send("ping");
    socket.onmessage = ({ data }) => {
      socket.close();
      resolve(String(data));
    };
    socket.onerror = () => reject(new Error("WebSocket failed"));
  });
}

describe("proxy", () => {
  it("takes requests and WebSockets, and asks as it was told to", async () => {
    const proxy = await proxyTo(tls.port, { user: "me:canary-proxy-password" });
    const net = network({ proxy: proxy.url, ca: [authority.caFile] });
    await get(net.http, "https://vendor.test/v1?after=canary-value");
    await get(net.http, "https://vendor.test/v1");
    expect(await echo(net, "wss://vendor.test/socket")).toBe("ping");
    expect(proxy.tunnels).toEqual(Array(3).fill("vendor.test:443"));
    expect(tls.hits.slice(-3)).toEqual(["GET /v1?after=canary-value", "GET /v1", "WebSocket /socket"]);
    expect(new Set(proxy.authorizations)).toEqual(new Set([`Basic ${btoa("me:canary-proxy-password")}`]));
    expect(logged.some((line) => line.includes("https://vendor.test/v1?after"))).toBe(true);
    expect(logged.join("\n")).not.toContain("canary");
    expect(Secret.mask("at canary-proxy-password")).toBe("at [secret]");
  });

  it("forwards plain http, and tunnels a plain WebSocket, where that is allowed", async () => {
    const proxy = await proxyTo(plain.port);
    const net = network({ proxy: proxy.url, allowHttp: true });
    await get(net.http, "http://vendor.test/v1");
    expect(await echo(net, "ws://vendor.test/socket")).toBe("ping");
    expect(proxy.forwarded).toEqual(["http://vendor.test/v1"]);
    expect(proxy.tunnels).toEqual(["vendor.test:80"]);
  });

  it("is left out for loopback and for noProxy", async () => {
    const proxy = await proxyTo(tls.port);
    const net = network({ proxy: proxy.url, noProxy: ["vendor.test"], ca: [authority.caFile] });
    await get(net.http, `https://localhost:${tls.port}/`);
    await get(net.http, `http://127.0.0.1:${plain.port}/`);
    expect(await echo(net, `wss://localhost:${tls.port}/socket`)).toBe("ping");
    await expect(get(net.http, "https://vendor.test/")).rejects.toMatchObject({ code: "unreachable" });
    expect(proxy.tunnels).toEqual([]);
    expect(proxy.forwarded).toEqual([]);
  });

  it.each([
    { says: "403", refuse: 403 },
    { says: "407", refuse: 407 },
    { says: "502", refuse: 502 },
  ])("that answers $says is named as the cause", async ({ refuse }) => {
    const proxy = await proxyTo(tls.port, { refuse });
    const net = network({ proxy: proxy.url, ca: [authority.caFile] });
    const cause = { code: "unreachable", hint: expect.stringContaining("network.proxy") };
    await expect(get(net.http, "https://vendor.test/")).rejects.toMatchObject(cause);
    await expect(echo(net, "wss://vendor.test/")).rejects.toThrow();
    expect(proxy.tunnels).toHaveLength(2);
  });

  it("may itself speak TLS, under the same authorities", async () => {
    const proxy = await proxyTo(tls.port, { tls: authority.tls });
    const net = network({ proxy: proxy.url, ca: [authority.caFile] });
    await get(net.http, "https://vendor.test/v1");
    expect(await echo(net, "wss://vendor.test/socket")).toBe("ping");
    expect(proxy.tunnels).toHaveLength(2);
    const cause = { code: "unreachable", hint: expect.stringContaining("network.ca") };
    await expect(get(network({ proxy: proxy.url }).http, "https://vendor.test/")).rejects.toMatchObject(cause);
  });

  it("that is not there is named as the cause", async () => {
    const proxy = await startProxy({ toPort: 1 });
    await proxy.close();
    const net = network({ proxy: proxy.url });
    const cause = { code: "unreachable", hint: expect.stringContaining("network.proxy") };
    await expect(get(net.http, "https://vendor.test/")).rejects.toMatchObject(cause);
    await expect(echo(net, "wss://vendor.test/")).rejects.toThrow();
  });

  it("with a senseless address is refused without showing it", () => {
    const problem = { code: "misconfigured", message: expect.not.stringContaining("canary") };
    expect(() => network({ proxy: "me:canary@proxy" })).toThrow(expect.objectContaining(problem));
  });
});

describe("certificate authorities", () => {
  it("decide about https and wss alike", async () => {
    const trusting = network({ ca: [authority.caFile] });
    await get(trusting.http, `https://localhost:${tls.port}/`);
    expect(await echo(trusting, `wss://localhost:${tls.port}/`)).toBe("ping");

    const stranger = network();
    const before = tls.hits.length;
    const cause = { code: "unreachable", answered: true, hint: expect.stringContaining("network.ca") };
    await expect(get(stranger.http, `https://localhost:${tls.port}/`)).rejects.toMatchObject(cause);
    await expect(echo(stranger, `wss://localhost:${tls.port}/`)).rejects.toThrow();
    expect(tls.hits).toHaveLength(before);
  });

  it("do not vouch for another name", async () => {
    const proxy = await proxyTo(tls.port);
    const net = network({ proxy: proxy.url, ca: [authority.caFile] });
    const cause = { code: "unreachable", hint: expect.stringContaining("network.ca") };
    await expect(get(net.http, "https://other.test/")).rejects.toMatchObject(cause);
    await expect(echo(net, "wss://other.test/")).rejects.toThrow();
  });

  it("that are missing or no PEM are named", () => {
    const missing = join(authority.directory, "missing.pem");
    expect(() => network({ ca: [missing] })).toThrow(
      expect.objectContaining({ code: "misconfigured", message: expect.stringContaining(missing) }),
    );
    const noPem = expect.objectContaining({ code: "misconfigured", message: expect.stringContaining(authority.keyFile) });
    expect(() => network({ ca: [authority.keyFile] })).toThrow(noPem);
  });

  it("cannot help where nobody speaks TLS", async () => {
    await expect(get(network().http, `https://localhost:${plain.port}/`)).rejects.toMatchObject({
      code: "unreachable",
      hint: expect.stringContaining("address"),
    });
  });
});

describe("plain text off loopback", () => {
  it("is refused before anything is sent", async () => {
    const proxy = await proxyTo(plain.port);
    const net = network({ proxy: proxy.url });
    await expect(get(net.http, "http://vendor.test/")).rejects.toMatchObject({ code: "insecure" });
    await expect(get(net.http, "http://127.0.0.1.vendor.test/")).rejects.toMatchObject({ code: "insecure" });
    await expect(net.openWebSocket("ws://vendor.test/")).rejects.toMatchObject({ code: "insecure" });
    expect([...proxy.forwarded, ...proxy.tunnels]).toEqual([]);
  });
});

describe("http", () => {
  let server: Server;
  let url: string;
  const requests: string[] = [];

  beforeAll(async () => {
    server = createServer((request, response) => {
      requests.push(`${request.headers.authorization} ${request.headers.connection}`);
      if (request.url === "/redirect") return response.writeHead(302, { location: "/" }).end();
      if (request.url === "/html") return response.end("<html>canary</html>");
      if (request.url === "/empty") return response.writeHead(204).end();
      if (request.url === "/shape") return response.end('{"ok":"canary"}');
      if (request.url === "/large") return response.end(JSON.stringify({ ok: true, canary: "x".repeat(4 << 20) }));
      if (request.url === "/marked") return response.end('\uFEFF{"ok":true}');
      if (request.url === "/half") return response.writeHead(200, { "content-length": "50" }).write('{"ok":', () => response.destroy());
      if (request.url === "/date")
        return response.writeHead(429, { date: new Date(0).toUTCString(), "retry-after": new Date(90_000).toUTCString() }).end();
      if (request.url === "/exact") return response.writeHead(429, { "retry-after": "2", "retry-after-ms": "1250.4" }).end();
      return request.url === "/hang" ? undefined : response.end('{"ok":true}');
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it.each([
    ["/redirect", "malformed"],
    ["/html", "malformed"],
    ["/shape", "malformed"],
    ["/large", "malformed"],
    ["/half", "unavailable"],
  ])("says of %s: %s, and nothing of the reply", async (path, code) => {
    const error = expect.objectContaining({ code, message: expect.not.stringContaining("canary") });
    await expect(get(network().http, `${url}${path}`)).rejects.toEqual(error);
  });

  it("reads JSON behind a byte order mark", async () => {
    expect(await get(network().http, `${url}/marked`)).toEqual({ ok: true });
  });

  it("takes an empty answer where none is expected, and no page of HTML for one", async () => {
    const ask = (path: string) => {
      const request = { action: "test: delete", method: "DELETE", reply: z.undefined(), signal: AbortSignal.timeout(5000) } as const;
      return network().http(`${url}${path}`, request);
    };
    expect(await ask("/empty")).toBeUndefined();
    await expect(ask("/html")).rejects.toMatchObject({ code: "malformed" });
    await expect(get(network().http, `${url}/empty`)).rejects.toMatchObject({ code: "malformed" });
  });

  it("reads a date in Retry-After by the other side's clock", async () => {
    await expect(get(network().http, `${url}/date`)).rejects.toMatchObject({ code: "rateLimited", retryAfterMs: 90_000 });
  });

  it("takes the exact wish of OpenAI's and Anthropic's answers before the one in seconds", async () => {
    await expect(get(network().http, `${url}/exact`)).rejects.toMatchObject({ code: "rateLimited", retryAfterMs: 1251 });
  });

  it("tells a deadline from another abort", async () => {
    const stop = new AbortController();
    const pending = get(network().http, `${url}/hang`, stop.signal);
    const reason = { any: "value" };
    setImmediate(() => stop.abort(reason));
    await expect(pending).rejects.toBe(reason);
    await expect(get(network().http, `${url}/hang`, AbortSignal.timeout(20))).rejects.toMatchObject({ code: "timeout" });
    await expect(get(network().http, `${url}/hang`, AbortSignal.any([stop.signal]))).rejects.toBe(reason);
  });

  it("shows a secret on the wire, and nowhere else", async () => {
    const bearer = new Secret("sk-canary-on-the-wire");
    await network().http(url, { action: "test: get", method: "GET", reply: ok, bearer, signal: AbortSignal.timeout(5000) });
    expect(requests.at(-1)).toBe("Bearer sk-canary-on-the-wire close");
    const broken = new Secret("sk-canary-with\na-line-end");
    const call = network().http(url, { action: "test: get", method: "GET", reply: ok, bearer: broken, signal: AbortSignal.timeout(5000) });
    const error: unknown = await call.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "misconfigured" });
    expect(`${error} ${(error as Error).cause}`).not.toContain("canary");
    expect(logged.join("\n")).not.toContain("canary");
  });

  it("says that no connection was made", async () => {
    const gone = await startEchoServer();
    await gone.close();
    await expect(get(network().http, `http://127.0.0.1:${gone.port}/`)).rejects.toMatchObject({ code: "unreachable", answered: true });
  });
});
