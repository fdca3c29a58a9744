import { createHash, createPrivateKey, createPublicKey, createSecretKey, sign } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { AdapterError } from "../../src/contract/errors.ts";
import { errnoOf } from "../../src/contract/file-errors.ts";
import { Secret } from "../../src/contract/secret.ts";
import type { Access } from "./access.ts";
import type { Challenge } from "./frames.ts";

/**
 * Who we are to the gateway: an Ed25519 key of our own and, once paired, the token that belongs to it. They survive a
 * rotation of the gateway's own token.
 */
export interface Device {
  readonly seed: Secret;
  readonly token: Secret | undefined;
}

const stored = z.strictObject({ seed: z.base64url(), deviceToken: z.string().min(1).optional() });

const MARK_LETTERS = 12;

/** PKCS #8 around the 32 bytes of an Ed25519 seed (RFC 8410). */
const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");

function deviceFile({ name, world }: Access): string {
  return join(world.stateDirectory, `openclaw-${name}.json`);
}

/** The identity on disk; `undefined` before the first `pair`. */
export async function readDevice(access: Access): Promise<Device | undefined> {
  const path = deviceFile(access);
  const content = await onDisk(access, "read the device identity", () => access.world.files.read(path));
  if (content === undefined) return undefined;
  try {
    const { seed, deviceToken } = stored.parse(JSON.parse(content));
    return { seed: new Secret(seed), token: deviceToken === undefined ? undefined : new Secret(deviceToken) };
  } catch {
    throw new AdapterError("misconfigured", `${access.name}: read the device identity: ${path} is not what rotated wrote`, {
      cure: `remove ${path} and run: rotatectl pair ${access.name}`,
    });
  }
}

/** A new identity, on disk before anybody hears of it. */
export async function makeDevice(access: Access): Promise<Device> {
  const device = { seed: new Secret(Buffer.from(access.world.random(32)).toString("base64url")), token: undefined };
  await writeDevice(access, device);
  return device;
}

export async function writeDevice(access: Access, { seed, token }: Device): Promise<void> {
  const content = JSON.stringify({ seed: seed.reveal(), deviceToken: token?.reveal() });
  await onDisk(access, "keep the device identity", () => access.world.files.replace(deviceFile(access), `${content}\n`));
}

/**
 * A name for a token of the gateway, which has none: an HMAC under our own seed, so that whoever has a copy of the ledger
 * cannot try a weak token against it. Throws `misconfigured` before the first `pair`.
 */
export async function markOf(access: Access, token: Secret): Promise<string> {
  const device = await readDevice(access);
  if (device === undefined) {
    throw new AdapterError("misconfigured", `${access.name}: rotated is not paired with this gateway`, {
      cure: `rotatectl pair ${access.name}`,
    });
  }
  return `token_${token.fingerprint(createSecretKey(device.seed.reveal(), "base64url")).slice(0, MARK_LETTERS)}`;
}

async function onDisk<T>({ name }: Access, action: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new AdapterError(errnoOf(cause) === "ENOSPC" ? "full" : "denied", `${name}: ${action}`, { cause });
  }
}

export interface Client {
  readonly id: string;
  readonly mode: string;
  readonly version: string;
  readonly platform: string;
}

/** The `device` of a connect request: signs the challenge together with everything that is asked for. */
export function signChallenge(device: Device, client: Client, scopes: readonly string[], bearer: Secret | undefined, challenge: Challenge) {
  const seed = Buffer.from(device.seed.reveal(), "base64url");
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: "der", type: "pkcs8" });
  const raw = createPublicKey(key).export({ type: "spki", format: "der" }).subarray(-32);
  const id = createHash("sha256").update(raw).digest("hex");
  const family = "";
  const signed = ["v3", id, client.id, client.mode, "operator", scopes.join(","), challenge.ts, bearer?.reveal() ?? "", challenge.nonce];
  const payload = [...signed, client.platform, family].join("|");
  return {
    id,
    publicKey: raw.toString("base64url"),
    nonce: challenge.nonce,
    signedAt: challenge.ts,
    signature: sign(null, Buffer.from(payload), key).toString("base64url"),
  };
}
