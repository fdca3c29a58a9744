import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ACTOR, eventsOf, putInForce, refused, writeStore } from "./support/control.ts";
import { rotatectl } from "./support/rotatectl.ts";
import { RotationHost } from "./support/rotation-host.ts";

let host: RotationHost;
const ctl = (...args: string[]) => rotatectl(host.host.socket, ...args);
/** Requests of ours that changed something at the vendor. */
const changes = () => host.vendor.log.filter(({ method, path }) => method !== "GET" && !path.endsWith("/chat/completions"));

/** The daemon runs, its consumer is paired, and nothing is adopted. */
async function unadopted(): Promise<void> {
  host = await RotationHost.make();
  await host.host.start();
  await host.host.client.call("pair", { consumer: "gateway" });
}

afterEach(() => host.stop());

describe("pair", () => {
  test("introduces us once; an unknown consumer is told", async () => {
    host = await RotationHost.make();
    await host.host.start();
    expect(await ctl("pair", "gateway")).toMatchObject({ code: 0 });
    expect(host.gateway.devices.size, "one device").toBe(1);
    expect(await ctl("pair", "gateway"), "again").toMatchObject({ code: 0 });
    expect(host.gateway.devices.size).toBe(1);
    expect(await ctl("pair", "gatway")).toEqual(refused('no consumer "gatway"', "there are: gateway"));
  });
});

describe("adopt", () => {
  beforeEach(unadopted);

  test("finds the key by its secret, changes nothing at the vendor, and says who asked", async () => {
    const { key } = host.vendor;
    expect(await ctl("adopt", "main")).toEqual({
      code: 0,
      stdout: `main: ${key.id} is under management; nothing was changed at the vendor\n`,
      stderr: "",
    });
    expect(changes()).toEqual([]);
    expect(host.stored()).toBe(key.secret);
    const shown = await host.host.show("main");
    expect(shown.current).toMatchObject({ vendorId: key.id, stage: "current" });
    expect(shown.nextAt, "its schedule begins").toBeGreaterThan(Date.now() + 29 * 86_400_000);
    expect(await eventsOf(host, "adopted")).toMatchObject([{ rotation: null, detail: { keyId: key.id, actor: ACTOR } }]);
  });

  test("twice is once", async () => {
    await ctl("adopt", "main");
    expect(await ctl("adopt", "main")).toMatchObject({ code: 0, stdout: `main: ${host.vendor.key.id} is under management already\n` });
    expect(await eventsOf(host, "adopted")).toHaveLength(1);
    expect((await host.host.show("main")).keys).toHaveLength(1);
  });

  test("of what is managed, under another key's id: the person is told that it is another one", async () => {
    await ctl("adopt", "main");
    const { id } = host.vendor.key;
    expect(await ctl("adopt", "main", "--key-id", "key_other")).toEqual(
      refused(`the store of main holds ${id}, not key_other`, "rotatectl adopt main"),
    );
    expect(await ctl("adopt", "main", "--key-id", id)).toMatchObject({ code: 0 });
  });

  test("twice at once is once, too", async () => {
    const { key } = host.vendor;
    const said = await Promise.all(Array.from({ length: 4 }, () => ctl("adopt", "main")));
    for (const one of said) expect(one).toMatchObject({ code: 0, stdout: expect.stringContaining(`main: ${key.id} is under management`) });
    expect(await eventsOf(host, "adopted")).toHaveLength(1);
    expect((await host.host.show("main")).keys).toHaveLength(1);
    expect(host.kept(), "one version is kept").toHaveLength(1);
  });

  test("a key that was made dead, and that somebody brought back to life, is told", { timeout: 120_000 }, async () => {
    await ctl("adopt", "main");
    const { key } = host.vendor;
    expect(await ctl("rotate", "main", "--now", "--wait")).toMatchObject({ code: 0 });
    Object.assign(key, { deletedAt: null });
    writeStore(host, key.secret);
    expect(await ctl("adopt", "main")).toEqual(
      refused(`${key.id} is in the ledger of main already, as dead`, "put another key into the store, then adopt that one"),
    );
  });

  test("an empty store has nothing to adopt", async () => {
    writeStore(host, "");
    expect(await ctl("adopt", "main")).toEqual(
      refused("the store of main is empty: there is nothing to adopt", "make its first key with: rotatectl rotate main"),
    );
  });

  test("a dead key is refused", async () => {
    host.vendor.vendor.deleteKey(host.vendor.key.id);
    expect(await ctl("adopt", "main")).toEqual(
      refused("the vendor refuses the value that the store of main holds", "put a key there that works, then adopt it"),
    );
    expect((await host.host.show("main")).current).toBeNull();
  });

  test("where the vendor's list does not tell which key it is, a person says so", async () => {
    const { key, vendor, account } = host.vendor;
    const twin = vendor.addKey(account, "twin");
    Object.assign(twin, { redacted: key.redacted });
    expect(await ctl("adopt", "main")).toEqual(
      refused(
        "the vendor's list does not tell which key the store of main holds",
        "look it up in the vendor's console, then: rotatectl adopt main --key-id ID",
      ),
    );
    expect(await ctl("adopt", "main", "--key-id", "key_of_nobody")).toEqual(
      refused("the vendor lists no key key_of_nobody", "the admin credential sees one project only: is it the right one?"),
    );
    expect(await ctl("adopt", "main", "--key-id", key.id)).toMatchObject({ code: 0 });
    expect((await host.host.show("main")).current?.vendorId).toBe(key.id);

    await ctl("retire", "main");
    expect(await ctl("adopt", "main"), "it is remembered").toMatchObject({
      code: 0,
      stdout: `main: ${key.id} is under management again\n`,
    });
  });

  test("a person who names the wrong key is told", async () => {
    const other = host.vendor.vendor.addKey(host.vendor.account, "other");
    expect(await ctl("adopt", "main", "--key-id", other.id)).toEqual(
      refused(`the store of main holds ${host.vendor.key.id}, not ${other.id}`, "rotatectl adopt main"),
    );
  });

  test("an unknown name is told, with the names that there are", async () => {
    expect(await ctl("adopt", "man")).toEqual(refused('no credential "man"', "there are: main"));
    for (const command of ["retire", "pause", "show", "history"])
      expect(await ctl(command, "constructor"), command).toEqual(refused('no credential "constructor"', "there are: main"));
    expect(await ctl("pair", "constructor")).toEqual(refused('no consumer "constructor"', "there are: gateway"));
  });

  test("a value that somebody wrote is adopted; the key before it dies with the next rotation", { timeout: 120_000 }, async () => {
    await ctl("adopt", "main");
    const { key, vendor, account } = host.vendor;
    const other = vendor.addKey(account, "by hand");
    writeStore(host, other.secret);
    const failed = await ctl("rotate", "main", "--now", "--wait");
    expect(failed.code).toBe(1);
    expect(failed.stderr + failed.stdout).toContain("the store of main holds a value that rotated neither wrote nor adopted");
    expect(changes(), "nothing was made").toEqual([]);

    expect(await ctl("adopt", "main")).toMatchObject({
      code: 0,
      stdout: `main: ${other.id} is under management; nothing was changed at the vendor; the next rotation makes ${key.id} dead\n`,
    });
    expect((await ctl("plan", "main")).stdout).toContain(`${key.id} is left over from an earlier rotation and is made dead, too`);
    await host.gateway.secrets.reload();
    expect(await ctl("rotate", "main", "--now", "--wait")).toMatchObject({ code: 0 });
    expect(host.liveKeys().map(({ secret }) => secret)).toEqual([host.stored()]);
    const dead = (await host.host.show("main")).keys.filter(({ stage }) => stage === "dead");
    expect(dead.map(({ vendorId }) => vendorId).toSorted()).toEqual([key.id, other.id].toSorted());
  });
});

