import type { Answer, StepContext } from "../context.ts";
import { proveAll } from "../evidence.ts";
import { again, is, mirrorsShow, secretOf, storeHolds } from "../observe.ts";
import { retreat } from "../way-back.ts";
import { contradicted, reloadAll } from "./reload.ts";

/** Makes a live request through every consumer, and wants evidence of which key served it. */
export async function validate(context: StepContext): Promise<Answer> {
  const { target } = context;
  if (target === undefined) return { go: "step", step: "create", why: "there is no key to validate" };
  const holds = await storeHolds(context);
  if (!is(holds, target) || !(await mirrorsShow(context, target)))
    return { go: "step", step: "promote", why: "the store or a mirror does not hold the target" };
  const secret = (await secretOf(context, target)) ?? holds.secret;

  const evidence = await proveAll(context, target, secret);
  switch (evidence.seen) {
    case "proven":
      return {
        go: "next",
        rotation: { validatedAt: context.clock.now() },
        events: evidence.by.map(({ consumer, grade, detail }) => ({
          code: "consumerProven" as const,
          detail: { consumer, grade, evidence: detail },
        })),
      };
    case "unproven":
      return { ...again(context, context.timing.pollMs), problem: evidence.problem };
    case "refused":
      return retreat(context, "refused", evidence.problem);
    case "contradicted": {
      // It may have restarted, or joined an older reload: it is told again before it is held against the rotation.
      const other = await reloadAll(context, secret);
      const answer = await contradicted(context, other ?? evidence.problem);
      return answer.go === "again" ? { ...answer, rotation: { reloadedAt: context.clock.now() } } : answer;
    }
  }
}
