import { openClient } from "../../src/cli/client.ts";
import type { FakeKey } from "../fakes/openai/vendor.ts";
import { type FakeOpenAi, startFakeOpenAi } from "../fakes/openai.ts";
import { Host, QUICK_TIMING } from "../support/host.ts";
import { GATEWAY_TOKEN, type RealGateway } from "../support/openclaw.ts";

/** Waits that a real gateway under load needs; a busy machine needs longer ones still. */
export const REAL_TIMING = {
  ...QUICK_TIMING,
  callTimeout: "5s",
  proveTimeout: "110s",
  reloadSettle: "10s",
  drainLimit: "3m",
  poll: "200ms",
};

type At = Parameters<typeof Host.credential>[0];

/** What a real gateway's host has in its credentials directory: the gateway's token, and what else is named. */
export const credentialFiles = (more: Readonly<Record<string, string>>) => ({ gateway: GATEWAY_TOKEN, ...more });

/** The entry of a gateway on this host under `consumers`. */
export function gatewayEntry(host: At, port: number, more: object = {}) {
  // As long as in real life: under load an old key was seen in use 2.9 s after the reload.
  return { type: "openclaw", url: `ws://127.0.0.1:${port}`, token: Host.credential(host, "gateway"), admissionWindow: "15s", ...more };
}

/** The OpenAI fake, whose answers take as long as some tokens do: requests overlap with what happens to their key. */
export async function startPacedOpenAi(options: Parameters<typeof startFakeOpenAi>[0] = {}): Promise<FakeOpenAi> {
  const vendor = await startFakeOpenAi(options);
  Object.assign(vendor.pace, { firstMs: 20, chunkMs: 10, chunks: 3 });
  return vendor;
}

/** Its entry under `providers`; its admin key is the credential `admin`. */
export function openAiEntry(host: At, { url, vendor, account }: FakeOpenAi, admin: string) {
  return {
    type: "openai",
    baseUrl: url,
    project: vendor.project,
    adminKey: Host.credential(host, admin),
    accounts: "shared",
    serviceAccount: account.id,
    listLag: "100ms",
    lastUsedLag: "1s",
    lastUsedPrecision: "1ms",
  };
}

/** Every key that works at a vendor. */
export function liveKeys({ vendor }: FakeOpenAi): readonly FakeKey[] {
  return vendor.everyKey().filter(({ deletedAt }) => deletedAt === null);
}

/** The keys that signed chats at a vendor from then on. */
export function chatsSince({ log }: FakeOpenAi, at: number): readonly string[] {
  return log.filter((seen) => seen.path.endsWith("/chat/completions") && seen.at >= at).map(({ keyId }) => keyId ?? "unknown");
}

/** The real daemon and real gateways, and all that was started for them. */
export class RealHost {
  readonly host: Host;
  readonly #gateways: readonly RealGateway[];
  readonly #others: readonly { close(): Promise<unknown> }[];

  /** `others` are ended last. */
  protected constructor(host: Host, gateways: readonly RealGateway[], others: readonly { close(): Promise<unknown> }[]) {
    this.host = host;
    this.#gateways = gateways;
    this.#others = others;
  }

  /** Starts a rotation, or finds the one that was started under the same idempotency key. */
  async rotate({ name = "main", key = crypto.randomUUID() }: { name?: string; key?: string } = {}): Promise<number> {
    const { rotations } = await openClient(this.host.socket, key).call("rotate", { name, now: true });
    const id = rotations[0]?.rotation.id;
    if (id === undefined) throw new Error("no rotation was started");
    return id;
  }

  async stop(): Promise<void> {
    await this.host.end();
    await Promise.all(this.#gateways.map((gateway) => gateway.stop()));
    await this.host.remove();
    await Promise.all(this.#others.map((other) => other.close()));
  }
}
