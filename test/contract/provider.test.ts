import { describe, expect, it } from "vitest";
import { AdapterError } from "../../src/contract/errors.ts";
import { Secret } from "../../src/contract/secret.ts";
import { casesOf, everyWord, methodsOf, newLabel, openCase, type ProviderCase, signal, startVendors } from "./provider-cases.ts";

const vendors = await startVendors();

describe.each(casesOf(vendors, ["create", "intake", "dual-slot"]))("provider $title", (one: ProviderCase) => {
  const { vendor, definition } = one;
  const open = openCase(one);
  const can = methodsOf(one);

  it("has a create exactly where keys come from a call, and can rename what only persons make", () => {
    expect(open.provider.create !== undefined).toBe(one.supply !== "intake");
    if (definition.supply === "intake") expect(open.provider).toHaveProperty("rename");
  });

  describe.each(one.supply === "intake" ? [] : ["create"])("%s", () => {
    it("makes a key that is listed, under its label where the vendor keeps one, and that does its work", async () => {
      const label = newLabel();
      const key = await open.create({ label });
      expect(key.enabled).toBe(true);
      const listed = await open.provider.list(signal);
      const named = listed.filter((row) => (definition.unlabelled ? row.id === key.id : row.label === label));
      expect(named.map((row) => row.id)).toEqual([key.id]);
      expect(named[0]?.label).toBe(definition.unlabelled ? "" : label);
      expect(await open.provider.verify(key.secret, signal)).toBe("accepted");
    });

    it("takes a key to be like", async () => {
      const first = await open.make();
      const like = await open.find(first.id);
      const second = await open.create({ label: newLabel(), ...(like && { like }) });
      expect(second.id).not.toBe(first.id);
      expect(await open.provider.verify(second.secret, signal)).toBe("accepted");
    });

    it.each(definition.makeSecret ? [definition.makeSecret] : [])("uses the secret that it is given", async (makeSecret) => {
      const secret = makeSecret(open.world.random);
      const key = await open.create({ label: newLabel(), secret });
      expect(key.secret.equals(secret)).toBe(true);
      expect(await vendor.use(secret.reveal())).toBe(200);
    });

    it("leaves a key behind when the reply is lost, and says that the call is open", async () => {
      const label = newLabel();
      const before = new Set((await open.provider.list(signal)).map((row) => row.id));
      vendor.addFault({ ...vendor.createCall, fault: { do: "loseReply" }, times: 1 });
      const error = await open.failure(open.create({ label }));
      expect(error).toBeInstanceOf(AdapterError);
      expect(error).toMatchObject({ answered: false });
      const appeared = (await open.provider.list(signal)).filter((row) => !before.has(row.id));
      expect(appeared.map((row) => row.label)).toEqual([definition.unlabelled ? "" : label]);
      const [lost] = appeared;
      if (open.provider.recover === undefined || lost === undefined) return;
      expect(await open.provider.verify(await open.provider.recover(lost.id, signal), signal)).toBe("accepted");
    });

    it("makes nothing, and says so, when the vendor refuses", async () => {
      const before = await vendor.liveKeys();
      vendor.addFault({ ...vendor.createCall, fault: { do: "reply", status: 400 }, times: 1 });
      expect(await open.failure(open.create({ label: newLabel() }))).toMatchObject({ code: "invalid", answered: true });
      expect(await vendor.liveKeys()).toEqual(before);
    });
  });

  it.each(can.rename ? ["a name of ours"] : [])("gives a key %s", async () => {
    const key = await open.make();
    const label = newLabel();
    await open.provider.rename?.(key.id, label, signal);
    expect((await open.find(key.id))?.label).toBe(label);
  });

  describe("list", () => {
    it("gives every live key, ours or not, through all pages", async () => {
      await vendor.addStrangers(230);
      const ours = await open.make();
      const ids = (await open.provider.list(signal)).map((key) => key.id);
      expect(ids).toContain(ours.id);
      expect(new Set(ids)).toEqual(new Set(await vendor.liveKeys()));
      expect(ids).toHaveLength(new Set(ids).size);
    });

    it("never carries a secret", async () => {
      const { id, secret } = await open.make();
      const text = JSON.stringify(await open.provider.list(signal));
      expect(text).toContain(id);
      expect(text).not.toContain(secret.reveal());
      expect(text).not.toContain("canary");
    });

    it("tells when a key was made, and when it was last used where the vendor knows", async () => {
      const from = Date.now();
      const key = await open.make();
      const unused = await open.find(key.id);
      expect(unused?.createdAt.getTime()).toBeGreaterThan(from - 2000);
      expect(unused?.createdAt.getTime()).toBeLessThanOrEqual(Date.now());
      expect(unused?.enabled).toBe(true);
      // A listing that does not tell leaves it out: `null` would say that the key was never used.
      if (definition.lastUsed === undefined || open.provider.lastUse !== undefined) expect(unused).not.toHaveProperty("lastUsedAt");
      if (definition.lastUsed === undefined) return expect(open.provider.lastUse).toBeUndefined();
      const lastUse = async () =>
        open.provider.lastUse === undefined ? (await open.find(key.id))?.lastUsedAt : open.provider.lastUse(key.id, signal);
      expect(await lastUse()).toBeNull();
      await vendor.use(key.secret.reveal());
      const used = (await lastUse())?.getTime() ?? 0;
      expect(used).toBeGreaterThan(from - definition.lastUsed.precisionMs);
    });
  });

  describe("identify", () => {
    it("finds the key of a secret, where the vendor shows something of it", async () => {
      const key = await open.make();
      expect((await open.provider.identify(key.secret, signal))?.id).toBe(definition.cannotIdentify ? undefined : key.id);
    });

    it("is not certain of a secret that the vendor does not know", async () => {
      expect(await open.provider.identify(new Secret("sk-canary-nobody-made-this-one-0000"), signal)).toBeUndefined();
    });
  });

  describe("verify", () => {
    it("says refused of a secret that was never there, and of a revoked one", async () => {
      const key = await open.make();
      await open.provider.revoke(key.id, signal);
      expect(await open.provider.verify(key.secret, signal)).toBe("refused");
      expect(await open.provider.verify(new Secret("sk-canary-nobody-made-this-one-0000"), signal)).toBe("refused");
    });

    it("says limited of a key that is known but may not", async () => {
      const key = await open.make();
      await vendor.exhaust(key.id);
      expect(await open.provider.verify(key.secret, signal)).toBe("limited");
    });

    it("takes no outage, limit or bare refusal for an answer", async () => {
      const { secret } = await open.make();
      for (const status of [401, 403, 429, 500, 502, 503]) {
        vendor.addFault({ fault: { do: "html", status }, times: 1 });
        expect(await open.failure(open.provider.verify(secret, signal)), `status ${status}`).toBeInstanceOf(AdapterError);
        vendor.addFault({ fault: { do: "reply", status, body: {} }, times: 1 });
        expect(await open.failure(open.provider.verify(secret, signal)), `status ${status}`).toBeInstanceOf(AdapterError);
      }
    });

    it("takes no other answer than the vendor's own for accepted", async () => {
      const { secret } = await open.make();
      for (const body of [{}, { error: { message: "blocked" } }, { status: "ok" }]) {
        vendor.addFault({ fault: { do: "reply", status: 200, body }, times: 1 });
        expect(await open.failure(open.provider.verify(secret, signal)), JSON.stringify(body)).toMatchObject({ code: "malformed" });
      }
    });

    it("uses a connection of its own", async () => {
      const { secret } = await open.make();
      const before = vendor.connections();
      for (let n = 1; n <= 3; n++) {
        await open.provider.verify(secret, signal);
        expect(vendor.connections()).toBeGreaterThanOrEqual(before + n);
      }
    });
  });

  describe("revoke", () => {
    it("kills the key and no other", async () => {
      const old = await open.make();
      const next = await open.make();
      const others = (await vendor.liveKeys()).filter((id) => id !== old.id);
      await open.provider.revoke(old.id, signal);
      const left = await vendor.liveKeys();
      // A slot is never empty: what stands in it now is a value that nobody has.
      expect(left).toEqual(definition.supply === "dual-slot" ? expect.arrayContaining([...others]) : others);
      expect(left).not.toContain(old.id);
      expect(await open.find(old.id)).toBeUndefined();
      expect(await vendor.use(old.secret.reveal())).not.toBe(200);
      expect(await open.provider.verify(next.secret, signal)).toBe("accepted");
    });

    it("resolves when the key is already gone", async () => {
      const key = await open.make();
      await open.provider.revoke(key.id, signal);
      await open.provider.revoke(key.id, signal);
      await open.provider.revoke("key_neverwas", signal);
    });

    it("may be done again after a lost reply", async () => {
      const key = await open.make();
      vendor.addFault({ ...vendor.revokeCall, fault: { do: "loseReply" }, times: 1 });
      expect(await open.failure(open.provider.revoke(key.id, signal))).toMatchObject({ answered: false });
      await open.provider.revoke(key.id, signal);
      expect(await vendor.liveKeys()).not.toContain(key.id);
    });
  });

  it.each(can.setEnabled ? ["off and on again"] : [])("switches a key %s", async () => {
    const key = await open.make();
    await open.provider.setEnabled?.(key.id, false, signal);
    expect((await open.find(key.id))?.enabled).toBe(false);
    await open.provider.setEnabled?.(key.id, true, signal);
    expect(await open.provider.verify(key.secret, signal)).toBe("accepted");
  });

  it("preflight finds nothing in a good set-up, and changes nothing", async () => {
    const before = await vendor.liveKeys();
    expect((await open.provider.preflight?.(signal)) ?? []).toEqual([]);
    expect(await vendor.liveKeys()).toEqual(before);
  });

  it("leaves no secret in an error or a log line", () => {
    expect(open.errors.length).toBeGreaterThan(10);
    for (const error of open.errors) expect(everyWord(error)).not.toContain("canary");
    expect(open.world.logged.length).toBeGreaterThan(20);
    expect(open.world.logged.join("\n")).not.toContain("canary");
  });
});
