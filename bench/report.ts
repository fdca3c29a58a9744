import Table from "cli-table3";
import type { Machine } from "./machine.ts";
import { figure } from "./stats.ts";

/** One figure, with what it is measured beside. */
export interface Measured {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** What we want to reach; a figure without a target is there to be compared with. */
  readonly target?: { readonly most: number } | { readonly least: number };
  /** The same unit, measured in the same run. */
  readonly peer?: { readonly name: string; readonly value: number };
  readonly note?: string;
}

/** Whether a target is met; `undefined` where there is none. */
function isMet({ value, target }: Measured): boolean | undefined {
  if (target === undefined) return undefined;
  return "most" in target ? value <= target.most : value >= target.least;
}

/** For people. Every figure stands beside its peer, because a figure alone says more about the machine than about the program. */
export function asText(machine: Machine, figures: readonly Measured[]): string {
  const table = new Table({ head: ["figure", "measured", "target", "met", "beside it", "ratio"], style: { head: [], border: [] } });
  for (const row of figures) {
    const { what, value, unit, target, peer } = row;
    const met = isMet(row);
    table.push([
      what,
      `${figure(value)} ${unit}`,
      target === undefined ? "" : "most" in target ? `≤ ${target.most} ${unit}` : `≥ ${target.least} ${unit}`,
      met === undefined ? "" : met ? "yes" : "NO",
      peer === undefined ? "" : `${peer.name}: ${figure(peer.value)} ${unit}`,
      peer === undefined || peer.value === 0 ? "" : figure(value / peer.value),
    ]);
  }
  const notes = figures.flatMap(({ what, note }) => (note === undefined ? [] : [`${what}: ${note}`]));
  return [describe(machine), table.toString(), ...notes].join("\n");
}

export function asJson(machine: Machine, figures: readonly Measured[]): string {
  return JSON.stringify({ machine, figures: figures.map((row) => ({ ...row, met: isMet(row) })) }, undefined, 2);
}

function describe(machine: Machine): string {
  return [
    `${machine.at}  ${machine.cores} × ${machine.cpu}, ${figure(machine.memoryGb)} GB, ${machine.system}, Node ${machine.node}`,
    `load ${figure(machine.load)} at the start; ${machine.directory} (${machine.fileSystem}): 4 KiB written and synced in ${figure(machine.syncMs)} ms, one in a hundred takes ${figure(machine.slowSyncMs)} ms`,
  ].join("\n");
}
