import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { gemini } from "../../providers/gemini.ts";
import { Secret } from "../../src/contract/secret.ts";
import type { FakeGemini } from "../fakes/gemini.ts";
import type { TestWorld } from "../support/world.ts";
import { type GeminiBench, geminiBench, good } from "./gemini-bench.ts";

const { signal } = new AbortController();
let bench: GeminiBench;
let fake: FakeGemini;
let world: TestWorld;
let provider: ReturnType<GeminiBench["connect"]>;

beforeAll(async () => {
  bench = await geminiBench();
  ({ fake, world } = bench);
});
beforeEach(() => {
  provider = bench.connect({});
});
afterEach(() => fake.reset());
afterAll(() => bench.close());

describe("settings", () => {
  it.each([
    [{ serviceAccount: "keys" }, "serviceAccount"],
    [{ verify: { by: "countTokens" } }, "verify.model"],
    [{ verify: { by: "models", model: "x" } }, "verify.model"],
    [{ verify: { by: "countTokens", model: "models/x" } }, "verify.model"],
    [{ adminKey: '{"type":"service_account"}' }, "adminKey"],
  ])("%j points at the field", (settings, field) => {
    const problems = gemini.settings.safeParse({ ...good, ...settings }).error?.issues;
    expect(problems?.map(({ path }) => path.join("."))).toEqual([field]);
  });

  it.each([
    [{}, [expect.stringContaining("verify: { by: countTokens")]],
    [{ verify: { by: "countTokens", model: "gemini-fake-1" } }, undefined],
  ])("say in the plan what a listing of models does not show: %j", (settings, notes) => {
    expect(gemini.describe(gemini.settings.parse({ ...good, ...settings })).notes).toEqual(notes);
  });

  it("say that a deletion can be undone", () => {
    expect(gemini.describe(gemini.settings.parse(good))).toMatchObject({ afterRevoke: "a project owner can undo it for 30 days" });
  });
});

describe("signing in", () => {
  it("takes one token for all calls until shortly before its end", async () => {
    let aheadMs = 0;
    const clock = { ...world.clock, now: () => Date.now() + aheadMs };
    const ahead = bench.connect({}, { clock });
    const before = fake.tokens.given;
    for (let n = 0; n < 3; n++) await ahead.list(signal);
    expect(fake.tokens.given).toBe(before + 1);
    aheadMs = 3_599_000 - 60_000;
    await ahead.list(signal);
    expect(fake.tokens.given).toBe(before + 2);
  });

  it("takes a new one at once when a kept token is refused, or the admin key is another", async () => {
    let now = fake.admin;
    const changing = bench.connect({}, { secret: async () => new Secret(now) });
    await changing.list(signal);
    fake.tokens.forget();
    await changing.list(signal);
    now = fake.reader;
    await expect(changing.create({ label: bench.newLabel() }, signal)).rejects.toMatchObject({ code: "forbidden" });
  });

  it("does not sign in for ever where a new token is refused, too", async () => {
    await provider.list(signal);
    fake.log.length = 0;
    fake.faults.add({ method: "GET", fault: { do: "reply", status: 401 } });
    await expect(provider.list(signal)).rejects.toMatchObject({ code: "unauthorized" });
    expect(fake.log).toHaveLength(2);
    await expect(provider.list(signal)).rejects.toMatchObject({ code: "unauthorized" });
    expect(fake.log, "a new one each time is asked with once").toHaveLength(3);
  });

  it.each([
    ["stranger", "unauthorized"],
    ["broken", "misconfigured"],
    ["literal", "misconfigured"],
  ])("with the admin key %s ends with %s, and nothing of it in the message", async (credential, code) => {
    const failure: unknown = await bench
      .connect({ adminKey: { credential } })
      .list(signal)
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code });
    expect(String((failure as Error).stack)).not.toContain("canary");
    expect(fake.log).toEqual([]);
  });

  it("ends with the reason of an abort", async () => {
    await expect(provider.list(AbortSignal.abort("no more"))).rejects.toBe("no more");
  });

  it("asks once where the token endpoint fails", async () => {
    let asked = 0;
    const exchange: TestWorld["exchange"] = async () => {
      asked += 1;
      return { status: 503, headers: {}, body: new Uint8Array() };
    };
    await expect(bench.connect({}, { exchange }).list(signal)).rejects.toMatchObject({ code: "unavailable" });
    expect(asked).toBe(1);
  });
});

describe("list", () => {
  it("leaves out deleted keys, and does not page for ever", async () => {
    const gone = fake.vendor.addKey("gone-1", "gone", { deletedAt: Date.now() });
    expect((await provider.list(signal)).map(({ id }) => id)).not.toContain(gone.id);
    fake.faults.add({ method: "GET", fault: { do: "reply", status: 200, body: { nextPageToken: "same" } } });
    await expect(provider.list(signal)).rejects.toMatchObject({ code: "malformed" });
  });

  it("takes an answer without keys for none", async () => {
    fake.faults.add({ method: "GET", fault: { do: "reply", status: 200, body: {} } });
    expect(await provider.list(signal)).toEqual([]);
  });
});

