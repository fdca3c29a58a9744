import { request } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { type FakeGateway, startFakeGateway } from "../fakes/gateway.ts";
import { makeAuthority } from "../support/authority.ts";
import { openclawJson } from "../support/openclaw.ts";
import { startProxy } from "../support/proxy.ts";
import { rotatectl } from "../support/rotatectl.ts";
import { RotationHost } from "../support/rotation-host.ts";
import { refusedStart, reload, waiting } from "./daemon.ts";

let host: RotationHost;
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  await host.stop();
});

const ctl = (...args: string[]) => rotatectl(host.host.socket, ...args);
const portOf = (url: string) => Number(new URL(url).port);

/** Everything but the daemon, and the configuration with an address of the vendor, of the gateway, and a network. */
async function made(): Promise<(more: { vendor?: string; gateway?: string; network?: object }) => object> {
  host = await RotationHost.make();
  return ({ vendor, gateway = host.gateway.url, network = {} }) => ({
    ...host.config(gateway, vendor === undefined ? {} : { provider: { baseUrl: vendor } }),
    network,
  });
}

/** Adopts and rotates, with what the network is now. */
async function rotatesNow(): Promise<void> {
  expect(await ctl("pair", "gateway")).toMatchObject({ code: 0 });
  expect(await ctl("adopt", "main")).toMatchObject({ code: 0 });
  expect(await ctl("rotate", "main", "--now", "--wait")).toMatchObject({ code: 0 });
  expect(host.liveKeys().map(({ secret }) => secret)).toEqual([host.stored()]);
}

async function deadPort(): Promise<string> {
  const proxy = await startProxy({ toPort: 1 });
  await proxy.close();
  return proxy.url;
}

describe("a proxy that is wrong", () => {
  test("for http: told with a hint; put right, the same rotation goes on, and every request went through it", {
    timeout: 120_000,
  }, async () => {
    const config = await made();
    const vendor = "http://vendor.test/v1";
    const good = await startProxy({ toPort: portOf(host.vendor.url) });
    const bad = await startProxy({ toPort: portOf(host.vendor.url), refuse: 502 });
    ends.push(good.close, bad.close);
    host.host.configure(config({ vendor, network: { proxy: good.url, allowHttp: true } }));
    await host.host.start();
    expect(await ctl("pair", "gateway")).toMatchObject({ code: 0 });
    expect(await ctl("adopt", "main")).toMatchObject({ code: 0 });

    for (const proxy of [bad.url, await deadPort()]) {
      host.host.configure(config({ vendor, network: { proxy, allowHttp: true } }));
      await reload(host.host);
      const checked = await ctl("check", "--online");
      expect(checked.code).toBe(1);
      expect(checked.stdout).toMatch(/openai: list keys: .*\n.*hint: .*/);
      expect(checked.stdout, "the gateway is on loopback").toContain("✔ consumer gateway");
    }
    expect(bad.forwarded.length, "it was asked").toBeGreaterThan(0);
    await host.rotate();
    expect((await waiting(host.host, /^openai: /)).lastError?.code).toBe("unreachable");

    const before = good.forwarded.length;
    const seen = host.vendor.log.length;
    host.host.configure(config({ vendor, network: { proxy: good.url, allowHttp: true } }));
    await reload(host.host);
    expect(await host.host.settled(1)).toMatchObject({ outcome: "done" });
    const ours = host.vendor.log.slice(seen).filter(({ path }) => !path.endsWith("/chat/completions"));
    expect(good.forwarded.length - before, "none went around it").toBe(ours.length);
  });

  test("for the WebSocket: told with a hint; put right, it is used for each connection", { timeout: 120_000 }, async () => {
    const config = await made();
    const gateway = "ws://gateway.test:18789";
    const good = await startProxy({ toPort: portOf(host.gateway.url) });
    const bad = await startProxy({ toPort: portOf(host.gateway.url), refuse: 403 });
    ends.push(good.close, bad.close);
    host.host.configure(config({ gateway, network: { proxy: bad.url, allowHttp: true } }));
    await host.host.start();
    const refused = await ctl("pair", "gateway");
    expect(refused.code).toBe(1);
    expect(refused.stderr + refused.stdout).toMatch(/gateway: .*/);
    expect(refused.stderr).toMatch(/hint: ./);
    expect(bad.tunnels.length, "it was asked").toBeGreaterThan(0);
    expect(host.gateway.devices.size, "nobody went around it").toBe(0);

    host.host.configure(config({ gateway, network: { proxy: good.url, allowHttp: true } }));
    await reload(host.host);
    await rotatesNow();
    expect(new Set(good.tunnels)).toEqual(new Set(["gateway.test:18789"]));
  });
});

