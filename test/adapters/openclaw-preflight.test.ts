import { chmod, link, rename, symlink } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { fresh, old, type Scene, scene, signal, thrown } from "./openclaw-world.ts";

async function findings({ consumer }: Scene, current = old, use?: Parameters<Scene["consumer"]>[0]) {
  return consumer(use).preflight(current, signal);
}

describe("the pre-flight of openclaw", () => {
  it("finds a variable of the environment that beats the reference, and names the line that cures it", async () => {
    const env = { OPENAI_API_KEY: "sk-canary-environment" };
    const found = await findings(await scene({ env, pinned: false }));
    expect(found).toMatchObject([{ code: "environmentCredential", message: expect.stringContaining("OPENAI_API_KEY") }]);
    expect(found[0]?.cure).toContain('"auth": "api-key" under models.providers.openai');
  });

  it("finds nothing in the same environment once that line stands there", async () => {
    expect(await findings(await scene({ env: { OPENAI_API_KEY: "sk-canary-environment" } }))).toEqual([]);
  });

  it("finds an auth profile beside the reference", async () => {
    const stage = await scene({ pinned: false, agents: ["main", "helper"] });
    stage.gateway.runs.profiles.push({ agent: "helper", provider: "openai", id: "openai:manual", key: "sk-canary-profile" });
    expect(await findings(stage)).toMatchObject([{ code: "authProfile", message: expect.stringContaining("openai:manual") }]);
  });

  it("finds an auth profile in the place of the reference", async () => {
    const stage = await scene({
      change: ({ models }) => {
        if (models.providers["openai"] !== undefined) models.providers["openai"].apiKey = "openai:manual";
      },
    });
    expect(await findings(stage)).toMatchObject([{ code: "plainKey", cure: expect.stringContaining('"apiKey": {') }]);
  });

  it("finds a reference to the environment", async () => {
    const stage = await scene({
      env: { KEY: old.reveal() },
      change: ({ models }) => {
        if (models.providers["openai"] !== undefined) models.providers["openai"].apiKey = { source: "env", provider: "default", id: "KEY" };
      },
    });
    expect(await findings(stage)).toMatchObject([{ code: "environmentReference" }]);
  });

  it("finds that the store is not where the reference looks", async () => {
    const found = await findings(await scene(), fresh);
    expect(found).toMatchObject([{ code: "otherValue", message: expect.stringContaining("models.providers.openai.apiKey") }]);
    expect(JSON.stringify(found)).not.toContain("canary");
  });

  it("finds a second setting with the same key, unless it is listed", async () => {
    const stage = await scene({
      change: ({ models }) => {
        const entry = models.providers["openai"];
        if (entry !== undefined) models.providers["second"] = { ...entry };
      },
    });
    const path = "models.providers.second.apiKey";
    expect(await findings(stage)).toMatchObject([{ code: "otherReference", cure: expect.stringContaining(`also: [${path}]`) }]);
    expect(await findings(stage, old, { provider: "openai", also: [path] })).toEqual([]);
  });

  it("finds no provider of that name", async () => {
    expect(await findings(await scene(), old, { provider: "openia" })).toMatchObject([{ code: "noProvider" }]);
  });

  const spoilt = {
    "a mode that others can read": ({ secretFile }: Scene) => chmod(secretFile, 0o640),
    "a second hard link": ({ secretFile }: Scene) => link(secretFile, `${secretFile}.bak`),
    "a link in its place": async ({ secretFile }: Scene) => {
      await rename(secretFile, `${secretFile}.real`);
      await symlink(`${secretFile}.real`, secretFile);
    },
  };
  it.each(Object.entries(spoilt))("finds a file with %s, as soon as the gateway has stumbled over it", async (_, spoil) => {
    const stage = await scene();
    await spoil(stage);
    const holding = await stage.consumer().reload(old, signal);
    expect(holding).toMatchObject({
      holds: "stale",
      cause: expect.stringContaining("secret provider failed"),
      cure: expect.stringContaining("0600"),
    });
    expect(await findings(stage)).toMatchObject([{ code: "degraded", cure: expect.stringContaining("0600") }]);
  });

  it("does not mind another owner that is degraded", async () => {
    const stage = await scene({
      change: ({ models }) => {
        const entry = models.providers["openai"];
        if (entry !== undefined)
          models.providers["other"] = { ...entry, apiKey: { source: "file", provider: "keys", id: "/other/apiKey" } };
      },
    });
    expect(stage.gateway.secrets.degraded()).toMatchObject([{ ownerId: "other" }]);
    expect(await findings(stage)).toEqual([]);
    expect(await stage.consumer().reload(old, signal)).toEqual({ holds: "expected" });
  });

  it("throws while the gateway starts: that passes", async () => {
    const stage = await scene();
    stage.gateway.knobs.starting = true;
    expect(await thrown(findings(stage))).toMatchObject({ code: "unavailable", retryAfterMs: 500 });
  });

  it("throws what a person must cure about the connection: scopes, an old version", async () => {
    const stage = await scene();
    stage.gateway.knobs.scopes = [];
    expect(await thrown(findings(stage))).toMatchObject({ code: "misconfigured", cure: "rotatectl pair gateway" });
    stage.gateway.knobs.scopes = undefined;
    stage.gateway.knobs.missing = ["models.probe"];
    expect(await thrown(findings(stage))).toMatchObject({ code: "misconfigured", cure: expect.stringContaining("update OpenClaw") });
  });
});
