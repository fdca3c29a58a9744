import { z } from "zod";
import { duration, withRules } from "../../../src/contract/settings.ts";
import { type Access, access } from "../../openclaw/access.ts";
import { OWN_TOKEN, referencePath, settingPath } from "../../openclaw/paths.ts";

/** A probe is answered after up to 75 s when the vendor is ill: OpenClaw repeats the call inside (OpenClaw 2026.9.6). */
const SHORTEST_PROBE_MS = 90_000;

export const settings = z.strictObject({
  ...access,
  probeTimeout: duration()
    .refine((ms) => ms >= SHORTEST_PROBE_MS, "at least 90s: the gateway repeats a failing vendor call on its own")
    .prefault("100s")
    .describe("how long a live request through the gateway may take"),
  admissionWindow: duration()
    .prefault("15s")
    .describe("how long after a reload a run may still begin with the old key; a busy gateway needs longer"),
});

export const use = withRules(
  z.strictObject({
    provider: z
      .string()
      .min(1)
      .optional()
      .describe("the provider's name under `models.providers` in openclaw.json; left out for the gateway's own token"),
    path: settingPath()
      .optional()
      .describe(
        `where the reference to the key stands in openclaw.json; \`models.providers.PROVIDER.apiKey\` if left out, \`${OWN_TOKEN}\` for the gateway's own token`,
      ),
    also: z
      .array(settingPath())
      .prefault([])
      .describe("further settings of openclaw.json that refer to the same place; they must follow, too"),
    agents: z
      .array(z.string().min(1))
      .min(1)
      .optional()
      .describe("agents to prove it with; if left out, every agent that uses the provider"),
    model: z.string().min(1).optional().describe("the model to prove it with, where the agent's own is not one of this provider"),
  }),
  [
    {
      broken: ({ provider, path }) => (provider === undefined) !== (path === OWN_TOKEN),
      message: `a provider, or the path ${OWN_TOKEN} without one`,
      hint: `give the name under models.providers as provider, or path: ${OWN_TOKEN} for the gateway's own token`,
    },
  ],
);

/** A gateway, and what must follow there in a rotation. */
export interface Follower extends Access {
  readonly settings: z.output<typeof settings>;
  readonly use: z.output<typeof use>;
}

/** The same where that is the key of a provider. */
export interface Setup extends Follower {
  readonly use: Follower["use"] & { readonly provider: string };
}

/** Where the reference to the key stands in openclaw.json. */
export function keyPath({ use }: Follower): string {
  return referencePath(use);
}
