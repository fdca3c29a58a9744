import type { Checklist, Rotation, Step } from "../model.ts";
import type { StepRun } from "./context.ts";
import { confirm } from "./steps/confirm.ts";
import { create } from "./steps/create.ts";
import { disable } from "./steps/disable.ts";
import { drain } from "./steps/drain.ts";
import { preflight } from "./steps/preflight.ts";
import { promote } from "./steps/promote.ts";
import { reload } from "./steps/reload.ts";
import { revoke } from "./steps/revoke.ts";
import { validate } from "./steps/validate.ts";
import { verify } from "./steps/verify.ts";

export interface StepSpec {
  readonly run: StepRun;
  /** Which of the operator's five steps it belongs to; none for what comes before the first side effect. */
  readonly checklist: Checklist | null;
  /** Whether a paused credential is parked before it: it is about to change the world outside. */
  readonly parks: (rotation: Rotation) => boolean;
  /** What it does, for people. */
  readonly does: string;
}

const never = () => false;
const always = () => true;
/** Never between a disable and its validate. */
const untilOff = ({ memo }: Rotation) => memo["off"] === undefined;

// biome-ignore format: the columns are the point
export const STEPS: Readonly<Record<Step, StepSpec>> = {
  preflight: { run: preflight, checklist: null,       parks: never,    does: "finds facts before the first side effect: store, admin credential, current key, consumers" },
  create:    { run: create,    checklist: "generate", parks: always,    does: "journals an intent, creates one key at the vendor, stages its secret in the store" },
  verify:    { run: verify,    checklist: "generate", parks: never,    does: "asks the vendor directly whether the new key can do its work, several times in a row" },
  promote:   { run: promote,   checklist: "update",   parks: always,    does: "makes the new key the store's current value" },
  reload:    { run: reload,    checklist: "reload",   parks: always,    does: "has every consumer pick the current value up" },
  validate:  { run: validate,  checklist: "validate", parks: never,    does: "makes live requests through every consumer, with evidence of which key served them" },
  drain:     { run: drain,     checklist: "revoke",   parks: never,    does: "waits for the overlap, for runs that began on the old key, and until the vendor sees it idle" },
  disable:   { run: disable,   checklist: "revoke",   parks: untilOff, does: "where the vendor can: switches the old key off and validates again" },
  revoke:    { run: revoke,    checklist: "revoke",   parks: always,    does: "deletes the old key for good, through the gate" },
  confirm:   { run: confirm,   checklist: "revoke",   parks: never,    does: "calls the vendor with the old key until it is proven dead, then drops it from the store" },
};
