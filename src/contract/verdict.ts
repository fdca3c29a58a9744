import { hasCode } from "./errors.ts";
import type { Verdict } from "./provider.ts";

/**
 * What the vendor says of a key in answer to a call that it signs: `unauthorized` refuses it, `forbidden` limits it, and anything
 * else is thrown. Which answers have these codes is for the call's own `refusal` to know. `read` is for a reply that says more.
 */
export async function verdictOn<Reply>(call: () => Promise<Reply>, read: (reply: Reply) => Verdict = () => "accepted"): Promise<Verdict> {
  try {
    return read(await call());
  } catch (error) {
    if (hasCode(error, "unauthorized")) return "refused";
    if (hasCode(error, "forbidden")) return "limited";
    throw error;
  }
}
