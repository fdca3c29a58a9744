import { z } from "zod";
import { duration, secretRef } from "../../../src/contract/settings.ts";
import type { World } from "../../../src/contract/world.ts";

/** A probe is answered after up to 75 s when the vendor is ill: OpenClaw repeats the call inside (OpenClaw 2026.9.6). */
const SHORTEST_PROBE_MS = 90_000;

export const settings = z.strictObject({
  url: z
    .url({ protocol: /^wss?$/, error: "a ws:// or wss:// address" })
    .refine((text) => new URL(text).username === "" && new URL(text).password === "", "no user name or password in an address")
    .prefault("ws://127.0.0.1:18789")
    .describe("where the gateway listens; `wss:` unless it is on this host"),
  token: secretRef()
    .optional()
    .describe("the gateway's own token (`gateway.auth.token`); only `rotatectl pair` uses it, afterwards a device token serves"),
  callTimeout: duration().prefault("15s").describe("how long the gateway may take to answer a call"),
  probeTimeout: duration()
    .refine((ms) => ms >= SHORTEST_PROBE_MS, "at least 90s: the gateway repeats a failing vendor call on its own")
    .prefault("100s")
    .describe("how long a live request through the gateway may take"),
  admissionWindow: duration()
    .prefault("15s")
    .describe("how long after a reload a run may still begin with the old key; a busy gateway needs longer"),
});

const path = z.string().regex(/^[^.\s]+(\.[^.\s]+)+$/, "the path of a setting in openclaw.json, such as models.providers.openai.apiKey");

export const use = z.strictObject({
  provider: z.string().min(1).describe("the provider's name under `models.providers` in openclaw.json"),
  path: path.optional().describe("where the reference to the key stands in openclaw.json; `models.providers.PROVIDER.apiKey` if left out"),
  also: z.array(path).prefault([]).describe("further settings of openclaw.json that refer to the same place; they must follow, too"),
  agents: z.array(z.string().min(1)).min(1).optional().describe("agents to prove it with; if left out, every agent that uses the provider"),
  model: z.string().min(1).optional().describe("the model to prove it with, where the agent's own is not one of this provider"),
});

/** Everything that the parts of this consumer work with. */
export interface Setup {
  /** The consumer's name in the configuration: what messages begin with. */
  readonly name: string;
  readonly settings: z.output<typeof settings>;
  readonly use: z.output<typeof use>;
  readonly world: World;
}

/** Where the reference to the key stands in openclaw.json. */
export function keyPath({ use }: Setup): string {
  return use.path ?? `models.providers.${use.provider}.apiKey`;
}
