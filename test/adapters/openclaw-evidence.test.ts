import { describe, expect, it } from "vitest";
import { RpcRefusal } from "../fakes/gateway/handshake.ts";
import { fresh, old, scene, signal, thrown } from "./openclaw-world.ts";

describe("the reload of openclaw", () => {
  it("sees through a reload that joined an older one", async () => {
    const { gateway, consumer, write } = await scene();
    gateway.secrets.settleMs = 300;
    const older = gateway.secrets.reload();
    await write(fresh);
    const asked: string[] = [];
    gateway.onRequest = (name, phase) => {
      if (phase === "before") asked.push(name);
    };
    expect(await consumer().reload(fresh, signal)).toEqual({ holds: "expected" });
    await older;
    expect(asked.filter((name) => name === "secrets.reload").length).toBeGreaterThan(1);
  });

  it("tells why the gateway refused to reload anything, from its log", async () => {
    const { consumer, write, gateway } = await scene();
    gateway.lines.push(JSON.stringify({ time: new Date(Date.now() - 60_000), message: "secrets.reload failed: something of yesterday" }));
    await write("");
    const holding = await consumer().reload(fresh, signal);
    expect(holding).toMatchObject({
      holds: "stale",
      cause: expect.stringContaining("models.providers.openai.apiKey resolved to a non-string or empty value"),
    });
  });

  it("tells a reference that cannot be found from one with another value", async () => {
    const { consumer, world, secretFile } = await scene();
    await world.files.replace(secretFile, JSON.stringify({}));
    expect(await consumer().reload(fresh, signal)).toMatchObject({
      holds: "stale",
      cause: expect.stringContaining("secret reference was not found"),
    });
  });

  it("throws another error of the gateway as one that passes", async () => {
    const { consumer, gateway } = await scene();
    gateway.knobs.failing.set(
      "secrets.reload",
      new RpcRefusal("UNAVAILABLE", "gateway restarting", { retryable: true, retryAfterMs: 700 }),
    );
    expect(await thrown(consumer().reload(old, signal))).toMatchObject({ code: "unavailable", retryAfterMs: 700 });
  });

  it("throws when the gateway ends in the middle", async () => {
    const { consumer, gateway } = await scene();
    gateway.onRequest = (name) => {
      if (name === "secrets.reload") gateway.disconnect();
    };
    expect(await thrown(consumer().reload(old, signal))).toMatchObject({ code: "unavailable", answered: false });
  });
});

describe("the proof of openclaw", () => {
  it("asks every agent that uses the provider, and no other", async () => {
    const { consumer } = await scene({
      agents: ["main", "helper"],
      change: ({ agents, models }) => {
        const entry = models.providers["openai"];
        if (entry !== undefined) models.providers["other"] = { ...entry };
        if (agents.entries !== undefined) agents.entries["third"] = { model: "other/fake-1" };
      },
    });
    expect(await consumer().prove(old, signal)).toMatchObject({ result: "proven", grade: "value", detail: { agents: ["main", "helper"] } });
    expect(await consumer({ provider: "openai", agents: ["helper"] }).prove(old, signal)).toMatchObject({ detail: { agents: ["helper"] } });
  });

  it("is contradicted by a variable of the environment, although every request succeeds", async () => {
    const { consumer, vendor } = await scene({ env: { OPENAI_API_KEY: "sk-canary-environment" }, pinned: false });
    vendor.accepted.add("sk-canary-environment");
    expect(await consumer().prove(old, signal)).toMatchObject({
      result: "contradicted",
      cure: expect.stringContaining('"auth": "api-key"'),
    });
  });

  it("is contradicted when a profile takes the place of the key in mid-life", async () => {
    const { consumer, gateway } = await scene({ pinned: false, agents: ["main", "helper"] });
    gateway.runs.profiles.push({ agent: "helper", provider: "openai", id: "openai:manual", key: fresh.reveal() });
    expect(await consumer().prove(old, signal)).toMatchObject({ result: "contradicted", cause: expect.stringContaining("openai:manual") });
  });

  it("draws no conclusion while the source cannot be read but the kept value is the right one", async () => {
    const { consumer, gateway, world, secretFile } = await scene();
    await world.files.replace(secretFile, "{}");
    await gateway.secrets.reload();
    expect(await thrown(consumer().prove(old, signal))).toMatchObject({ code: "inconclusive", message: expect.stringContaining("stale") });
    expect(await consumer().prove(fresh, signal)).toMatchObject({ result: "contradicted" });
  });

  it("does not mind that the gateway cannot tell its status for a moment, as it does after an agent's first probe", async () => {
    const { consumer, gateway } = await scene();
    gateway.knobs.failing.set("status", new RpcRefusal("UNAVAILABLE", "WorkerTaskError: Session history database read was revoked"));
    gateway.onRequest = (name, phase) => {
      if (name === "status" && phase === "before") setImmediate(() => gateway.knobs.failing.clear());
    };
    expect(await consumer().prove(old, signal)).toMatchObject({ result: "proven" });
  });

  it("finds a refusal by the probe, before a model run could begin a cooldown", async () => {
    const { consumer, vendor, gateway } = await scene();
    vendor.accepted.delete(old.reveal());
    expect(await consumer().prove(old, signal)).toMatchObject({ result: "refused" });
    expect(gateway.runs.cooldowns.size).toBe(0);
  });

  it("is refused by a model run, too, and says nothing of the vendor's text", async () => {
    const { consumer, gateway } = await scene();
    const text = "Authentication failed (provider returned HTTP 401). Incorrect API key provided: sk-canary.";
    gateway.knobs.failing.set("agent", new RpcRefusal("UNAVAILABLE", text));
    const proof = await consumer().prove(old, signal);
    expect(proof).toMatchObject({ result: "refused", cause: expect.stringContaining("in a model run") });
    expect(JSON.stringify(proof)).not.toContain("canary");
  });

  it("waits out a cooldown: the key is good, and the old one's refusal says nothing about it", async () => {
    const { consumer, vendor, gateway } = await scene({ cooldownMs: 250 });
    vendor.accepted.delete(old.reveal());
    await gateway.runs.chat("main", undefined, "ping", () => {});
    vendor.accepted.add(old.reveal());
    expect(await thrown(consumer().prove(old, signal))).toMatchObject({
      code: "inconclusive",
      message: expect.stringContaining("cooldown"),
    });
    await expect.poll(() => consumer().prove(old, signal), { timeout: 5_000 }).toMatchObject({ result: "proven" });
  });

  it.each([402, 404, 429, 500, 503])("draws no conclusion from the vendor's status %i", async (status) => {
    const { consumer, vendor } = await scene();
    vendor.outage = status;
    expect(await thrown(consumer().prove(old, signal))).toMatchObject({ code: "inconclusive", retry: true });
  });

  it("draws no conclusion from a vendor that does not answer", async () => {
    const { consumer, vendor } = await scene();
    vendor.delayMs = 3_000;
    expect(await thrown(consumer().prove(old, signal))).toMatchObject({ code: "inconclusive" });
  });

  it("names the setting when the agent may not use the model", async () => {
    const { consumer } = await scene({
      change: ({ agents }) => {
        agents.defaults.models = { "openai/other": {} };
      },
    });
    expect(await thrown(consumer().prove(old, signal))).toMatchObject({ code: "misconfigured", cure: expect.stringContaining("`model`") });
  });
});
