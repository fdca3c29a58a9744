import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { RotationView } from "../../src/api-views.ts";
import type { Step } from "../../src/model.ts";
import type { OpenClawFile } from "../fakes/gateway/config.ts";
import { makeStore } from "../fakes/gateway/store.ts";
import { type FakeGateway, startFakeGateway } from "../fakes/gateway.ts";
import { freePort } from "../support/free-port.ts";
import type { Host } from "../support/host.ts";
import { GATEWAY_TOKEN } from "../support/openclaw.ts";
import { adoptToken, type Kept, makeTokenHost, rotateToken, TOKEN_ENTRY, tokenJson } from "../support/token-host.ts";

interface Scene {
  readonly host: Host;
  readonly gateway: FakeGateway;
  /** Starts a rotation, and waits until it has ended. */
  rotated(): Promise<RotationView>;
  ended(id: number): Promise<RotationView>;
  codes(): Promise<readonly string[]>;
}

/** A fake gateway whose own token is `main`, and the real daemon; gone when the work is done. */
async function withToken(
  options: { kept: Kept; change?: (file: OpenClawFile, host: Host) => OpenClawFile },
  work: (scene: Scene) => Promise<void>,
): Promise<void> {
  const { kept, change = (file) => file } = options;
  const port = await freePort();
  const host = makeTokenHost({ kept, folder: "own", url: `ws://127.0.0.1:${port}` });
  const file = change(tokenJson(kept, host.path("own/token"), { port }), host);
  const gateway = await startFakeGateway(file, { store: makeStore({ [TOKEN_ENTRY]: GATEWAY_TOKEN }) });
  const ended = async (id: number) => {
    for (const limit = Date.now() + 30_000; ; await sleep(20)) {
      const { rotation } = await host.client.call("watch", { id, after: 0, waitMs: 0 });
      if (rotation.outcome !== null) return rotation;
      if (Date.now() > limit) throw new Error(`did not end: ${JSON.stringify(rotation)}\n${host.tail()}`);
    }
  };
  try {
    await adoptToken(host);
    await work({
      host,
      gateway,
      ended,
      rotated: async () => ended((await rotateToken(host, crypto.randomUUID())).id),
      codes: async () => (await host.client.call("history", { name: "main", limit: 1000 })).events.map(({ code }) => code),
    });
  } finally {
    await host.remove();
    await gateway.close();
  }
}

/** Polls until something is so; says what was waited for, and shows the log, when that takes too long. */
async function until(host: Host, what: string, ask: () => boolean | Promise<boolean>): Promise<void> {
  for (const limit = Date.now() + 15_000; !(await ask()); await sleep(5))
    if (Date.now() > limit) throw new Error(`never: ${what}\n${host.tail()}`);
}

const stored = (host: Host) => host.read("own/token");
const keptFiles = (host: Host) => readdirSync(host.path("own")).filter((name) => name !== "token");

/** Everything that must be true of a token that was replaced. */
async function expectReplaced({ host, gateway }: Scene, rotation: RotationView): Promise<void> {
  expect(rotation.outcome, JSON.stringify(rotation)).toBe("done");
  const live = gateway.token() ?? "";
  expect(live).not.toBe(GATEWAY_TOKEN);
  expect(live).toMatch(/^[\w-]{43}$/);
  expect(stored(host)).toBe(live);
  const { keys, current, open, openIntents } = await host.show("main");
  expect([open, openIntents]).toEqual([null, []]);
  expect(current?.vendorId).toBe(rotation.target);
  expect(keys.filter(({ stage }) => stage !== "current" && stage !== "dead")).toEqual([]);
  expect(keptFiles(host), "dead tokens have left the keep").toHaveLength(1);
  // Our own pairing is another one, and a wrong try was always followed by a right one.
  expect(await host.client.call("pair", { consumer: "gateway" })).toMatchObject({
    paired: true,
    message: expect.stringContaining("already"),
  });
  expect(gateway.attempts.failed()).toBe(0);
  const history = JSON.stringify(await host.client.call("history", { name: "main", limit: 1000 }));
  const state = readdirSync(host.path("state")).filter((name) => !name.startsWith("openclaw-"));
  const written = [host.log, history, ...state.map((name) => readFileSync(host.path(`state/${name}`), "latin1"))].join("\n");
  for (const secret of ["canary", live]) expect(written.includes(secret), "no token in log or ledger").toBe(false);
}

