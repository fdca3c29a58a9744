import { z } from "zod";
import type { AdapterCode } from "../../src/contract/errors.ts";
import { AdapterError } from "../../src/contract/errors.ts";
import { Secret } from "../../src/contract/secret.ts";
import type { Access } from "./access.ts";
import type { Client, Device } from "./device.ts";
import { readDevice, signChallenge, writeDevice } from "./device.ts";
import type { Answer, Channel, Limits, Refusal } from "./frames.ts";
import { openChannel } from "./frames.ts";

const PROTOCOL = 4;
const SCOPES = ["operator.admin"];
const METHODS = [
  ...["secrets.reload", "secrets.resolve", "secrets.store.list", "secrets.store.set"],
  ...["status", "models.probe", "agent", "agents.list", "sessions.list", "config.get"],
];

/** As this client we work; a device token that `PAIRING` was given serves it, too. */
export const WORKING = { id: "gateway-client", mode: "backend", version: "1", platform: process.platform } as const satisfies Client;
/** As this one we introduce ourselves: only it is given a device token (OpenClaw 2026.9.6). */
export const PAIRING = { ...WORKING, id: "cli", mode: "cli" } as const satisfies Client;

const hello = z.object({
  features: z.object({ methods: z.array(z.string()) }),
  auth: z.object({ scopes: z.array(z.string()).catch([]), deviceToken: z.string().min(1).optional() }),
});
type Hello = z.output<typeof hello>;

/** A connection on which we may do our work. Close it with `using`. */
export interface Gateway extends Disposable {
  /** How far the gateway's clock is ahead of ours. */
  readonly aheadMs: number;
  /** Asks, and takes a no as an answer. */
  ask(method: string, params: object, limits: Partial<Limits>): Promise<Answer>;
  /** Asks, checks the shape of the reply, and throws a no as an `AdapterError`. */
  call<Reply>(method: string, params: object, reply: z.ZodType<Reply>): Promise<Reply>;
}

/** Connects as the paired device. Throws `misconfigured` when there is none, or when the gateway does not let it do its work. */
export async function openGateway(access: Access, signal: AbortSignal): Promise<Gateway> {
  const { name, world, settings } = access;
  const pair = `rotatectl pair ${name}`;
  const device = await readDevice(access);
  if (device?.token === undefined) {
    throw new AdapterError("misconfigured", `${name}: connect: rotated is not paired with this gateway`, { cure: pair });
  }
  const channel = await openChannel(access, signal);
  const aheadMs = channel.challenge.ts - world.clock.now();
  try {
    const greeted = await greet(access, channel, { client: WORKING, device, bearer: { deviceToken: device.token } }, signal);
    if (!greeted.ok) throw refused(access, "connect", greeted.refusal);
    if (!greeted.hello.auth.scopes.includes("operator.admin")) {
      throw new AdapterError("misconfigured", `${name}: connect: the gateway does not give rotated the scope operator.admin`, {
        cure: pair,
      });
    }
    const missing = METHODS.filter((method) => !greeted.hello.features.methods.includes(method));
    if (missing.length > 0) {
      throw new AdapterError("misconfigured", `${name}: connect: the gateway has no ${missing.join(", ")}`, {
        cure: "update OpenClaw to 2026.9 or later",
      });
    }
  } catch (error) {
    channel.close();
    throw error;
  }
  const ask: Gateway["ask"] = (method, params, limits) =>
    channel.request(method, params, { signal, timeoutMs: settings.callTimeout, ...limits });
  return {
    aheadMs,
    ask,
    async call(method, params, reply) {
      const answer = await ask(method, params, {});
      if (!answer.ok) throw refused(access, method, answer.refusal);
      return readReply(access, method, reply, answer.payload);
    },
    [Symbol.dispose]: () => channel.close(),
  };
}

/** Says hello. A device token that comes back is on disk before this returns. */
export async function greet(
  access: Access,
  channel: Channel,
  as: { client: Client; device?: Device; bearer: { token: Secret } | { deviceToken: Secret }; scopes?: readonly string[] },
  signal: AbortSignal,
): Promise<{ ok: true; hello: Hello } | { ok: false; refusal: Refusal }> {
  const bearer = "token" in as.bearer ? as.bearer.token : as.bearer.deviceToken;
  const { device, scopes = SCOPES } = as;
  const params = {
    minProtocol: PROTOCOL,
    maxProtocol: PROTOCOL,
    client: as.client,
    role: "operator",
    scopes,
    caps: [],
    auth: "token" in as.bearer ? { token: bearer.reveal() } : { deviceToken: bearer.reveal() },
    ...(device && { device: signChallenge(device, as.client, scopes, bearer, channel.challenge) }),
  };
  const answer = await channel.request("connect", params, { signal, timeoutMs: access.settings.callTimeout });
  if (!answer.ok) return answer;
  const greeting = readReply(access, "connect", hello, answer.payload);
  if (greeting.auth.deviceToken !== undefined && device !== undefined) {
    const token = new Secret(greeting.auth.deviceToken);
    if (device.token === undefined || !token.equals(device.token)) await writeDevice(access, { seed: device.seed, token });
  }
  return { ok: true, hello: greeting };
}

/** Checks the shape of a reply. Nothing of it enters the message. */
export function readReply<Reply>({ name }: Access, method: string, reply: z.ZodType<Reply>, payload: unknown): Reply {
  const read = reply.safeParse(payload);
  if (!read.success) throw new AdapterError("malformed", `${name}: ${method}: the answer has another shape than that of OpenClaw 2026.9`);
  return read.data;
}

const NOT_PAIRED = new Set(["NOT_PAIRED", "DEVICE_IDENTITY_REQUIRED", "PAIRING_REQUIRED", "AUTH_DEVICE_TOKEN_MISMATCH"]);
const CODES: Readonly<Record<string, AdapterCode>> = {
  INVALID_REQUEST: "invalid",
  FORBIDDEN: "forbidden",
  NOT_FOUND: "notFound",
  RATE_LIMITED: "rateLimited",
  AUTH_RATE_LIMITED: "rateLimited",
  AUTH_TOKEN_MISMATCH: "unauthorized",
};

/** A no of the gateway as an error. By its code: its text may quote a vendor. */
export function refused({ name }: Access, method: string, { code, details, retryAfterMs }: Refusal): AdapterError {
  const known = [details.code ?? "", code].find((word) => NOT_PAIRED.has(word) || word in CODES);
  const why = known ?? (/^[A-Z_]{1,40}$/.test(code) ? code : "refused");
  const message = `${name}: ${method}: the gateway answered ${why}`;
  if (known !== undefined && NOT_PAIRED.has(known)) return new AdapterError("misconfigured", message, { cure: `rotatectl pair ${name}` });
  // What changes something may be asked for 30 times a minute, and a call beyond that is answered as if something were down.
  const limited = code === "UNAVAILABLE" && details.limit !== undefined;
  return new AdapterError(
    limited ? "rateLimited" : (CODES[why] ?? "unavailable"),
    message,
    retryAfterMs === undefined ? {} : { retryAfterMs },
  );
}
