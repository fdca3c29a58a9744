import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RotationView } from "../../src/api-views.ts";
import { openClient } from "../../src/cli/client.ts";
import { Secret } from "../../src/contract/secret.ts";
import { AppRoleHost, adminKeyOf, openAiAdminHost } from "../support/admin-credentials.ts";
import type { Host } from "../support/host.ts";
import type { RotationHost } from "../support/rotation-host.ts";

async function expectDone(host: Host, rotation: RotationView): Promise<RotationView> {
  const ended = await host.settled(rotation.id, 60_000);
  expect(ended.outcome, `${ended.lastError?.message}; ${ended.stuck?.reason}\n${host.tail()}`).toBe("done");
  return ended;
}

const historyOf = async (host: Host, name: string) => (await host.client.call("history", { name, limit: 1000 })).events;

describe("an OpenAI admin key that signs the calls of another credential's provider, and its own", { timeout: 120_000 }, () => {
  let inner: RotationHost;

  async function start(scopes: "all" | "restricted" = "all"): Promise<void> {
    inner = await openAiAdminHost({ scopes });
    await inner.host.start();
    await inner.host.client.call("pair", { consumer: "gateway" });
    for (const name of ["admin", "main"]) await inner.host.client.call("adopt", { name });
  }

  afterEach(() => inner.stop());

  test("rotates while the other one rotates, and no call of either fails", async () => {
    await start();
    const { host, vendor } = inner;
    const old = vendor.admin;
    const users = inner.startLoad();
    let open = true;
    const others = (async () => {
      for (let rotations = 0; ; rotations += 1) {
        if (!open && rotations > 0) return rotations;
        await expectDone(host, await inner.rotate());
      }
    })();
    const rotation = await expectDone(host, await host.rotate("admin"));
    open = false;
    expect(await others).toBeGreaterThan(0);
    await users.stop();
    expect(users.failures).toEqual([]);

    const live = vendor.vendor.admins.listed().map(({ id }) => id);
    expect(live).toEqual([rotation.target, vendor.reader.id]);
    expect(adminKeyOf(inner)).toBe(vendor.vendor.admins.byId(rotation.target ?? "").secret);
    const refused = vendor.log.filter(({ path, status }) => path.startsWith("/v1/organization/") && status !== 200);
    const probes = refused.filter(({ keyId, method, path }) => keyId === old.id && method === "GET" && path.endsWith("/admin_api_keys"));
    expect(refused, "only our own probes of the dead key were refused").toEqual(probes);
    expect(probes.length).toBeGreaterThanOrEqual(3);
  });

  test("is used before the old one dies, by every plug that has it, and deletes the old one itself", async () => {
    await start();
    const { host, vendor } = inner;
    const old = vendor.admin.id;
    const rotation = await expectDone(host, await host.rotate("admin"));
    const deleted = vendor.log.find(({ method, path }) => method === "DELETE" && path.endsWith(old));
    expect(deleted).toMatchObject({ keyId: rotation.target, status: 200 });
    const before = vendor.log.filter(({ n, keyId }) => n < (deleted?.n ?? 0) && keyId === rotation.target).map(({ path }) => path);
    expect(before).toContain("/v1/organization/admin_api_keys");
    expect(before).toContain(`/v1/organization/projects/${vendor.vendor.project}/api_keys`);

    const proofs = (await historyOf(host, "admin")).filter(({ code }) => code === "consumerProven");
    expect(proofs.length).toBeGreaterThan(0);
    expect(proofs[0]?.detail).toEqual({
      consumer: "rotated itself",
      grade: "value",
      evidence: { calledWithIt: "provider openai, provider openai-admin" },
    });
    await host.end();
    expect(inner.written()).not.toContain("canary");
  });

  test("the old one is kept while a call that began with it is under way", async () => {
    await start();
    const { host, vendor } = inner;
    // A plan of the other credential lists its keys with the admin key of now, and its answer takes long.
    vendor.faults.add({ method: "GET", path: "/projects/.*/api_keys$", times: 1, fault: { do: "delay", ms: 1500 } });
    const slow = openClient(host.socket).call("plan", { name: "main" });
    await expect.poll(() => vendor.log.some(({ path }) => path.includes("/projects/")), { timeout: 10_000 }).toBe(true);
    const rotation = await expectDone(host, await host.rotate("admin"));
    const listing = vendor.log.find(({ path }) => path.includes("/projects/"));
    const deleted = vendor.log.find(({ method }) => method === "DELETE");
    expect(listing).toMatchObject({ keyId: rotation.old, status: 200 });
    expect(deleted?.at).toBeGreaterThanOrEqual(listing?.endedAt ?? Number.POSITIVE_INFINITY);
    expect((await slow).findings).toEqual([]);
  });

  test("goes back where a plug may not work with the new one", async () => {
    await start();
    const { host, vendor } = inner;
    // Of the new key's calls only those of the other provider are refused.
    vendor.onRequest = ({ keyId, path }, phase) => {
      const fresh = keyId?.startsWith("key_admin") && keyId !== vendor.admin.id && keyId !== vendor.reader.id;
      if (phase === "before" && fresh && path.includes("/projects/"))
        vendor.faults.add({ path: "/projects/", times: 1, fault: { do: "reply", status: 403 } });
    };
    const rotation = await host.settled((await host.rotate("admin")).id, 60_000);
    expect(rotation).toMatchObject({ outcome: "failed", lastError: { code: "refused" } });
    expect(adminKeyOf(inner)).toBe(vendor.admin.secret);
    expect(vendor.vendor.admins.listed().map(({ id }) => id)).toEqual([vendor.reader.id, vendor.admin.id]);
  });

  test("is shown with rotated itself as its consumer", async () => {
    await start();
    const { client } = inner.host;
    expect((await client.call("show", { name: "admin" })).consumers).toEqual(["rotated itself"]);
    expect((await client.call("show", { name: "main" })).consumers).toEqual(["gateway"]);
    const plan = await client.call("plan", { name: "admin" });
    expect(plan).toMatchObject({ plan: "routine", findings: [] });
    expect(plan.effects.filter(({ target }) => target.kind === "consumer")).toMatchObject([
      { step: "reload", target: { name: "rotated itself" }, consumersFeel: null },
      { step: "validate", target: { name: "rotated itself" }, effect: expect.stringContaining("provider openai, provider openai-admin") },
      { step: "revoke", target: { name: "rotated itself" }, irreversible: false },
    ]);
    const { checked } = await client.call("check", {});
    expect(checked).toContainEqual({ subject: { kind: "consumer", name: "rotated itself" }, findings: [] });
  });

  test("a restricted one is made by a person, and plan says why", async () => {
    await start("restricted");
    const { host, vendor } = inner;
    const plan = await host.client.call("plan", { name: "admin" });
    expect(plan).toMatchObject({ plan: "intake", findings: [] });
    expect(plan.notes.join("\n")).toContain("rotated by intake only, because OpenAI's create call cannot set an admin key's scopes");
    const { id } = await host.rotate("admin");
    const waiting = await host.settled(id);
    expect(waiting.stuck).toMatchObject({ hint: expect.stringContaining("give it the permissions of the key that it replaces") });
    const brought = vendor.vendor.admins.add("by a person");
    await expect(host.client.call("intake", { name: "admin", secret: new Secret("sk-svcacct-canary-wrong-kind") })).rejects.toThrow(
      "does not look like a key",
    );
    await host.client.call("intake", { name: "admin", secret: new Secret(brought.secret) });
    const rotation = await expectDone(host, waiting);
    expect(rotation.target).toBe(brought.id);
    expect(vendor.vendor.admins.listed().map((key) => key.id)).toEqual([brought.id, vendor.reader.id]);
    expect(vendor.log.filter(({ method, path }) => method === "POST" && path.endsWith("/admin_api_keys"))).toEqual([]);
  });
});

