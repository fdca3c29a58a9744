import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ACTOR, eventsOf, putInForce, refused } from "./support/control.ts";
import { rotatectl } from "./support/rotatectl.ts";
import { RotationHost } from "./support/rotation-host.ts";

let host: RotationHost;
const ctl = (...args: string[]) => rotatectl(host.host.socket, ...args);
/** Requests of ours that changed something at the vendor. */
const changes = () => host.vendor.log.filter(({ method, path }) => method !== "GET" && !path.endsWith("/chat/completions"));

afterEach(() => host.stop());

describe("retire", () => {
  beforeEach(async () => {
    host = await RotationHost.start();
  });

  test("leaves the live key alone and says what is left to do", async () => {
    const { key } = host.vendor;
    const stays = `its key ${key.id} stays valid at the vendor and in the store, and nobody rotates it any more`;
    expect(await ctl("retire", "main")).toEqual({
      code: 0,
      stdout: `main: main is retired; ${stays}: delete it in the vendor's console once nothing uses it\n`,
      stderr: "",
    });
    expect(changes()).toEqual([]);
    expect(key.deletedAt).toBeNull();
    expect(host.stored()).toBe(key.secret);
    expect(await eventsOf(host, "retired")).toMatchObject([{ detail: { actor: ACTOR, keyId: key.id } }]);
    expect((await host.host.client.call("status", {})).credentials, "out of sight").toEqual([]);
    expect(await ctl("rotate", "main")).toEqual(refused("main was retired", "bring it back with: rotatectl adopt main"));
    expect(await ctl("rotate", "--all", "--now"), "not what all means").toMatchObject({ code: 0, stderr: "" });

    expect(await ctl("adopt", "main")).toMatchObject({ code: 0, stdout: `main: ${key.id} is under management again\n` });
    expect((await host.host.show("main")).nextAt).not.toBeNull();
  });

  test("a key that was deleted meanwhile, as a person was told to, is not brought back", async () => {
    await ctl("retire", "main");
    Object.assign(host.vendor.key, { deletedAt: Date.now() });
    expect(await ctl("adopt", "main")).toEqual(
      refused("the vendor refuses the value that the store of main holds", "put a key there that works, then adopt it"),
    );
    expect(await ctl("rotate", "main")).toEqual(refused("main was retired", "bring it back with: rotatectl adopt main"));
  });

  test("there is no way to revoke a live key with it: consumers hold it", async () => {
    expect(await ctl("retire", "main", "--revoke")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("unknown option '--revoke'"),
    });
    const { key } = host.vendor;
    const request = { name: "main", revoke: true };
    await expect(host.host.client.call("retire", request)).rejects.toMatchObject({ code: "invalid" });
    expect(key.deletedAt).toBeNull();
  });

  test("waits for a rotation that is open, and for keys that are not dead yet", async () => {
    host.gateway.knobs.starting = true;
    await host.rotate();
    expect(await ctl("retire", "main")).toEqual(
      refused("main has an open rotation (routine)", "wait until it is over, or say rotatectl abandon"),
    );
    host.gateway.knobs.starting = false;
    await host.reaches("validate").catch(() => undefined);
  });
});

test("abandoned: what is left over keeps a credential from being retired until the next rotation has settled it", {
  timeout: 120_000,
}, async () => {
  host = await RotationHost.start();
  await host.rotate({ overlap: true });
  await host.reaches("drain");
  const old = host.vendor.key.id;
  expect(await ctl("abandon", "main")).toMatchObject({ code: 0, stdout: expect.stringContaining(`the next rotation makes ${old} dead`) });
  expect(await ctl("retire", "main")).toEqual(
    refused(`main has keys that are not dead yet: ${old}`, "a rotation makes them dead: rotatectl rotate main"),
  );
  expect(await ctl("rotate", "main", "--now", "--wait")).toMatchObject({ code: 0 });
  expect(host.liveKeys()).toHaveLength(1);
  expect(await ctl("retire", "main")).toMatchObject({ code: 0 });
});

test("abandoned while the create call has no answer: it is told, and the key that may come of it keeps a credential from being retired", {
  timeout: 120_000,
}, async () => {
  host = await RotationHost.start();
  host.vendor.faults.add({ method: "POST", path: "/api_keys$", times: 1, fault: { do: "loseReply" } });
  // Nor can anybody see yet what it made.
  host.vendor.onRequest = async ({ method }) => {
    if (method === "POST") host.vendor.faults.add({ method: "GET", path: "/api_keys", fault: { do: "hang" } });
  };
  await host.rotate();
  await vi.waitFor(() => expect(host.liveKeys(), "the vendor made it").toHaveLength(2), { timeout: 20_000, interval: 20 });
  const [intent] = (await host.host.show("main")).openIntents;
  expect(await ctl("abandon", "main")).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(`nobody was called; the next rotation settles the create call ${intent?.label}\n`),
  });
  expect(await ctl("retire", "main")).toEqual(
    refused(`main has a create call that is not settled yet: ${intent?.label}`, "a rotation settles it: rotatectl rotate main"),
  );

  const config = host.config(host.gateway.url);
  await putInForce(host, { ...config, credentials: {} });
  const told = (await host.host.client.call("status", {})).credentials;
  expect(told, "it is not forgotten with the configuration").toMatchObject([{ name: "main", configured: false }]);
  await putInForce(host, config);

  Object.assign(host.vendor, { onRequest: undefined });
  host.vendor.faults.clear();
  expect(await ctl("rotate", "main", "--now", "--wait")).toMatchObject({ code: 0 });
  expect(host.liveKeys()).toHaveLength(1);
  expect(await ctl("retire", "main")).toMatchObject({ code: 0 });
});
