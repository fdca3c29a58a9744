import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { type OpenClawFile, openclawConfig } from "./gateway/config.ts";
import { type Admitted, makeHandshake, RpcRefusal } from "./gateway/handshake.ts";
import { chatCompletions, send } from "./gateway/http.ts";
import { makeAttempts, makeWriteLimit } from "./gateway/limits.ts";
import { callMethod, type Inside, LIMITED, METHODS } from "./gateway/methods.ts";
import { makeRuns } from "./gateway/runs.ts";
import { makeSecrets } from "./gateway/secrets.ts";
import { makeStore, type Store } from "./gateway/store.ts";
import { acceptWebSocket, type Peer } from "./gateway/websocket.ts";

export interface FakeGatewayOptions {
  /** What the real gateway has in its environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Every caller counts as one from another host: it must be approved. */
  readonly remote?: boolean;
  /** Serves https and wss. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** How long a provider is shunned after a refusal. */
  readonly cooldownMs?: number;
  /** Its own secret store, which outlives it. */
  readonly store?: Store;
}

/** What the tests may turn. Everything starts as the real gateway does. */
export interface Knobs {
  /** Refuses connections as a gateway that is not ready yet. */
  starting: boolean;
  /** Grants these scopes, whatever was asked for. */
  scopes: readonly string[] | undefined;
  /** Pretends not to have these methods. */
  missing: readonly string[];
  /** Answers these methods with this error. */
  readonly failing: Map<string, RpcRefusal>;
}

/** Called before a request is worked on and after it was answered, and awaited: `secrets.reload`, `POST /v1/chat/completions`. */
export type RequestHook = (name: string, phase: "before" | "after") => void | Promise<void>;

export type FakeGateway = Awaited<ReturnType<typeof startFakeGateway>>;

/**
 * A strict stand-in for an OpenClaw 2026.9.6 gateway: reads the same openclaw.json, speaks the same protocol, calls the
 * vendor for real, and refuses what it does not know.
 */
