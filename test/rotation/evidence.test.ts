import { chmodSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { expectPromisesHold } from "../kill/invariants.ts";
import type { RotationHost } from "../support/rotation-host.ts";
import { adminCalls, ended, events, oldKeyTouched, rightBefore, stuck, until, view, withHost } from "./scenario.ts";

const TOLD_SOON = { timing: { tellAfter: "200ms" } };

/** A second provider of the gateway, whose key stands in the same file. */
const WITH_ANOTHER = {
  beside: { other: { apiKey: "sk-other-canary-0001" } },
  openclaw: (file: Parameters<NonNullable<Parameters<typeof withHost>[0]["openclaw"]>>[0]) => ({
    ...file,
    models: {
      providers: {
        ...file.models.providers,
        other: {
          baseUrl: "http://127.0.0.1:9/v1",
          api: "openai-completions" as const,
          apiKey: { source: "file" as const, provider: "keys", id: "/other/apiKey" },
          models: [{ id: "other-1", name: "Other 1" }],
        },
      },
    },
  }),
};

function setOther(host: RotationHost, apiKey: string): void {
  host.host.write("secrets.json", JSON.stringify({ ...JSON.parse(host.host.read("secrets.json")), other: { apiKey } }));
}

describe.concurrent("a reload that keeps the old value never reaches the revoke", () => {
  test("a reference of somebody else that is empty: nothing is reloaded until it is mended", { timeout: 120_000 }, () =>
    withHost({ ...TOLD_SOON, ...WITH_ANOTHER }, async (host) => {
      host.startLoad();
      setOther(host, "");
      const { id } = await host.rotate();
      const told = await stuck(host, id);
      expect(told.reason).toBe(
        "gateway: the gateway refused to reload its secrets: models.providers.other.apiKey resolved to a non-string or empty value",
      );
      expect(told.hint).toMatch(/give that setting a value/);
      expect(await view(host, id)).toMatchObject({ step: "reload", plan: "routine" });
      expect(adminCalls(host, "DELETE")).toEqual([]);
      expect(host.held()).toBe(host.vendor.key.secret);

      setOther(host, "sk-other-canary-0002");
      const rotation = await ended(host, id);
      expect(rotation).toMatchObject({ outcome: "done", plan: "routine" });
      await expectPromisesHold(host, rotation, "made");
    }),
  );

  test("a variable of the gateway's environment, seen before anything is created", { timeout: 120_000 }, () =>
    withHost({ pinned: false, gatewayEnv: { OPENAI_API_KEY: "sk-canary-in-the-environment" } }, async (host) => {
      const { id } = await host.rotate();
      const rotation = await ended(host, id);
      expect(rotation).toMatchObject({ outcome: "failed", step: "preflight", lastError: { code: "environmentCredential" } });
      expect(rotation.lastError?.message).toBe(
        "gateway: openai is served by the environment variable OPENAI_API_KEY of the gateway, not by the key in openclaw.json",
      );
      const [end] = await events(host, "ended");
      expect(end?.detail["hint"]).toMatch(/put "auth": "api-key" under models.providers.openai/);
      expect(adminCalls(host, "POST")).toEqual([]);
      await expectPromisesHold(host, rotation, "adopted");
    }),
  );

  test("a variable that turns up in mid-rotation", { timeout: 120_000 }, async () => {
    const gatewayEnv: Record<string, string> = {};
    await withHost({ ...TOLD_SOON, pinned: false, gatewayEnv }, async (host) => {
      host.startLoad();
      rightBefore(host, "secrets.reload", () => void Object.assign(gatewayEnv, { OPENAI_API_KEY: host.vendor.key.secret }));
      await expectLedBack(
        host,
        /served by the environment variable OPENAI_API_KEY/,
        () => void Reflect.deleteProperty(gatewayEnv, "OPENAI_API_KEY"),
      );
    });
  });

  test("an auth profile in its place", { timeout: 120_000 }, () =>
    withHost({ ...TOLD_SOON, pinned: false }, async (host) => {
      host.startLoad();
      const { profiles } = host.gateway.runs;
      const profile = { agent: "main", provider: "openai", id: "openai:default", key: host.vendor.key.secret };
      rightBefore(host, "secrets.reload", () => void profiles.push(profile));
      await expectLedBack(host, /the auth profile openai:default can serve openai/, () => void profiles.splice(0));
    }),
  );

  test("an older reload that ours joins: it is repeated until the value is ours", { timeout: 120_000 }, () =>
    withHost({}, async (host) => {
      host.startLoad();
      // Somebody else's reload reads the file before our write, and is not over when ours comes.
      const older = Promise.withResolvers<void>();
      host.vendor.onRequest = ({ method, path }, phase) => {
        if (method !== "GET" || path !== "/v1/models" || phase !== "handled") return;
        host.vendor.onRequest = undefined;
        host.gateway.secrets.held = older.promise;
        void host.gateway.secrets.reload();
      };
      let reloads = 0;
      host.gateway.onRequest = (name, phase) => {
        if (name !== "secrets.reload" || phase !== "before") return;
        reloads += 1;
        host.gateway.secrets.held = undefined;
        // Once it has joined.
        setTimeout(older.resolve, 50);
      };
      const { id } = await host.rotate();
      const rotation = await ended(host, id);
      expect(reloads).toBeGreaterThan(1);
      expect(host.held()).toBe(host.stored());
      expect(rotation).toMatchObject({ outcome: "done", plan: "routine" });
      await expectPromisesHold(host, rotation, "made");
    }),
  );

  test("a file that somebody opened to others: it waits with the cure, and goes on", { timeout: 120_000 }, () =>
    withHost(TOLD_SOON, async (host) => {
      host.startLoad();
      rightBefore(host, "secrets.reload", () => chmodSync(host.host.path("secrets.json"), 0o644));
      const { id } = await host.rotate();
      const told = await stuck(host, id);
      expect(told.reason).toMatch(/^gateway: the gateway could not load models.providers.openai.apiKey \(stale\)/);
      expect(told.hint).toMatch(/mode 0600/);
      expect(await view(host, id)).toMatchObject({ step: "reload", plan: "routine" });
      expect(adminCalls(host, "DELETE")).toEqual([]);
      expect(host.held()).toBe(host.vendor.key.secret);

      chmodSync(host.host.path("secrets.json"), 0o600);
      const rotation = await ended(host, id);
      expect(rotation).toMatchObject({ outcome: "done", plan: "routine" });
      await expectPromisesHold(host, rotation, "made");
    }),
  );

  test("a file that the gateway could not read at its last reload, and now can: no reason to refuse a rotation", { timeout: 120_000 }, () =>
    withHost({}, async (host) => {
      await spoilTheLastReload(host);
      chmodSync(host.host.path("secrets.json"), 0o600);
      expect(host.gateway.secrets.degraded(), "nobody has reloaded it since").toHaveLength(1);
      const rotation = await ended(host, (await host.rotate()).id);
      expect(rotation).toMatchObject({ outcome: "done", plan: "routine" });
      await expectPromisesHold(host, rotation, "made");
    }),
  );

  test("one that it cannot read still: refused before anything is made", { timeout: 120_000 }, () =>
    withHost({}, async (host) => {
      await spoilTheLastReload(host);
      const rotation = await ended(host, (await host.rotate()).id);
      expect(rotation).toMatchObject({ outcome: "failed", step: "preflight", lastError: { code: "degraded" } });
      expect(adminCalls(host, "POST")).toEqual([]);
    }),
  );
});

/** What shadows the new key shadows the old one, too: the rotation turns back, and waits there for a person. */
async function expectLedBack(host: RotationHost, cause: RegExp, cure: () => void): Promise<void> {
  const { id } = await host.rotate();
  await until(host, "it waits on its way back", async () => {
    const { plan, step, stuck: told } = await view(host, id);
    return plan === "back" && step === "validate" && told !== null;
  });
  const told = (await view(host, id)).stuck;
  expect(told?.reason).toMatch(cause);
  expect(told?.hint).toMatch(/put "auth": "api-key" under models.providers.openai in openclaw.json.*this is the way back already/);
  expect((await events(host, "planChanged"))[0]?.detail["text"]).toMatch(cause);
  expect(adminCalls(host, "DELETE")).toEqual([]);
  expect(oldKeyTouched(host)).toBe(false);

  cure();
  const rotation = await ended(host, id);
  expect(rotation.outcome).toBe("failed");
  expect(oldKeyTouched(host)).toBe(false);
  await expectPromisesHold(host, rotation, "adopted");
}

async function spoilTheLastReload(host: RotationHost): Promise<void> {
  chmodSync(host.host.path("secrets.json"), 0o644);
  await host.gateway.secrets.reload();
  expect(host.gateway.secrets.degraded()).toHaveLength(1);
}