test("a key that another credential holds cannot be adopted, until that one is retired", async () => {
  host = await RotationHost.make();
  const config = host.config(host.gateway.url);
  const { key } = host.vendor;
  host.host.write("secrets.json", JSON.stringify({ openai: { apiKey: key.secret }, other: { apiKey: key.secret } }));
  const other = { ...config.credentials.main, store: { ...config.credentials.main.store, field: "/other/apiKey" } };
  host.host.configure({ ...config, credentials: { ...config.credentials, other } });
  await host.host.start();
  expect(await ctl("adopt", "main")).toMatchObject({ code: 0 });
  expect(await ctl("adopt", "other")).toEqual(
    refused(`credential main already holds ${key.id}`, "give each credential a key of its own, or retire the other one"),
  );
  expect(await ctl("retire", "main")).toMatchObject({ code: 0 });
  expect(await ctl("adopt", "other")).toMatchObject({ code: 0 });
  expect(await ctl("adopt", "main"), "and not the other way round").toEqual(
    refused(`credential other already holds ${key.id}`, "give each credential a key of its own, or retire the other one"),
  );
});

test("a key that another credential holds by another entry for the same account cannot be adopted either", async () => {
  host = await RotationHost.start();
  const { key } = host.vendor;
  const config = host.config(host.gateway.url);
  host.host.write("other.json", JSON.stringify({ openai: { apiKey: key.secret } }));
  const store = { ...config.credentials.main.store, path: host.host.path("other.json") };
  const other = { ...config.credentials.main, provider: "second", store };
  const providers = { ...config.providers, second: config.providers.openai };
  await putInForce(host, { ...config, providers, credentials: { ...config.credentials, other } });
  expect(await ctl("adopt", "other")).toEqual(
    refused(`credential main already holds ${key.id}`, "give each credential a key of its own, or retire the other one"),
  );
});

test("a credential that got another name is rotated under it: the retired one does not hold its key", { timeout: 120_000 }, async () => {
  host = await RotationHost.start();
  const { key } = host.vendor;
  const config = host.config(host.gateway.url);
  await putInForce(host, { ...config, credentials: { renamed: config.credentials.main } });
  expect(await ctl("adopt", "renamed")).toEqual(
    refused(`credential main already holds ${key.id}`, "give each credential a key of its own, or retire the other one"),
  );
  expect(await ctl("retire", "main")).toMatchObject({ code: 0 });
  expect(await ctl("adopt", "renamed")).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("; what still has it by the retired credential main loses it with the next rotation\n"),
  });
  expect(await ctl("rotate", "renamed", "--now", "--wait")).toMatchObject({ code: 0 });
  expect(key.deletedAt).not.toBeNull();
});