export async function startFakeGateway(file: OpenClawFile, options: FakeGatewayOptions = {}) {
  const config = openclawConfig.parse(file);
  const env = options.env ?? {};
  const lines: string[] = [];
  const log = (message: string) => void lines.push(JSON.stringify({ time: new Date().toISOString(), message: `[gateway] ${message}` }));
  const store = options.store ?? makeStore();
  const secrets = makeSecrets(config, env, store, log);
  await secrets.reload();
  const token = () => secrets.value(config.gateway.auth.token, "gateway.auth.token");
  const runs = makeRuns(config, secrets, env, options.cooldownMs ?? 30_000);
  const handshake = makeHandshake(token, { remote: options.remote ?? false });
  const knobs: Knobs = { starting: false, scopes: undefined, missing: [], failing: new Map() };
  const attempts = makeAttempts({ remote: options.remote ?? false });
  const limitWrites = makeWriteLimit();
  const inside: Inside = { config, path: "openclaw.json", secrets, runs, store, lines, log, approve: handshake.approve };
  const bootId = randomUUID();
  const peers = new Set<Peer>();
  let connections = 0;
  /** Those who came with the gateway's own token, and with which. */
  const guests = new Map<Peer, string | undefined>();

  const server = options.tls === undefined ? createServer() : createSecureServer({ ...options.tls });
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    serve(request, response).catch(() => response.destroy());
  });
  server.on("upgrade", upgrade);
  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  await listen(config.gateway.port);
  const { port } = server.address() as AddressInfo;

  const gateway = {
    http: `http${options.tls === undefined ? "" : "s"}://127.0.0.1:${port}`,
    url: `ws${options.tls === undefined ? "" : "s"}://127.0.0.1:${port}`,
    secrets,
    store,
    runs,
    attempts,
    token,
    /** WebSocket connections that were ever opened. */
    connections: () => connections,
    config,
    knobs,
    lines,
    devices: handshake.devices,
    approve: handshake.approve,
    onRequest: undefined as RequestHook | undefined,
    /** Hangs up on everybody. */
    disconnect: () => [...peers].forEach((peer) => void peer.close(1012, "service restart")),
    /** Nobody can connect until `up`; what it has loaded stays. */
    async down() {
      const closed = new Promise((resolve) => server.close(resolve));
      gateway.disconnect();
      server.closeAllConnections();
      await closed;
    },
    up: () => listen(port),
    async close() {
      if (server.listening) await gateway.down();
    },
  };
  return gateway;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const name = `${request.method} ${request.url}`;
    if (name === "GET /healthz") return send(response, 200, { ok: true, status: "live" });
    if (name === "GET /readyz") return send(response, knobs.starting ? 503 : 200, { ready: !knobs.starting });
    if (name !== "POST /v1/chat/completions") return send(response, 404, { error: { message: "not found", type: "not_found" } });
    await gateway.onRequest?.(name, "before");
    await chatCompletions(runs, (shown) => mayEnter(shown), request, response);
    await gateway.onRequest?.(name, "after");
  }

  function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const challenge = { nonce: randomUUID(), ts: Date.now() };
    let admitted: Admitted | undefined;
    const peer = acceptWebSocket(request, socket, head, {
      onText: (text) => void receive(text).catch(() => peer?.close(1011, "internal error")),
      onClose: () => peer !== undefined && peers.delete(peer) && guests.delete(peer),
    });
    if (peer === undefined) return;
    peers.add(peer);
    connections += 1;
    const tell = (frame: object) => peer.send(JSON.stringify(frame));
    tell({ type: "event", event: "connect.challenge", payload: { ...challenge, capabilities: [] } });

    async function receive(text: string): Promise<void> {
      const { type, id, method, params = {} } = JSON.parse(text) as { type: string; id: string; method: string; params?: object };
      if (type !== "req" || typeof id !== "string" || typeof method !== "string") return peer?.close(1008, "invalid request frame");
      const early = (payload: unknown) => tell({ type: "res", id, ok: true, payload });
      try {
        if (admitted === undefined) {
          if (method !== "connect") return peer?.close(1008, "connect first");
          admitted = await admit(params, challenge);
          if (admitted.method === "token" && peer !== undefined) guests.set(peer, token());
          return early(hello(admitted));
        }
        await gateway.onRequest?.(method, "before");
        const failure = knobs.failing.get(method);
        if (failure !== undefined) throw failure;
        if (LIMITED.includes(method)) limitWrites(method, admitted.deviceId);
        const payload = await callMethod(inside, method, params, admitted.scopes, early);
        tell({ type: "event", event: "chat.metadata.changed", payload: {}, seq: 1 });
        early(payload);
        expel();
        await gateway.onRequest?.(method, "after");
      } catch (error) {
        if (!(error instanceof RpcRefusal)) throw error;
        tell({ type: "res", id, ok: false, error: error.error });
        if (admitted === undefined) peer?.close(1008, "connect refused");
      }
    }
  }

  /** Whoever came with a token that is no longer the gateway's hears so once the call is answered that changed it. */
  function expel(): void {
    for (const [peer, shown] of guests) if (shown !== token()) peer.close(4001, "gateway auth changed");
  }

  async function mayEnter(shown: string | undefined): Promise<boolean> {
    if (shown !== token()) {
      await attempts.wrong();
      return false;
    }
    attempts.right();
    return true;
  }

  async function admit(params: object, challenge: { nonce: string; ts: number }): Promise<Admitted> {
    if (knobs.starting) {
      throw new RpcRefusal("UNAVAILABLE", "gateway starting; retry shortly", {
        retryable: true,
        retryAfterMs: 500,
        details: { reason: "startup-sidecars" },
      });
    }
    attempts.mustBeOpen();
    const admitted = await admitOrDelay(params, challenge);
    if (admitted.method === "token") attempts.right();
    return { ...admitted, scopes: knobs.scopes ?? admitted.scopes };
  }

  async function admitOrDelay(params: object, challenge: { nonce: string; ts: number }): Promise<Admitted> {
    try {
      return handshake.admit(params, challenge);
    } catch (error) {
      if (error instanceof RpcRefusal && error.error.details?.["code"] === "AUTH_TOKEN_MISMATCH") await attempts.wrong();
      throw error;
    }
  }

  function hello({ method, scopes, deviceToken }: Admitted) {
    return {
      type: "hello-ok",
      protocol: 4,
      server: { version: "2026.9.6", bootId, connId: randomUUID() },
      features: { methods: Object.keys(METHODS).filter((name) => !knobs.missing.includes(name)), events: [] },
      auth: { method, role: "operator", scopes, ...(deviceToken !== undefined && { deviceToken }) },
      policy: {},
      snapshot: {},
    };
  }
}
