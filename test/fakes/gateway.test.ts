import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { startLoad } from "../support/load.ts";
import { GATEWAY_TOKEN, openclawJson } from "../support/openclaw.ts";
import { makeStore } from "./gateway/store.ts";
import { startFakeGateway } from "./gateway.ts";
import { startFakeOpenAi } from "./openai.ts";

/** A fake gateway that gets its key from a file, in front of the OpenAI fake. */
async function place() {
  const directory = await mkdtemp(join(tmpdir(), "rotated-gateway-"));
  const vendor = await startFakeOpenAi();
  const secretFile = join(directory, "secrets.json");
  const write = (secret: string) => writeFile(secretFile, JSON.stringify({ openai: { apiKey: secret } }), { mode: 0o600 });
  await write(vendor.key.secret);
  onTestFinished(async () => {
    await vendor.close();
    await rm(directory, { recursive: true });
  });
  return { directory, vendor, write, config: openclawJson({ vendor: vendor.url, secretFile }) };
}

const ask = (http: string, fields: object, token = GATEWAY_TOKEN) =>
  fetch(`${http}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "openclaw/main", messages: [{ role: "user", content: "ping" }], ...fields }),
  });

it("serves users with the key that it read at its start, in one piece and as a stream", async () => {
  const { vendor, config } = await place();
  const gateway = await startFakeGateway(config);
  onTestFinished(() => gateway.close());
  expect((await fetch(`${gateway.http}/readyz`)).status).toBe(200);
  expect(await (await ask(gateway.http, {})).json()).toMatchObject({ choices: [{ message: { role: "assistant" } }] });
  expect(await (await ask(gateway.http, { stream: true })).text()).toMatch(/data: \[DONE\]\n\n$/);
  expect(vendor.key.uses.length).toBe(2);
});

it("shows its users a refusal as the real one does: 401, or an error in a stream, then 500 while it shuns the vendor", async () => {
  const { vendor, config } = await place();
  const gateway = await startFakeGateway(config, { cooldownMs: 60_000 });
  onTestFinished(() => gateway.close());
  expect((await ask(gateway.http, {}, "wrong-canary-token")).status).toBe(401);
  vendor.vendor.deleteKey(vendor.key.id);
  const refused = await ask(gateway.http, {});
  expect(refused.status).toBe(401);
  expect(await refused.json()).toMatchObject({ error: { type: "authentication_error" } });
  expect((await ask(gateway.http, {})).status).toBe(500);
  gateway.runs.cooldowns.clear();
  const stream = await ask(gateway.http, { stream: true });
  expect(stream.status).toBe(200);
  expect(await stream.text()).toContain('"type":"authentication_error"');
  expect(vendor.key.refusals.length).toBe(2);
});

it("lets a run go on with the key that it began with", async () => {
  const { vendor, config, write } = await place();
  const gateway = await startFakeGateway(config);
  onTestFinished(() => gateway.close());
  const next = vendor.vendor.addKey(vendor.account, "next");
  vendor.pace.firstMs = 50;
  const long = gateway.runs.chat("main", undefined, "5 calls: think", () => {});
  await expect.poll(() => vendor.key.uses.length).toBeGreaterThan(0);
  await write(next.secret);
  await gateway.secrets.reload();
  expect((await ask(gateway.http, {})).status).toBe(200);
  expect((await long).ok).toBe(true);
  expect(vendor.key.uses.length).toBe(5);
  expect(next.uses.length).toBe(1);
});

it("is counted by the load as users feel it: a refused stream has failed, although its status is 200", async () => {
  const { vendor, config } = await place();
  const gateway = await startFakeGateway(config, { cooldownMs: 0 });
  onTestFinished(() => gateway.close());
  const load = startLoad({ http: gateway.http, token: GATEWAY_TOKEN, clients: 4, pauseMs: 5 });
  await expect.poll(() => load.served).toBeGreaterThan(20);
  expect(load.failed).toBe(0);
  vendor.vendor.deleteKey(vendor.key.id);
  await expect.poll(() => load.failures).toEqual(expect.arrayContaining(["main (stream): an error in the stream", "main: status 401"]));
  await load.stop();
});

it("runs as a process of its own", async () => {
  const { directory, config } = await place();
  const path = join(directory, "openclaw.json");
  await writeFile(path, JSON.stringify(config), { mode: 0o600 });
  const program = fileURLToPath(new URL("gateway-main.ts", import.meta.url));
  const child: ChildProcess = spawn(process.execPath, [program, "--config", path], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  if (child.stdout === null) throw new Error("no output");
  const [line] = await once(createInterface(child.stdout), "line");
  const { http } = JSON.parse(String(line)) as { http: string };
  expect((await ask(http, {})).status).toBe(200);
  child.kill("SIGTERM");
  expect(await once(child, "exit")).toEqual([0, null]);
});

it("closes who came with its own token when that changes, once the call that changed it is answered; devices stay", async () => {
  const { config } = await place();
  const entry = { source: "store", provider: "default", id: "OWN_TOKEN" } as const;
  const store = makeStore({ OWN_TOKEN: GATEWAY_TOKEN });
  const gateway = await startFakeGateway({ ...config, gateway: { ...config.gateway, auth: { mode: "token", token: entry } } }, { store });
  onTestFinished(() => gateway.close());
  const frames: string[] = [];
  const socket = new WebSocket(gateway.url);
  const closed = new Promise<number>((resolve) => socket.addEventListener("close", ({ code }) => resolve(code)));
  const say = (id: string, method: string, params: object) => socket.send(JSON.stringify({ type: "req", id, method, params }));
  const client = { id: "gateway-client", version: "1", platform: "linux", mode: "backend" };
  socket.addEventListener("message", ({ data }) => {
    frames.push(String(data));
    if (frames.length === 1) {
      const auth = { token: GATEWAY_TOKEN };
      say("1", "connect", { minProtocol: 4, maxProtocol: 4, client, role: "operator", scopes: ["operator.admin"], caps: [], auth });
    }
    if (frames.length === 2) say("2", "secrets.store.set", { name: "OWN_TOKEN", value: "another-canary-token", kind: "secret" });
  });
  expect(await closed).toBe(4001);
  expect(JSON.parse(frames.at(-1) ?? "")).toMatchObject({ id: "2", ok: true, payload: { ok: true, reloaded: true, warningCount: 0 } });
  expect((await ask(gateway.http, {}, "another-canary-token")).status).toBe(200);
  const from = performance.now();
  expect((await ask(gateway.http, {})).status).toBe(401);
  expect(performance.now() - from, "a wrong one is answered late").toBeGreaterThan(245);
});
