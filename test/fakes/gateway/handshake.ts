import { createHash, createPublicKey, randomBytes, randomUUID, verify } from "node:crypto";
import { z } from "zod";

/** A refusal in the gateway's own shape. */
export class RpcRefusal extends Error {
  readonly error: { code: string; message: string; details?: Record<string, unknown>; retryable?: boolean; retryAfterMs?: number };

  constructor(code: string, message: string, more: { details?: Record<string, unknown>; retryable?: boolean; retryAfterMs?: number } = {}) {
    super(message);
    this.error = { code, message, ...more };
  }
}

const connectParams = z.strictObject({
  minProtocol: z.int().max(4),
  maxProtocol: z.int().min(4),
  client: z.strictObject({
    id: z.enum(["gateway-client", "cli"]),
    version: z.string().min(1),
    platform: z.string().min(1),
    mode: z.enum(["backend", "cli"]),
  }),
  role: z.literal("operator"),
  scopes: z.array(z.string()),
  caps: z.array(z.string()),
  auth: z.strictObject({ token: z.string().optional(), deviceToken: z.string().optional() }).optional(),
  device: z
    .strictObject({ id: z.string(), publicKey: z.base64url(), signature: z.base64url(), signedAt: z.number(), nonce: z.string() })
    .optional(),
});
type ConnectParams = z.output<typeof connectParams>;

export interface Device {
  readonly id: string;
  approved: boolean;
  token: string | undefined;
  requestId: string;
}

export interface Admitted {
  readonly scopes: readonly string[];
  readonly method: "token" | "device-token";
  readonly deviceToken?: string;
  readonly deviceId?: string;
}

/** Whose connections are admitted, and with which scopes. `remote`: every caller counts as one from another host. */
export function makeHandshake(sharedToken: () => string | undefined, options: { remote: boolean }) {
  const devices = new Map<string, Device>();
  return {
    devices,
    /** What `openclaw devices approve` does. */
    approve(requestId: string): boolean {
      const device = [...devices.values()].find((candidate) => candidate.requestId === requestId && !candidate.approved);
      if (device !== undefined) device.approved = true;
      return device !== undefined;
    },
    admit(raw: unknown, challenge: { nonce: string; ts: number }): Admitted {
      const read = connectParams.safeParse(raw);
      if (!read.success) throw new RpcRefusal("INVALID_REQUEST", `invalid connect params: ${read.error.issues[0]?.path.join(".") ?? ""}`);
      const params = read.data;
      const id = params.device === undefined ? undefined : checkSignature(params, challenge);
      if (params.auth?.token === undefined) return byDevice(params, id);
      if (params.auth.token !== sharedToken()) throw mismatch("AUTH_TOKEN_MISMATCH");
      if (id === undefined)
        return { scopes: options.remote || params.client.id !== params.client.mode ? unpaired(params) : params.scopes, method: "token" };
      return introduce(params, id);
    },
  };

  function byDevice(params: ConnectParams, id: string | undefined): Admitted {
    if (id === undefined) throw new RpcRefusal("NOT_PAIRED", "device identity required", { details: { code: "DEVICE_IDENTITY_REQUIRED" } });
    const token = devices.get(id)?.token;
    if (token === undefined || token !== params.auth?.deviceToken) throw mismatch("AUTH_DEVICE_TOKEN_MISMATCH");
    return { scopes: params.scopes, method: "device-token", deviceToken: token, deviceId: id };
  }

  /** With the shared token and a signed device: approved silently on loopback, by a person from elsewhere. */
  function introduce(params: ConnectParams, id: string): Admitted {
    const device = devices.get(id) ?? { id, approved: !options.remote, token: undefined, requestId: randomUUID() };
    devices.set(id, device);
    if (!device.approved) {
      throw new RpcRefusal("NOT_PAIRED", "pairing required", { details: { code: "PAIRING_REQUIRED", requestId: device.requestId } });
    }
    if (params.client.id !== "cli" && !options.remote) return { scopes: params.scopes, method: "token", deviceId: id };
    device.token ??= `device-canary-${randomBytes(16).toString("hex")}`;
    return { scopes: params.scopes, method: "token", deviceToken: device.token, deviceId: id };
  }

  /** On loopback a backend keeps its scopes without a device; from elsewhere nobody does. */
  function unpaired({ client, scopes }: ConnectParams): readonly string[] {
    return !options.remote && client.id === "gateway-client" && client.mode === "backend" ? scopes : [];
  }
}

function checkSignature({ device, client, role, scopes, auth }: ConnectParams, challenge: { nonce: string; ts: number }): string {
  if (device === undefined) throw new Error("no device");
  const raw = Buffer.from(device.publicKey, "base64url");
  const id = createHash("sha256").update(raw).digest("hex");
  const bearer = auth?.token ?? auth?.deviceToken ?? "";
  const text = [
    "v3",
    id,
    client.id,
    client.mode,
    role,
    scopes.join(","),
    device.signedAt,
    bearer,
    device.nonce,
    client.platform.toLowerCase(),
    "",
  ];
  const key = createPublicKey({ key: Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), raw]), format: "der", type: "spki" });
  const genuine = verify(null, Buffer.from(text.join("|")), key, Buffer.from(device.signature, "base64url"));
  if (!genuine || device.id !== id)
    throw new RpcRefusal("INVALID_REQUEST", "device signature invalid", { details: { code: "DEVICE_AUTH_SIGNATURE_INVALID" } });
  if (device.nonce !== challenge.nonce)
    throw new RpcRefusal("INVALID_REQUEST", "device nonce mismatch", { details: { code: "DEVICE_AUTH_NONCE_MISMATCH" } });
  return id;
}

function mismatch(code: string): RpcRefusal {
  return new RpcRefusal("INVALID_REQUEST", "unauthorized", { details: { code } });
}
