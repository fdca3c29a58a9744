import { z } from "zod";
import { openGateway } from "../../openclaw/gateway.ts";
import type { Setup } from "./settings.ts";

const page = z.object({
  sessions: z.array(z.object({ key: z.string(), hasActiveRun: z.boolean().catch(false), startedAt: z.number().nullish() })),
  nextOffset: z.number().nullish(),
});
/**
 * Those with a run only, so that no idle session moves one over the edge of a page. Without being asked for, archived ones are left
 * out, and `global`, which is the one session of everybody where `session.scope` says so (OpenClaw 2026.9.6).
 */
const LISTED = { limit: 500, activeOnly: true, archived: "all", includeGlobal: true, includeUnknown: true };

/** A reload that lies further ahead than this was before the clock went back: its time may come in years. */
const WENT_BACK_MS = 300_000;

/**
 * The sessions whose run may have begun on the old key. A run keeps the key that it began with, and it says when it began
 * only shortly before its first request. So: when the last one admitted before the reload must have begun, take those that
 * began by then or have not said; later, those of them that have not ended yet. Every new run passes through
 * a state without a beginning, too: waiting for none to be left at all would never end under load.
 *
 * `reloadedAt` may be later than the moment at which the new key came into use, as where a write into the gateway's own store was
 * the reload: every run on the old key began before that. Those of the new key that began in between are waited for as well.
 */
export async function busySince(
  setup: Setup,
  reloadedAt: Date,
  earlier: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<readonly string[] | "tooEarly"> {
  const { world, settings } = setup;
  const closed = reloadedAt.getTime() + settings.admissionWindow;
  const now = world.clock.now();
  if (earlier === undefined && now < closed && reloadedAt.getTime() < now + WENT_BACK_MS) return "tooEarly";
  if (earlier?.length === 0) return [];

  using gateway = await openGateway(setup, signal);
  const old = new Set<string>();
  for (let offset: number | undefined = 0; offset !== undefined; ) {
    const { sessions, nextOffset }: z.output<typeof page> = await gateway.call("sessions.list", { ...LISTED, offset }, page);
    for (const { key, hasActiveRun, startedAt } of sessions) {
      // `startedAt` is of the gateway's clock.
      if (hasActiveRun && (startedAt == null || startedAt - gateway.aheadMs <= closed)) old.add(key);
    }
    offset = nextOffset ?? undefined;
  }
  return earlier === undefined ? [...old] : earlier.filter((key) => old.has(key));
}
