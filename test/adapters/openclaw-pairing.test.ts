import { execFile } from "node:child_process";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { openclaw } from "../../adapters/consumers/openclaw/index.ts";
import { briefWorld, old, scene, signal, thrown } from "./openclaw-world.ts";

describe("pairing with openclaw", () => {
  it("needs one call on the gateway's host, and leaves an identity that only we can read", async () => {
    const { consumer, world } = await scene({ paired: false });
    expect(await thrown(consumer().preflight(old, signal))).toMatchObject({ code: "misconfigured", cure: "rotatectl pair gateway" });
    expect(await consumer().pair?.(signal)).toMatchObject({ paired: true });
    const path = join(world.stateDirectory, "openclaw-gateway.json");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await consumer().preflight(old, signal)).toEqual([]);
    const identity = await readFile(path, "utf8");
    expect(await consumer().pair?.(signal)).toMatchObject({ paired: true, message: expect.stringContaining("already") });
    expect(await readFile(path, "utf8")).toBe(identity);
  });

  it("works on without the gateway's token", async () => {
    const { gateway, world } = await scene();
    const consumer = openclaw.connect(
      openclaw.settings.parse({ url: gateway.url }),
      openclaw.use.parse({ provider: "openai" }),
      { credential: "prod", consumer: "gateway" },
      { ...world, secret: () => Promise.reject(new Error("nobody may ask for the token")) },
    );
    expect(await consumer.reload(old, signal)).toEqual({ holds: "expected" });
  });

  it("from another host waits for somebody to approve it there, then finishes with the same identity", async () => {
    const { consumer, gateway } = await scene({ remote: true });
    const first = await consumer().pair?.(signal);
    expect(first).toMatchObject({ paired: false });
    const requestId = /openclaw devices approve (\S+)/.exec(first?.message ?? "")?.[1] ?? "";
    expect(await consumer().pair?.(signal)).toEqual(first);
    expect(gateway.approve(requestId)).toBe(true);
    expect(await consumer().pair?.(signal)).toMatchObject({ paired: true });
    expect(gateway.devices.size).toBe(1);
    expect(await consumer().prove(old, signal)).toMatchObject({ result: "proven" });
  });

  it("says which reference is wrong when the gateway does not accept the token", async () => {
    const { gateway } = await scene({ paired: false });
    const world = await briefWorld({ secrets: { gateway: "another-canary-token" } });
    const settings = openclaw.settings.parse({ url: gateway.url, token: { credential: "gateway" } });
    const consumer = openclaw.connect(
      settings,
      openclaw.use.parse({ provider: "openai" }),
      { credential: "prod", consumer: "gateway" },
      world,
    );
    const error = await thrown(consumer.pair?.(signal));
    expect(error).toMatchObject({ code: "unauthorized", cure: expect.stringContaining("consumers.gateway.token") });
  });

  it("says so when the gateway has forgotten the device, and pairs anew", async () => {
    const { consumer, gateway } = await scene();
    gateway.devices.clear();
    expect(await thrown(consumer().reload(old, signal))).toMatchObject({ code: "misconfigured", cure: "rotatectl pair gateway" });
    expect(await consumer().pair?.(signal)).toMatchObject({ paired: true });
    expect(await consumer().reload(old, signal)).toEqual({ holds: "expected" });
  });

  it("does not begin with an identity file that is broken", async () => {
    const { consumer, world } = await scene();
    await world.files.replace(join(world.stateDirectory, "openclaw-gateway.json"), "{}");
    expect(await thrown(consumer().reload(old, signal))).toMatchObject({ code: "misconfigured", cure: expect.stringContaining("remove ") });
  });

  it("goes over wss to a host with a certificate of our own authority, and not to one that nobody vouches for", async () => {
    const folder = await briefWorld();
    const [key, cert] = [join(folder.stateDirectory, "key.pem"), join(folder.stateDirectory, "cert.pem")];
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
    await promisify(execFile)("openssl", [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-days",
      "1",
      ...subject,
      "-keyout",
      key,
      "-out",
      cert,
    ]);
    const stage = await scene({ tls: { key: await readFile(key, "utf8"), cert: await readFile(cert, "utf8") }, remote: true });
    expect(await thrown(stage.consumer().pair?.(signal))).toMatchObject({ code: "unreachable" });

    const world = await briefWorld({
      secrets: { gateway: (await stage.world.secret({ credential: "gateway" })).reveal() },
      network: { ca: [cert] },
    });
    const settings = openclaw.settings.parse({ url: stage.gateway.url, token: { credential: "gateway" } });
    const consumer = openclaw.connect(
      settings,
      openclaw.use.parse({ provider: "openai" }),
      { credential: "prod", consumer: "gateway" },
      world,
    );
    const first = await consumer.pair?.(signal);
    stage.gateway.approve(/approve (\S+)/.exec(first?.message ?? "")?.[1] ?? "");
    expect(await consumer.pair?.(signal)).toMatchObject({ paired: true });
    expect(await consumer.prove(old, signal)).toMatchObject({ result: "proven" });
  });

  it("refuses plain text off loopback", async () => {
    const { world } = await scene();
    const settings = openclaw.settings.parse({ url: "ws://192.0.2.1:18789" });
    const consumer = openclaw.connect(
      settings,
      openclaw.use.parse({ provider: "openai" }),
      { credential: "prod", consumer: "gateway" },
      world,
    );
    expect(await thrown(consumer.reload(old, signal))).toMatchObject({ code: "insecure" });
  });
});