/** A socket of somebody who came with the gateway's own token: the code with which it is closed. */
async function guest(gateway: FakeGateway): Promise<{ readonly closed: Promise<number> }> {
  const socket = new WebSocket(gateway.url);
  const closed = new Promise<number>((resolve) => socket.addEventListener("close", ({ code }) => resolve(code)));
  const client = { id: "gateway-client", version: "1", platform: "linux", mode: "backend" };
  const params = { minProtocol: 4, maxProtocol: 4, client, role: "operator", scopes: [], caps: [], auth: { token: gateway.token() } };
  await new Promise<void>((resolve) => {
    socket.addEventListener("message", ({ data }) => {
      const frame = JSON.parse(String(data)) as { type: string; event?: string };
      if (frame.event === "connect.challenge") socket.send(JSON.stringify({ type: "req", id: "1", method: "connect", params }));
      else if (frame.type === "res") resolve();
    });
  });
  return { closed };
}

describe.concurrent.each(["file", "own store"] as const)("the gateway's own token in its %s", (kept) => {
  test("is replaced: the new one is in use, the old one refused, and who came with it is cut off", { timeout: 120_000 }, () =>
    withToken({ kept }, async (scene) => {
      const { host, gateway, codes } = scene;
      const before = await host.client.call("plan", { name: "main" });
      expect(before.findings).toEqual([]);
      expect(before.notes.join("\n")).toMatch(/the reload is the revoke.*none measured yet.*the laptop in the kitchen/s);
      expect(before.effects.filter(({ irreversible }) => irreversible).map(({ step }) => step)).toEqual(["reload"]);
      const { closed } = await guest(gateway);

      await expectReplaced(scene, await scene.rotated());
      expect(await closed).toBe(4001);
      expect(await codes()).toEqual(expect.arrayContaining(["keySuperseded", "gapMeasured", "consumerProven", "keyDead"]));
      expect(await codes()).not.toContain("gatePassed");
      const { events } = await host.client.call("history", { name: "main", limit: 100 });
      expect(events.find(({ code }) => code === "keyDead")?.detail).toMatchObject({ refusals: 3 });
      const gap = events.find(({ code }) => code === "gapMeasured")?.detail["atMostMs"];
      expect(gap).toBeGreaterThanOrEqual(0);
      expect((await host.client.call("plan", { name: "main" })).notes.join("\n")).toContain(`accepted for at most ${gap} ms`);
    }),
  );

  const KILLS: readonly { name: string; method: string; phase: "before" | "after" }[] = [
    { name: "before the reload", method: "secrets.reload", phase: "before" },
    { name: "after the reload", method: "secrets.reload", phase: "after" },
    ...(kept === "file"
      ? []
      : ([
          { name: "before the write", method: "secrets.store.set", phase: "before" },
          { name: "after the write", method: "secrets.store.set", phase: "after" },
        ] as const)),
  ];
  test.each(KILLS)("survives a SIGKILL of the daemon $name", { timeout: 120_000 }, ({ method, phase }) =>
    withToken({ kept }, async (scene) => {
      const { host, gateway } = scene;
      const key = crypto.randomUUID();
      gateway.onRequest = (name, when) => {
        if (name !== method || when !== phase) return;
        gateway.onRequest = undefined;
        host.daemon?.kill("SIGKILL");
      };
      const { id } = await rotateToken(host, key);
      await until(host, "the daemon was killed", () => !host.alive);
      await host.start();
      expect((await rotateToken(host, key)).id).toBe(id);
      await expectReplaced(scene, await scene.ended(id));
    }),
  );

  test.each(["create", "promote", "reload", "validate", "confirm"] as const satisfies Step[])(
    "survives a SIGKILL of the daemon at %s",
    { timeout: 120_000 },
    (step) =>
      withToken({ kept }, async (scene) => {
        const { host } = scene;
        const { id } = await rotateToken(host, crypto.randomUUID());
        const reached = async () => {
          const { open } = await host.show("main");
          return open === null || open.step === step;
        };
        await until(host, `it is at ${step}`, reached);
        await host.end("SIGKILL");
        await host.start();
        await expectReplaced(scene, await scene.ended(id));
      }),
  );
});