describe("the secret-id of an AppRole that opens a store, at a real OpenBao", { timeout: 120_000 }, () => {
  let own: AppRoleHost;
  beforeEach(async () => {
    own = await AppRoleHost.make();
    await own.host.start();
    await own.host.client.call("adopt", { name: "vault-secret-id" });
  });
  afterEach(() => own.stop());

  test("is replaced: the store works on, and the old secret-id and its tokens are refused", async () => {
    const { host, first } = own;
    expect((await host.client.call("plan", { name: "vault-secret-id" })).findings).toEqual([]);
    await expectDone(host, await host.rotate("vault-secret-id"));
    expect(await own.logIn(first.secret)).toBeUndefined();
    expect(await own.tokenLabels(), "rotated gave back its own tokens of the adopted one").not.toContain(undefined);

    const second = host.read("secret-id").trim();
    const elsewhere = await own.logIn(second);
    expect(await own.opens(elsewhere)).toBe(true);
    const rotation = await expectDone(host, await host.rotate("vault-secret-id"));
    expect(await own.logIn(second)).toBeUndefined();
    expect(await own.opens(elsewhere), "a token of the old one that somebody else held").toBe(false);

    const third = host.read("secret-id").trim();
    expect(await own.secretIds()).toEqual([rotation.target]);
    const label = (await host.show("vault-secret-id")).current?.label;
    expect(new Set(await own.tokenLabels())).toEqual(new Set([label]));
    expect(await own.opens(await own.logIn(third))).toBe(true);
    const proofs = (await historyOf(host, "vault-secret-id")).filter(({ code }) => code === "consumerProven");
    expect(proofs[0]?.detail).toEqual({
      consumer: "rotated itself",
      grade: "value",
      evidence: { calledWithIt: "provider approle, store vault" },
    });
    const check = await host.client.call("check", {});
    const about = check.checked.filter(({ subject }) => subject.name === "vault");
    expect(about.map(({ findings }) => findings.map(({ code }) => code))).toEqual([["foreign"]]);
  });

  test("a role whose secret-ids may be used a few times only is refused before anything is made", async () => {
    await own.bao.call("POST", "auth/approle/role/rotated", { secret_id_num_uses: 9 });
    const plan = await own.host.client.call("plan", { name: "vault-secret-id" });
    expect(plan.findings.map(({ code }) => code)).toEqual(["limitedUses"]);
    const rotation = await own.host.settled((await own.host.rotate("vault-secret-id")).id);
    expect(rotation).toMatchObject({ outcome: "failed", lastError: { code: "limitedUses" } });
    expect(await own.secretIds()).toEqual([own.first.id]);
  });
});
