import { existsSync } from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import { refusedStart, reload } from "../bad-input/daemon.ts";
import { resolve } from "../support/rotatectl.ts";
import { RotationHost } from "../support/rotation-host.ts";

const granted = { credential: { resolve: [{ user: process.getuid?.() }] } };

describe("the daemon and its resolve socket", { timeout: 120_000 }, () => {
  let host: RotationHost;
  afterEach(() => host.stop());

  const configure = (more: object, options = {}) => host.host.configure({ ...host.config(host.gateway.url, options), ...more });
  const ask = () => resolve(host.host.path("resolve.sock"), "main");

  test("the socket is there while somebody is granted something, and a reload changes both", async () => {
    host = await RotationHost.start();
    expect(existsSync(host.host.path("resolve.sock"))).toBe(false);
    configure({}, granted);
    await reload(host.host);
    expect(JSON.parse((await ask()).stdout).values).toEqual({ main: host.stored() });
    configure({}, { credential: { resolve: [{ user: 4242 }] } });
    await reload(host.host);
    expect(JSON.parse((await ask()).stdout).values).toEqual({});
    configure({});
    await reload(host.host);
    expect(existsSync(host.host.path("resolve.sock"))).toBe(false);
    expect(await ask()).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("no daemon answers") });
  });

  test("after SIGKILL the socket that was left is replaced; SIGTERM takes it away", async () => {
    host = await RotationHost.start(granted);
    await host.host.end("SIGKILL");
    expect(existsSync(host.host.path("resolve.sock"))).toBe(true);
    await host.host.start();
    expect(JSON.parse((await ask()).stdout).values).toEqual({ main: host.stored() });
    await host.host.end();
    expect(existsSync(host.host.path("resolve.sock"))).toBe(false);
  });

  test("in a rotation it gives what the store holds: the new key from promote on", async () => {
    host = await RotationHost.start(granted);
    const before = host.stored();
    await host.rotate({ overlap: true });
    await host.reaches("drain");
    expect(host.stored()).not.toBe(before);
    expect(JSON.parse((await ask()).stdout).values).toEqual({ main: host.stored() });
  });

  test("a socket that cannot be made: the start is refused, and so is a reload, which keeps the configuration before", async () => {
    host = await RotationHost.start();
    const elsewhere = { resolveSocket: host.host.path("missing/resolve.sock") };
    configure(elsewhere);
    await host.host.end();
    await host.host.start();
    configure(elsewhere, granted);
    const said = await reload(host.host);
    expect(said).toContainEqual(expect.objectContaining({ level: "error", hint: expect.stringContaining("`resolveSocket:`") }));
    expect(said.at(-1)?.msg).toMatch(/is refused: the one before stays in force/);
    expect((await host.host.show("main")).name).toBe("main");
    await host.host.end();
    const { code, said: why } = await refusedStart(host.host);
    expect(code).toBe(1);
    expect(why[0]).toMatchObject({
      msg: expect.stringMatching(/^resolve socket: listen on /),
      hint: expect.stringContaining("`resolveSocket:`"),
    });
  });

  test("a name that no account has is warned of, with its place", async () => {
    host = await RotationHost.make();
    configure(
      { control: { act: [{ user: "root" }, { group: "no-such-group" }] } },
      { credential: { resolve: [{ user: "no-such-user" }] } },
    );
    await host.host.start();
    expect(host.host.log).toMatch(
      /rotated\.yaml:\d+:\d+: credentials\.main\.resolve\[0\]\.user: no user of this name on this host: it lets nobody in/,
    );
    expect(host.host.log).toMatch(/control\.act\[1\]\.group: no group of this name on this host/);
    expect(host.host.log).not.toContain("no-such-user");
  });
});
