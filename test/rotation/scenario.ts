import { setTimeout as sleep } from "node:timers/promises";
import type { EventView, RotationView } from "../../src/api-views.ts";
import type { Step } from "../../src/model.ts";
import { RpcRefusal } from "../fakes/gateway/handshake.ts";
import type { Seen } from "../fakes/openai.ts";
import { RotationHost, type RotationHostOptions } from "../support/rotation-host.ts";

/** Calls that get no answer are given up soon, but not before a busy machine has sent them. */
export const CALL_MS = 1500;
export const SHORT_CALLS = { callTimeout: `${CALL_MS}ms` } as const;

/** Does `work` with a host of its own, which is gone afterwards. */
export async function withHost(options: RotationHostOptions, work: (host: RotationHost) => Promise<void>): Promise<void> {
  const host = await RotationHost.start(options);
  try {
    await work(host);
  } finally {
    await host.stop();
  }
}

/** Polls until something is so; says what was waited for, and shows the log, when that takes too long. */
export async function until(host: RotationHost, what: string, ask: () => boolean | Promise<boolean>, ms = 60_000): Promise<void> {
  for (const limit = Date.now() + ms; !(await ask()); await sleep(20)) {
    if (Date.now() < limit) continue;
    const { open, last } = await host.host.show("main");
    throw new Error(`never: ${what}; ${JSON.stringify(open ?? last)}\n${host.host.tail()}`);
  }
}

export async function view(host: RotationHost, id: number): Promise<RotationView> {
  return (await host.host.client.call("watch", { id, after: 0, waitMs: 0 })).rotation;
}

/** Waits until a rotation has ended, however often it is stuck on its way. */
export async function ended(host: RotationHost, id: number, ms = 60_000): Promise<RotationView> {
  await until(host, `rotation ${id} has ended`, async () => (await view(host, id)).outcome !== null, ms);
  return view(host, id);
}

/** Waits until a person is told, and gives what they read. */
export async function stuck(host: RotationHost, id: number): Promise<{ reason: string; hint: string }> {
  await until(host, `rotation ${id} is stuck`, async () => (await view(host, id)).stuck !== null);
  return (await view(host, id)).stuck ?? { reason: "", hint: "" };
}

/** Events of `main`, oldest first. */
export async function events(host: RotationHost, code?: string): Promise<readonly EventView[]> {
  const { events: all } = await host.host.client.call("history", { name: "main", limit: 1000 });
  return all.filter((event) => code === undefined || event.code === code).reverse();
}

/** Requests that the vendor saw of the admin API. */
export function adminCalls(host: RotationHost, method: string): readonly Seen[] {
  return host.vendor.log.filter((seen) => seen.method === method && seen.path.startsWith("/v1/organization/"));
}

/** Whether anybody asked the vendor to delete the key that was adopted. */
export function oldKeyTouched(host: RotationHost): boolean {
  return adminCalls(host, "DELETE").some(({ path }) => path.endsWith(host.vendor.key.id));
}

/** Does something right before the gateway works on the first `name` from now on. */
export function rightBefore(host: RotationHost, name: string, work: () => void): void {
  host.gateway.onRequest = (seen, phase) => {
    if (seen !== name || phase !== "before") return;
    host.gateway.onRequest = undefined;
    work();
  };
}

/** Steps that a rotation can be kept at, and how: what keeps it there ends with `release`. */
export type Kept = Exclude<Step, "disable">;

export const KEEP: Readonly<Record<Kept, (host: RotationHost) => () => void | Promise<void>>> = {
  preflight: (host) => keepCall(host, "GET", "/service_accounts/"),
  create: (host) => keepCall(host, "POST", "/api_keys$"),
  verify: (host) => {
    // Only keys that are younger than an hour are refused.
    Object.assign(host.vendor.key, { createdAt: Date.now() - 86_400_000 });
    host.vendor.vendor.lags.newKeyMs = 3_600_000;
    return () => void Object.assign(host.vendor.vendor.lags, { newKeyMs: 0 });
  },
  promote: keepParked,
  reload: (host) => keepMethod(host, "secrets.reload"),
  validate: (host) => keepMethod(host, "models.probe"),
  drain: (host) => {
    const session = { key: "agent:main:long", modelProvider: "openai", hasActiveRun: true, startedAt: Date.now() };
    host.gateway.runs.sessions.push(session);
    return () => void Object.assign(session, { hasActiveRun: false });
  },
  revoke: (host) => keepCall(host, "DELETE", "/api_keys/"),
  confirm: (host) => {
    host.vendor.vendor.lags.revokedMs = 3_600_000;
    return () => void Object.assign(host.vendor.vendor.lags, { revokedMs: 0 });
  },
};

function keepCall(host: RotationHost, method: string, path: string): () => void {
  host.vendor.faults.add({ method, path, fault: { do: "hang" } });
  return () => host.vendor.faults.clear();
}

/** The gateway is ill, in a way that says nothing about the key. */
function keepMethod(host: RotationHost, method: string): () => void {
  host.gateway.knobs.failing.set(method, new RpcRefusal("UNAVAILABLE", "try again", { retryable: true }));
  return () => void host.gateway.knobs.failing.delete(method);
}

/** What is about to write into the store is kept by an operator's pause, said while the vendor makes the new key. */
function keepParked(host: RotationHost): () => Promise<void> {
  host.vendor.onRequest = async ({ method, path }, phase) => {
    if (method !== "POST" || !path.endsWith("/api_keys") || phase !== "handled") return;
    host.vendor.onRequest = undefined;
    await host.host.client.call("pause", { name: "main" });
  };
  return async () => void (await host.host.client.call("resume", { name: "main" }));
}
