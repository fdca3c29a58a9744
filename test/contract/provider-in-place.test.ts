import { beforeEach, describe, expect, it } from "vitest";
import { Secret } from "../../src/contract/secret.ts";
import { casesOf, everyWord, newLabel, openCase, type ProviderCase, signal, startVendors } from "./provider-cases.ts";

const vendors = await startVendors();
const FIRST = "canary-value-in-use-0001";

// Where a vendor knows one value at a time, the engine makes it, a consumer loads it, and the vendor is only asked.
describe.each(casesOf(vendors, ["in-place"]))("provider $title", (one: ProviderCase) => {
  const { vendor, definition } = one;
  const open = openCase(one);
  const make = async () => {
    const secret = definition.makeSecret?.(open.world.random);
    if (secret === undefined) throw new Error("a value in place is made by us");
    return { key: await open.create({ label: newLabel(), secret }), secret };
  };
  const load = async (value: string) => {
    await vendor.load?.(value);
    expect(vendor.live?.()).toBe(value);
  };
  beforeEach(() => load(FIRST));

  it("goes through a consumer of the configuration", () => {
    expect(definition.through?.setting).toBeOneOf(Object.keys(definition.settings.shape));
  });

  describe("create", () => {
    it("takes the secret that it is given, and changes nothing at the vendor", async () => {
      const label = newLabel();
      const secret = new Secret("canary-value-of-ours-0002");
      const key = await open.create({ label, secret });
      expect(key).toMatchObject({ label, enabled: true });
      expect(key.secret.equals(secret)).toBe(true);
      expect(JSON.stringify(key)).not.toContain("canary");
      expect(vendor.live?.()).toBe(FIRST);
      expect(await open.provider.verify(secret, signal)).toBe("refused");
      expect((await open.provider.list(signal)).map(({ id }) => id)).not.toContain(key.id);
    });

    it("gives each value an id of its own, and the same value the same", async () => {
      const [first, second] = [await make(), await make()];
      expect(first.secret.equals(second.secret)).toBe(false);
      expect(first.key.id).not.toBe(second.key.id);
      expect((await open.create({ label: newLabel(), secret: first.secret })).id).toBe(first.key.id);
    });
  });

  it("lists the one value that is in use, and identifies no other", async () => {
    const { key, secret } = await make();
    const [before, ...none] = await open.provider.list(signal);
    expect(none).toEqual([]);
    expect(JSON.stringify(before)).not.toContain("canary");
    expect(await open.provider.identify(new Secret(FIRST), signal)).toMatchObject({ id: before?.id });
    expect(await open.provider.identify(secret, signal)).toBeUndefined();
    await load(secret.reveal());
    expect((await open.provider.list(signal)).map(({ id }) => id)).toEqual([key.id]);
    expect((await open.provider.identify(secret, signal))?.id).toBe(key.id);
  });

  it("says accepted of the value in use only, each time on a connection of its own", async () => {
    const { secret } = await make();
    const before = vendor.connections();
    expect(await open.provider.verify(new Secret(FIRST), signal)).toBe("accepted");
    await load(secret.reveal());
    expect(await open.provider.verify(secret, signal)).toBe("accepted");
    expect(await open.provider.verify(new Secret(FIRST), signal)).toBe("refused");
    expect(vendor.connections()).toBe(before + 3);
  });

  describe("revoke", () => {
    it("resolves for what is not in use, however often", async () => {
      const { key } = await make();
      await open.provider.revoke(key.id, signal);
      await open.provider.revoke(key.id, signal);
      await open.provider.revoke("never-was", signal);
      expect(vendor.live?.()).toBe(FIRST);
    });

    it("cannot take away the value in use, and says so", async () => {
      const [live] = await open.provider.list(signal);
      expect(await open.failure(open.provider.revoke(live?.id ?? "", signal))).toMatchObject({ code: "undeletable", answered: true });
      expect(vendor.live?.()).toBe(FIRST);
    });
  });

  it("ends with the reason of an abort, and sends nothing once it was aborted", async () => {
    const secret = new Secret(FIRST);
    const reason = new Error("shutting down");
    const aborted = AbortSignal.abort(reason);
    const connections = vendor.connections();
    expect(await open.failure(open.create({ label: newLabel(), secret }, aborted))).toBe(reason);
    expect(await open.failure(open.provider.list(aborted))).toBe(reason);
    expect(await open.failure(open.provider.identify(secret, aborted))).toBe(reason);
    expect(await open.failure(open.provider.verify(secret, aborted))).toBe(reason);
    expect(await open.failure(open.provider.revoke("any", aborted))).toBe(reason);
    expect(vendor.connections()).toBe(connections);
  });

  it("leaves no secret in an error", () => {
    expect(open.errors.length).toBeGreaterThan(5);
    for (const error of open.errors) expect(everyWord(error)).not.toContain("canary");
  });
});
