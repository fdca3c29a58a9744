import type { Outcome } from "../../src/model.ts";
import type { KillHost } from "./kill-host.ts";

/** A rotation that is killed at each of its points, one run a point. */
export interface Scenario {
  readonly name: string;
  /** Brings the rotation to where the points begin; nothing is killed before. */
  prepare(host: KillHost): Promise<void>;
  /** What starts the part that is killed. Said again after a restart, as a person would who got no answer. */
  trigger(host: KillHost): Promise<void>;
  readonly outcomes: readonly Outcome[];
  /** Which key serves at the end: the one that was adopted, or one that the rotation made. */
  readonly serves: "adopted" | "made";
}

export const SCENARIOS: readonly Scenario[] = [
  {
    name: "routine",
    prepare: async () => {},
    trigger: (host) => host.say("rotate"),
    outcomes: ["done"],
    serves: "made",
  },
  {
    name: "back: cancelled during the overlap",
    prepare: async (host) => {
      await host.say("rotate", { overlap: true });
      await host.reaches("drain");
    },
    trigger: (host) => host.say("cancel"),
    outcomes: ["cancelled"],
    serves: "adopted",
  },
  {
    name: "discard: the vendor refuses every new key",
    prepare: async (host) => {
      // Only keys that are younger than an hour are refused; the adopted one is a day old.
      Object.assign(host.vendor.key, { createdAt: Date.now() - 86_400_000 });
      host.vendor.vendor.lags.newKeyMs = 3_600_000;
    },
    trigger: (host) => host.say("rotate"),
    outcomes: ["failed"],
    serves: "adopted",
  },
];
