import yoctoSpinner, { type Spinner } from "yocto-spinner";
import type { ChecklistItem, RotationView } from "../api-views.ts";
import type { Io } from "./io.ts";
import { cureOf, printable } from "./output.ts";

/** Shows how a rotation goes through the five steps. */
export interface Display {
  update(rotation: RotationView): void;
  note(text: string): void;
  /** Leaves the line clean. Harmless when repeated. */
  end(): void;
}

// biome-ignore format: the columns are the point
const MARKS: Readonly<Record<ChecklistItem["state"], string>> = { ahead: " ", running: "…", done: "✔", failed: "✖", skipped: "-" };

/** On a terminal the running step turns on the last line; elsewhere, or beside others, each news is a line. */
export function openDisplay(io: Io, first: RotationView, oneOfMany: boolean): Display {
  const prefix = oneOfMany ? `${first.credential}: ` : "";
  const spinner = io.tty && !oneOfMany ? yoctoSpinner({ handleSignals: false }) : undefined;
  const line = (text: string) => printAbove(io, spinner, `${prefix}${text}`);
  const shown = new Map<string, string>();
  let plan = first.plan;
  return {
    update(rotation) {
      if (rotation.plan !== plan) line(`↩ ${rotation.plan}: ${rotation.lastError?.message ?? "the plan has changed"}`);
      if (rotation.plan !== plan) shown.clear();
      plan = rotation.plan;
      const items = itemsOf(rotation);
      if (items.every(({ state }) => state !== "running")) spinner?.stop();
      for (const item of items) {
        const text = describe(item, rotation);
        if (item.state === "ahead" || item.state === "skipped" || shown.get(item.name) === text) continue;
        shown.set(item.name, text);
        if (item.state === "running" && spinner !== undefined) turn(spinner, text);
        else line(`${MARKS[item.state]} ${text}`);
      }
      const cure = rotation.stuck === null ? cureOf(rotation) : undefined;
      if (cure !== undefined && shown.get("hint") !== cure) line(`  hint: ${cure}`);
      if (cure !== undefined) shown.set("hint", cure);
      const asked = rotation.wanted === null ? undefined : rotation.stuck?.hint;
      if (asked !== undefined && shown.get("wanted") !== asked) {
        shown.set("wanted", asked);
        for (const clause of asked.split("; ")) line(`  · ${clause}`);
      }
    },
    note: (text) => line(`· ${text}`),
    end: () => void spinner?.stop(),
  };
}

interface Item extends Omit<ChecklistItem, "name"> {
  readonly name: string;
}

/** The checklist; before it has begun also the step that comes first, because that can wait, too. */
function itemsOf(rotation: RotationView): readonly Item[] {
  const begun = rotation.checklist.some(({ state }) => state !== "ahead" && state !== "skipped");
  return begun || rotation.outcome !== null ? rotation.checklist : [{ name: rotation.step, state: "running", text: null }];
}

function describe(item: Item, rotation: RotationView): string {
  const waits = item.state === "running" && rotation.attempts > 0 && rotation.stuck === null ? rotation.lastError : null;
  const parts = [item.text, waits && `will try again: ${waits.message}`].filter((part) => part !== null);
  return [item.name.padEnd(8), parts.join("; ")].join("  ").trimEnd();
}

function turn(spinner: Spinner, text: string): void {
  spinner.text = printable(text);
  if (!spinner.isSpinning) spinner.start();
}

function printAbove(io: Io, spinner: Spinner | undefined, text: string): void {
  const turning = spinner?.isSpinning === true;
  spinner?.stop();
  io.err(text);
  if (turning) spinner?.start();
}