describe("a certificate authority that is wrong", () => {
  test("for http: told with a hint; the right one given, it goes on", { timeout: 120_000 }, async () => {
    const config = await made();
    const authority = makeAuthority();
    ends.push(authority.remove);
    const front = await tlsFront(authority.tls, portOf(host.vendor.url));
    ends.push(front.close);
    const vendor = `https://localhost:${front.port}/v1`;
    host.host.configure(config({ vendor }));
    await host.host.start();
    const checked = await ctl("check", "--online");
    expect(checked.code).toBe(1);
    expect(checked.stdout).toMatch(/openai: list keys: .*certificate.*\n.*hint: .*(CA|authority|network\.ca)/i);
    expect(host.vendor.log, "nothing was said to it").toEqual([]);
    host.host.configure(config({ vendor, network: { ca: [authority.caFile] } }));
    await reload(host.host);
    await rotatesNow();
  });

  test("for the WebSocket: told with a hint; the right one given, it goes on", { timeout: 120_000 }, async () => {
    const config = await made();
    const authority = makeAuthority();
    ends.push(authority.remove);
    const file = openclawJson({ vendor: host.vendor.url, secretFile: host.host.path("secrets.json") });
    const secure: FakeGateway = await startFakeGateway(file, { tls: authority.tls, cooldownMs: 2000 });
    ends.push(secure.close);
    host.host.configure(config({ gateway: secure.url }));
    await host.host.start();
    const refused = await ctl("pair", "gateway");
    expect(refused.code).toBe(1);
    expect(refused.stderr + refused.stdout).toMatch(/gateway: .*/);
    expect(refused.stderr).toMatch(/hint: .*(CA|authority|network\.ca)/i);
    expect(secure.devices.size).toBe(0);
    host.host.configure(config({ gateway: secure.url, network: { ca: [authority.caFile] } }));
    await reload(host.host);
    await rotatesNow();
  });

  test("a file that holds none is refused at the start", async () => {
    const config = await made();
    const authority = makeAuthority();
    ends.push(authority.remove);
    host.host.configure(config({ network: { ca: [authority.keyFile] } }));
    expect(await refusedStart(host.host)).toEqual({
      code: 1,
      said: [{ msg: `network.ca: ${authority.keyFile} holds no PEM certificate`, hint: "name a file with BEGIN CERTIFICATE in it" }],
    });
  });
});

test("plain http and ws off loopback are refused before the start, and nothing is sent", async () => {
  const config = await made();
  host.host.configure(config({ vendor: "http://vendor.test/v1", gateway: "ws://gateway.test:18789" }));
  const { code, said } = await refusedStart(host.host);
  expect(code).toBe(2);
  expect(said).toHaveLength(2);
  for (const { msg, hint } of said) {
    expect(msg).toMatch(/plain/);
    expect(hint).toMatch(/allowHttp/);
  }
  const checked = await ctl("check", host.host.configPath);
  expect(checked.code).toBe(1);
  expect(checked.stdout).toContain(said[0]?.msg);
  expect(host.vendor.connections).toBe(0);
});

/** TLS in front of a plain server of loopback. */
async function tlsFront(tls: { key: string; cert: string }, toPort: number) {
  const server = createTlsServer(tls, (incoming, response) => {
    const { method, url, headers } = incoming;
    const onward = request({ port: toPort, host: "127.0.0.1", method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
