import type { ProviderName } from "../providers/index.ts";

/** The vendor whose key is replaced, on this machine. */
export interface Vendor {
  readonly type: ProviderName;
  /** What it is, for people. */
  readonly title: string;
  /** Where a consumer sends chats in OpenAI's shape; with `/v1`. */
  readonly url: string;
  /** What stands under the provider in the configuration. */
  readonly settings: object;
  readonly key: { readonly id: string; readonly secret: string };
  /** Whether the vendor tells by a secret which key it is; else a person says so. */
  readonly identifies: boolean;
  /** Where the vendor has no call that makes a key: what a person brings who made one. */
  readonly makeByHand?: () => Promise<string>;
  /** Whether that is its answer to a key that it does not know. */
  refuses(answer: Answer): boolean;
  /** How many chats it served, with the old key and with others. */
  served(): Promise<{ readonly old: number; readonly others: number }>;
}

/** What the vendor answered to one request. */
export interface Answer {
  readonly status: number;
  readonly code: string | undefined;
}

/** A model that every stand-in has, or is asked for in its own words. */
export const MODEL = "fake-1";
/** As long as a short answer of a model takes on a good day. */
export const PACE = { firstMs: 25, chunkMs: 10, chunks: 3 };

/** A real request with a key, past everything that was rotated. */
export async function askWith({ url }: Vendor, secret: string, signal: AbortSignal): Promise<Answer> {
  const response = await fetch(`${url}/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${secret}`, "content-type": "application/json", connection: "close" },
    body: JSON.stringify({ model: MODEL, messages: [{ role: "user", content: "ping" }] }),
    signal,
  });
  const { error } = (await response.json()) as { error?: { code?: string } };
  return { status: response.status, code: error?.code };
}