describe("identify", () => {
  it("is not certain of a deleted key, nor of a string that Google will not tell of", async () => {
    const gone = fake.vendor.addKey("gone-2", "gone", { deletedAt: Date.now() });
    expect(await provider.identify(new Secret(gone.secret), signal)).toBeUndefined();
    fake.vendor.rules.lookupOfUnknown = "PERMISSION_DENIED";
    expect(await provider.identify(new Secret("AQ.canary-nobody"), signal)).toBeUndefined();
    await expect(bench.connect({ project: "other" }).identify(new Secret("AQ.canary-nobody"), signal)).rejects.toMatchObject({
      code: "forbidden",
    });
  });

  it("does not take a key of another project for one of ours", async () => {
    const ours = fake.vendor.addKey("same-id", "ours");
    const body = { parent: "projects/9/locations/global", name: "projects/9/locations/global/keys/same-id" };
    fake.faults.add({ path: "lookupKey$", fault: { do: "reply", status: 200, body } });
    expect(await provider.identify(new Secret(ours.secret), signal)).toBeUndefined();
  });
});

describe("verify", () => {
  const answer = (status: number, name: string, reason?: string) => {
    const error = { code: status, message: "no", status: name, details: reason === undefined ? [] : [{ "@type": "x", reason }] };
    fake.faults.add({ fault: { do: "reply", status, body: { error } }, times: 1 });
  };

  it("sees the missing role of a bound account only by asking a model", async () => {
    const { secret } = fake.vendor.addKey("roleless-1", "roleless", { roleless: true });
    const by = (way: string) => bench.connect({ verify: { by: way, model: "gemini-fake-1" } }).verify(new Secret(secret), signal);
    expect(await provider.verify(new Secret(secret), signal)).toBe("accepted");
    expect([await by("countTokens"), await by("generateContent")]).toEqual(["limited", "limited"]);
  });

  it.each([
    ["another wrong argument", 400, "INVALID_ARGUMENT", "FIELD_INVALID", "invalid"],
    ["the reason without its status", 400, "FAILED_PRECONDITION", "API_KEY_INVALID", "invalid"],
    ["a key of a class that is no longer taken", 401, "UNAUTHENTICATED", "ACCESS_TOKEN_TYPE_UNSUPPORTED", "inconclusive"],
    ["a bare 401", 401, "UNAUTHENTICATED", undefined, "inconclusive"],
    ["a used-up quota", 429, "RESOURCE_EXHAUSTED", undefined, "rateLimited"],
    ["an unknown model", 404, "NOT_FOUND", undefined, "notFound"],
  ])("throws on %s", async (_, status, name, reason, code) => {
    answer(status, name, reason);
    await expect(provider.verify(new Secret("AQ.canary-any"), signal)).rejects.toMatchObject({ code });
  });

  it("never puts the key into the address", async () => {
    await provider.verify(new Secret("AQ.canary-any"), signal);
    expect(bench.requests()).toEqual(["GET /v1beta/models?pageSize=1"]);
  });
});

describe("revoke", () => {
  it.each(["FAILED_PRECONDITION", "NOT_FOUND"] as const)("takes %s for done where the key is gone", async (deletedAgain) => {
    fake.vendor.rules.deletedAgain = deletedAgain;
    const { id } = fake.vendor.addKey(undefined, "gone", { deletedAt: Date.now() });
    await provider.revoke(id, signal);
  });

  it.each([5, 9])("takes an operation that ends with code %i for done where the key is gone, and for nothing else", async (rpc) => {
    fake.vendor.rules.operationsFailWith = rpc;
    const { id } = fake.vendor.addKey(undefined, "alive");
    await expect(provider.revoke(id, signal)).rejects.toMatchObject({ code: rpc === 5 ? "inconclusive" : "undeletable" });
    // Somebody else is faster, while the operation runs.
    const http: TestWorld["http"] = async (url, request) => {
      const reply = await world.http(url, request);
      if (request.method === "DELETE") fake.vendor.key(id).deletedAt = Date.now();
      return reply;
    };
    await bench.connect({}, { http }).revoke(id, signal);
  });

  it("tries again where another change is under way", async () => {
    const error = { code: 409, message: "concurrent change", status: "ABORTED" };
    fake.faults.add({ fault: { do: "reply", status: 409, body: { error } } });
    for (const call of [provider.revoke("any", signal), provider.create({ label: bench.newLabel() }, signal)])
      await expect(call).rejects.toMatchObject({ code: "inconclusive", retry: true, answered: true });
  });

  it("does not take a refusal for done while the key lives", async () => {
    const { id } = fake.vendor.addKey(undefined, "alive");
    const error = { code: 400, message: "no", status: "FAILED_PRECONDITION" };
    fake.faults.add({ method: "DELETE", fault: { do: "reply", status: 400, body: { error } } });
    await expect(provider.revoke(id, signal)).rejects.toMatchObject({ code: "undeletable" });
  });

  it.each([
    [{ do: "reply", status: 404, body: { error: { code: 404, message: "no", status: "NOT_FOUND" } } }, "inconclusive"],
    [{ do: "html", status: 404 }, "malformed"],
  ] as const)("does not take a single 404 (%j) for done while the key lives", async (fault, code) => {
    const { id } = fake.vendor.addKey(undefined, "alive");
    fake.faults.add({ method: "DELETE", times: 1, fault });
    await expect(provider.revoke(id, signal)).rejects.toMatchObject({ code, retry: true });
    expect(fake.vendor.key(id).deletedAt).toBeNull();
  });

  it("does not take a wrong address for a key that is gone", async () => {
    const { id } = fake.vendor.addKey(undefined, "alive");
    await expect(bench.connect({ baseUrl: `${fake.url}/wrong` }).revoke(id, signal)).rejects.toMatchObject({ code: "notFound" });
  });

  it("waits until the deletion is done", async () => {
    fake.vendor.rules.looks = 2;
    const { id } = await provider.create({ label: bench.newLabel() }, signal);
    fake.reset();
    await provider.revoke(id, signal);
    expect(bench.requests().map((line) => line.split(" ")[0])).toEqual(["DELETE", "GET"]);
  });
});
