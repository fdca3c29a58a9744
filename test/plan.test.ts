import { afterEach, expect, test } from "vitest";
import type { Effect, PlanReply } from "../src/api.ts";
import type { Step } from "../src/model.ts";
import { rotatectl } from "./support/rotatectl.ts";
import { RotationHost } from "./support/rotation-host.ts";

let host: RotationHost;
afterEach(() => host.stop());

/** What a request to the vendor or the gateway is, as far as it costs or changes something. Looking is free. */
type Kind = "create a key" | "delete a key" | "reload secrets" | "make a request through the consumer";

const KINDS: Readonly<Record<Kind, { steps: readonly Step[]; kind: Effect["target"]["kind"] }>> = {
  "create a key": { steps: ["create"], kind: "provider" },
  "delete a key": { steps: ["revoke"], kind: "provider" },
  "reload secrets": { steps: ["reload"], kind: "consumer" },
  "make a request through the consumer": { steps: ["preflight", "validate", "disable", "revoke"], kind: "consumer" },
};

/** Notes everything that the daemon asks of anybody. */
function record() {
  const seen = { kinds: [] as Kind[], probes: 0, unknown: [] as string[] };
  host.vendor.onRequest = ({ method, path }, phase) => {
    if (phase !== "before" || path.endsWith("/chat/completions") || method === "GET") return;
    if (method === "POST" && path.endsWith("/api_keys")) seen.kinds.push("create a key");
    else if (method === "DELETE" && path.includes("/api_keys/")) seen.kinds.push("delete a key");
    else seen.unknown.push(`${method} ${path}`);
  };
  const free =
    /^(config\.get|secrets\.resolve|status|health|agents\.list|logs\.tail|.*\.list|.*\.get|.*\.status|POST \/v1\/chat\/completions)$/;
  host.gateway.onRequest = (name, phase) => {
    if (phase !== "before") return;
    if (name === "secrets.reload") seen.kinds.push("reload secrets");
    else if (name === "models.probe") seen.probes += 1;
    else if (/^(agent|chat\..*|.*\.probe)$/.test(name)) seen.kinds.push("make a request through the consumer");
    else if (!free.test(name)) seen.unknown.push(name);
  };
  return seen;
}

const promises = (plan: PlanReply, { steps, kind }: { steps: readonly Step[]; kind: string }) =>
  plan.effects.filter((effect) => steps.includes(effect.step) && effect.target.kind === kind);

test("a rotation does no more than its plan says", { timeout: 120_000 }, async () => {
  host = await RotationHost.start();
  const before = { vendor: host.vendor.log.length, kept: host.kept() };
  const seen = record();
  const plan = await host.host.client.call("plan", { name: "main" });
  expect(seen, "planning changes nothing").toEqual({ kinds: [], probes: 0, unknown: [] });
  expect(host.vendor.log.length, "but it asks").toBeGreaterThan(before.vendor);
  expect(host.kept()).toEqual(before.kept);
  expect(plan.findings).toEqual([]);
  expect(plan.notes, "what a way back would do").toEqual([expect.stringMatching(/old one is made current again, and the new one deleted/)]);

  const printed = await rotatectl(host.host.socket, "plan", "main");
  expect(printed).toMatchObject({ code: 0, stderr: "" });
  for (const { effect, step } of plan.effects) {
    expect(printed.stdout).toContain(effect);
    expect(printed.stdout).toContain(step);
  }
  expect(printed.stdout).toContain("deletes the old key; its service account and the other keys stay (cannot be undone)");
  expect(printed.stdout).toContain("consumers feel:");

  await host.rotate();
  const rotation = await host.host.settled(1);
  expect(rotation.outcome).toBe("done");
  expect(seen.unknown, "nothing that the plan has no word for").toEqual([]);
  expect(seen.kinds.filter((kind) => kind === "create a key")).toHaveLength(promises(plan, KINDS["create a key"]).length);
  expect(seen.kinds.filter((kind) => kind === "delete a key")).toHaveLength(promises(plan, KINDS["delete a key"]).length);
  const asking = promises(plan, KINDS["make a request through the consumer"]);
  const proving = asking.filter(({ effect }) => effect.startsWith("one probe and one model run"));
  expect(proving.map(({ step }) => step)).toEqual(["validate", "revoke"]);
  expect(seen.kinds.filter((kind) => kind === "make a request through the consumer")).toHaveLength(proving.length);
  expect(seen.probes).toBe(proving.length);
  expect(new Set(seen.kinds), "and each of its words came true").toEqual(new Set(Object.keys(KINDS)));

  const events = (await host.host.client.call("history", { name: "main", limit: 200 })).events;
  const walked = new Set(events.flatMap(({ step, rotation: id }) => (id === 1 && step !== null ? [step] : [])));
  const planned = new Set<Step>(["preflight", ...plan.effects.map(({ step }) => step), "disable"]);
  expect(new Set([...planned, ...walked])).toEqual(planned);
  expect(plan.effects.filter(({ irreversible }) => irreversible).map(({ step }) => step)).toEqual(["revoke"]);
});

test("what pre-flight makes a gateway do is told, and planning does it, too", { timeout: 120_000 }, async () => {
  host = await RotationHost.start({ pinned: false });
  const seen = record();
  const plan = await host.host.client.call("plan", { name: "main" });
  expect(plan.effects.filter(({ step }) => step === "preflight").map(({ effect }) => effect)).toEqual([
    expect.stringContaining("one probe per agent"),
  ]);
  expect(seen).toEqual({ kinds: [], probes: 1, unknown: [] });
  await host.rotate();
  expect((await host.host.settled(1)).outcome).toBe("done");
  expect(seen.probes, "planned, at preflight, validate and revoke").toBe(4);
});

test("a rehearsal touches no store value and no consumer", { timeout: 120_000 }, async () => {
  host = await RotationHost.start();
  const held = host.stored();
  const seen = record();
  await rotatectl(host.host.socket, "rehearse", "main");
  const rotation = await host.host.settled(1);
  expect(rotation).toMatchObject({ outcome: "done", plan: "rehearsal" });
  expect(seen).toEqual({ kinds: ["create a key", "delete a key"], probes: 0, unknown: [] });
  expect(host.stored()).toBe(held);
  expect(host.liveKeys().map(({ id }) => id)).toEqual([host.vendor.key.id]);
});

test("an empty store is told, and nothing is drained", async () => {
  host = await RotationHost.start({ empty: true });
  const plan = await host.host.client.call("plan", { name: "main" });
  expect(plan.plan).toBe("initial");
  expect(plan.notes).toEqual([
    "no key of ours is in the ledger: this makes the first one; an existing one is taken over with rotatectl adopt",
  ]);
  expect(plan.effects.map(({ step }) => step)).not.toContain("drain");
});

test("what would stop it now is told with its cure, and the exit code says so", async () => {
  host = await RotationHost.start();
  await host.gateway.close();
  const planned = await rotatectl(host.host.socket, "plan", "main");
  expect(planned.code).toBe(1);
  expect(planned.stdout).toMatch(/now it would be stopped by:\n.*gateway: .*\n.*hint: .*/);
});
