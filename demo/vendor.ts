import { readFileSync } from "node:fs";
import type { Stage } from "./stage.ts";

/** The stand-in for OpenAI, as a process of its own. */
export interface Vendor {
  readonly url: string;
  readonly control: string;
  readonly project: string;
  readonly adminKey: string;
  readonly key: { readonly id: string; readonly secret: string };
}

/** What the vendor answered to one request. */
interface Answer {
  readonly status: number;
  readonly code: string | undefined;
}

/** A model that the stand-in has. */
export const MODEL = "fake-1";
/** As long as a short answer of a model takes on a good day. */
const PACE = { firstMs: 25, chunkMs: 10, chunks: 3 };

export async function startVendor(stage: Stage): Promise<Vendor> {
  const { ready: vendor } = await stage.start("vendor", [process.execPath, "test/fakes/openai-main.ts", "--project", "proj_demo"], {
    says: "stdout",
    ready: (line) => JSON.parse(line) as Vendor,
  });
  await fetch(`${vendor.control}/set`, { method: "POST", body: JSON.stringify({ pace: PACE }), signal: stage.signal });
  return vendor;
}

/** A real request with a key, past everything that was rotated. */
export async function askWith(vendor: Vendor, secret: string, signal: AbortSignal): Promise<Answer> {
  const response = await fetch(`${vendor.url}/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${secret}`, "content-type": "application/json", connection: "close" },
    body: JSON.stringify({ model: MODEL, messages: [{ role: "user", content: "ping" }] }),
    signal,
  });
  const { error } = (await response.json()) as { error?: { code?: string } };
  return { status: response.status, code: error?.code };
}

/** How many chats the vendor served, by the key that signed them. */
export async function chatsByKey(vendor: Vendor, signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
  const log = (await (await fetch(`${vendor.control}/log`, { signal })).json()) as { path: string; keyId: string; status: number | null }[];
  const served = log.filter(({ path, status }) => path.endsWith("/chat/completions") && status === 200);
  return new Map([...Map.groupBy(served, ({ keyId }) => keyId)].map(([keyId, chats]) => [keyId, chats.length]));
}

/** The value that the store holds now. */
export function storedSecret(path: string): string {
  return (JSON.parse(readFileSync(path, "utf8")) as { openai: { apiKey: string } }).openai.apiKey;
}
