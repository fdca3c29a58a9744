import { z } from "zod";
import { isLoopback } from "../../src/contract/loopback.ts";
import { duration, secretRef } from "../../src/contract/settings.ts";
import type { World } from "../../src/contract/world.ts";

/** How a gateway is reached: the settings of its consumer, which every plug that speaks to it goes by. */
export const access = {
  url: z
    .url({ protocol: /^wss?$/, error: "a ws:// or wss:// address" })
    .refine((text) => new URL(text).username === "" && new URL(text).password === "", "no user name or password in an address")
    .prefault("ws://127.0.0.1:18789")
    .describe("where the gateway listens; `wss:` unless it is on this host"),
  token: secretRef()
    .optional()
    .describe("the gateway's own token (`gateway.auth.token`); only `rotatectl pair` uses it, afterwards a device token serves"),
  callTimeout: duration().prefault("15s").describe("how long the gateway may take to answer a call"),
};
const settings = z.object(access);

/** One gateway, as the consumer that stands for it is configured. */
export interface Access {
  /** The consumer's name in the configuration: what messages begin with, and what its device identity is called. */
  readonly name: string;
  readonly settings: z.output<typeof settings>;
  readonly world: World;
}

/** The access of a plug that goes through a consumer of the type `openclaw`; its settings were parsed as that consumer's. */
export function accessThrough(consumer: { readonly name: string; readonly settings: object } | undefined, world: World): Access {
  if (consumer === undefined) throw new Error("this plug goes through a consumer, and was connected without one");
  return { name: consumer.name, settings: consumer.settings as Access["settings"], world };
}

/** Whether the gateway is spoken to over loopback: then it takes us for somebody on its own host. */
export function isOnThisHost({ settings }: Access): boolean {
  return isLoopback(new URL(settings.url));
}
