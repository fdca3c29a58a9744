import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { FakeGemini } from "../fakes/gemini.ts";
import type { TestWorld } from "../support/world.ts";
import { type GeminiBench, geminiBench, serviceAccount } from "./gemini-bench.ts";

const { signal } = new AbortController();
const GEMINI = { service: "generativelanguage.googleapis.com" };
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

describe("create", () => {
  it("binds the key, restricts it to Gemini, waits for the operation and reads the string", async () => {
    fake.vendor.rules.looks = 3;
    const label = bench.newLabel();
    const key = await provider.create({ label }, signal);
    expect(key).toMatchObject({ id: label, label });
    const made = fake.vendor.key(label);
    expect(made).toMatchObject({ displayName: label, serviceAccountEmail: serviceAccount, restrictions: { apiTargets: [GEMINI] } });
    expect(made.annotations).toEqual({ "rotated-label": label });
    expect(key.secret.reveal()).toBe(made.secret);
    expect(bench.requests().filter((line) => line.includes("/operations/"))).toHaveLength(3);
  });

  it("carries over restrictions and annotations, but for the label", async () => {
    const restrictions = { apiTargets: [GEMINI], serverKeyRestrictions: { allowedIps: ["192.0.2.1"] } };
    const model = fake.vendor.addKey("model-1", "old", { restrictions, annotations: { team: "a", "rotated-label": "old" } });
    const like = { id: model.id, label: "old", createdAt: new Date(), enabled: true };
    const label = bench.newLabel();
    await provider.create({ label, like }, signal);
    expect(fake.vendor.key(label)).toMatchObject({ restrictions, annotations: { team: "a", "rotated-label": label } });
  });

  it("restricts the successor of a key without restrictions", async () => {
    const { id } = fake.vendor.addKey("model-2", "old", { restrictions: {}, serviceAccountEmail: "" });
    const label = bench.newLabel();
    await provider.create({ label, like: { id, label: "old", createdAt: new Date(), enabled: true } }, signal);
    expect(fake.vendor.key(label)).toMatchObject({ restrictions: { apiTargets: [GEMINI] }, serviceAccountEmail: serviceAccount });
  });

  it("makes an id that Google takes of any label", async () => {
    const [long, upper] = [`rotated-${"x".repeat(54)}-`, "Rotated_Key.1"];
    const ids = await Promise.all([long, upper].map(async (label) => (await provider.create({ label }, signal)).id));
    expect(ids[0]).toMatch(/^rotated-x{42}-[0-9a-f]{12}$/);
    expect(ids[1]).toMatch(/^rotated-key-1-[0-9a-f]{12}$/);
    expect(fake.vendor.key(ids[1] ?? "").displayName).toBe(upper);
  });

  it("is invalid under an id that is taken, or where no key may be bound", async () => {
    const label = bench.newLabel();
    await provider.create({ label }, signal);
    await expect(provider.create({ label }, signal)).rejects.toMatchObject({ code: "invalid", answered: true });
    fake.vendor.rules.bindingForbidden = true;
    const refused = provider.create({ label: bench.newLabel() }, signal);
    await expect(refused).rejects.toMatchObject({ code: "invalid", hint: expect.stringContaining("disableServiceAccountApiKeyCreation") });
  });

  it.each([
    [6, "invalid", true],
    [7, "forbidden", true],
    [13, "unavailable", false],
  ])("tells what an operation failed with: %i is %s", async (rpc, code, answered) => {
    fake.vendor.rules.operationsFailWith = rpc;
    await expect(provider.create({ label: bench.newLabel() }, signal)).rejects.toMatchObject({ code, answered });
  });

  it.each(["/operations/", "/keyString$"])("leaves the call open when %s is refused, and the key can be read again", async (path) => {
    fake.faults.add({ method: "GET", path, fault: { do: "reply", status: 403 }, times: 1 });
    const label = bench.newLabel();
    await expect(provider.create({ label }, signal)).rejects.toMatchObject({ code: "unavailable", answered: false });
    const lost = (await provider.list(signal)).find((key) => key.label === label);
    expect((await provider.recover(lost?.id ?? "", signal)).reveal()).toBe(fake.vendor.key(label).secret);
  });

  it("waits as long as Google asks for, where a look at an operation is one too many", async () => {
    fake.faults.add({ path: "/operations/", times: 1, fault: { do: "rateLimit", retryAfter: "7" } });
    const made = provider.create({ label: bench.newLabel() }, signal);
    await expect(made).rejects.toMatchObject({ code: "unavailable", answered: false, retryAfterMs: 7000 });
  });

  it("does not wait for ever for an operation", async () => {
    fake.vendor.rules.looks = Number.POSITIVE_INFINITY;
    const failed = provider.create({ label: bench.newLabel() }, world.clock.deadline(300));
    await expect(failed).rejects.toMatchObject({ code: "timeout", answered: false });
    const stop = new AbortController();
    const pending = provider.create({ label: bench.newLabel() }, stop.signal);
    setImmediate(() => stop.abort("shutting down"));
    await expect(pending).rejects.toBe("shutting down");
  });
});
