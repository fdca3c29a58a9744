import { PLANS } from "../../src/rotation/plans.ts";
import { STEPS } from "../../src/rotation/steps.ts";
import { EVENTS } from "../../src/state/events.ts";
import { table } from "./settings.ts";

/** The page on what a rotation does, from the tables that the engine runs. */
export function rotation(): readonly string[] {
  return [
    "# What a rotation does",
    "Each step may run twice and does no harm: it asks first what is left to do. Between two steps the daemon may be killed.",
    "## The steps",
    table(
      ["Checklist", "Step", "Does"],
      Object.entries(STEPS).map(([name, { checklist, does }]) => [checklist ?? "", `\`${name}\``, does]),
    ),
    "## The plans",
    table(
      ["Plan", "Steps"],
      Object.entries(PLANS).map(([name, steps]) => [`\`${name}\``, steps.join(", ")]),
    ),
    "`discard` and `back` are the ways back: they take the place of the plan in an open rotation, `discard` while nothing was promoted, `back` after that.",
    "## The history",
    "The codes of `rotatectl history --json`. They are added to, never renamed.",
    table(
      ["Code", "Says"],
      Object.entries(EVENTS).map(([code, says]) => [`\`${code}\``, says]),
    ),
  ];
}