describe.concurrent("a rotation in place", () => {
  const UNFIT: readonly { code: string; token: OpenClawFile["gateway"]["auth"]["token"]; says: RegExp }[] = [
    { code: "plainToken", token: GATEWAY_TOKEN, says: /is a plain token/ },
    { code: "execReference", token: { source: "exec", provider: "exec", id: "token" }, says: /would not start while rotated/ },
    { code: "environmentReference", token: { source: "env", provider: "default", id: "TOKEN" }, says: /environment variable/ },
  ];
  test.each(UNFIT)("is refused before anything is made: $code", { timeout: 120_000 }, ({ code, token, says }) =>
    withToken({ kept: "file" }, async ({ host, gateway, codes }) => {
      // The gateway was edited after the token was adopted.
      Object.assign(gateway.config.gateway.auth, { token });
      const { findings } = await host.client.call("plan", { name: "main" });
      expect(findings).toMatchObject([{ code, message: expect.stringMatching(says), cure: expect.stringContaining("openclaw-secrets") }]);
      const { id } = await rotateToken(host, crypto.randomUUID());
      expect(await host.settled(id)).toMatchObject({ outcome: "failed", lastError: { code } });
      expect(await codes()).not.toContain("intentMade");
      expect(gateway.token()).toBeDefined();
    }),
  );

  test("is refused while another key stands in the token's file", { timeout: 120_000 }, () =>
    withToken({ kept: "file" }, async ({ host, gateway }) => {
      const apiKey = { source: "file", provider: "token", id: "/key" } as const;
      Object.assign(gateway.config.models.providers["openai"] ?? {}, { apiKey });
      const { findings } = await host.client.call("plan", { name: "main" });
      expect(findings).toMatchObject([{ code: "sharedFile", message: expect.stringContaining("models.providers.openai.apiKey") }]);
    }),
  );

  test("is refused where the gateway has its token from elsewhere", { timeout: 120_000 }, () =>
    withToken({ kept: "own store" }, async ({ host, gateway, codes }) => {
      gateway.store.set(TOKEN_ENTRY, "canary-somebody-elses-token", "secret", "cli");
      await gateway.secrets.reload();
      const { id } = await rotateToken(host, crypto.randomUUID());
      expect((await host.settled(id)).outcome).toBe("failed");
      expect(await codes()).not.toContain("intentMade");
      expect(gateway.token()).toBe("canary-somebody-elses-token");
    }),
  );

  test("goes back where the new token never became live, and makes it dead", { timeout: 120_000 }, () =>
    withToken(
      {
        kept: "file",
        // The gateway reads another file, which holds the same token for now.
        change: (file, host) => {
          writeFileSync(host.path("elsewhere"), GATEWAY_TOKEN, { mode: 0o600 });
          return { ...file, secrets: { providers: { token: { source: "file", path: host.path("elsewhere"), mode: "singleValue" } } } };
        },
      },
      async (scene) => {
        const { host, gateway } = scene;
        const rotation = await scene.rotated();
        expect(rotation).toMatchObject({ outcome: "failed", plan: "back", lastError: { code: "contradicted" } });
        expect([gateway.token(), stored(host)]).toEqual([GATEWAY_TOKEN, GATEWAY_TOKEN]);
        const { keys } = await host.show("main");
        expect(keys.map(({ stage }) => stage).toSorted()).toEqual(["current", "dead"]);
        expect(keptFiles(host)).toHaveLength(1);
        expect(await scene.codes()).not.toContain("gapMeasured");
      },
    ),
  );

  test("goes forward only once the new token is live", { timeout: 120_000 }, () =>
    withToken({ kept: "file" }, async (scene) => {
      const { host, gateway } = scene;
      let release = () => {};
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      // The proof is held up at its first question. The reload asks the same once, before.
      let reloaded = false;
      let asked = 0;
      gateway.onRequest = (name, phase) => {
        if (name === "secrets.reload") reloaded = true;
        if (reloaded && name === "status" && phase === "before") asked += 1;
        return asked >= 2 ? held : undefined;
      };
      const { id } = await rotateToken(host, crypto.randomUUID());
      await until(host, "it is at validate", async () => (await host.show("main")).open?.step === "validate");
      await expect(host.client.call("cancel", { name: "main" })).rejects.toThrow(/is off already/);
      gateway.onRequest = undefined;
      release();
      await expectReplaced(scene, await scene.ended(id));
    }),
  );

  test("that was abandoned between write and reload is made good by the next one", { timeout: 120_000 }, () =>
    withToken({ kept: "file" }, async (scene) => {
      const { host, gateway } = scene;
      gateway.onRequest = (name) => (name === "secrets.reload" ? new Promise(() => {}) : undefined);
      await rotateToken(host, crypto.randomUUID());
      await until(host, "it is at reload", async () => (await host.show("main")).open?.step === "reload");
      await host.client.call("abandon", { name: "main" });
      gateway.onRequest = undefined;
      expect(gateway.token()).toBe(GATEWAY_TOKEN);
      expect(stored(host)).not.toBe(GATEWAY_TOKEN);
      await expectReplaced(scene, await scene.rotated());
      expect((await host.show("main")).keys.map(({ stage }) => stage).toSorted()).toEqual(["current", "dead", "dead"]);
    }),
  );
});
