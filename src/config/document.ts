import { type Alias, isAlias, isMap, isScalar, isSeq, LineCounter, type Pair, parseDocument, type YAMLMap } from "yaml";
import type { Problem } from "./error.ts";
import { problemOf } from "./yaml-problems.ts";

export type Path = readonly PropertyKey[];

export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A YAML file as plain data that still knows where each of its values stands. */
export interface Document {
  /** Plain objects, lists and scalars; `undefined` when the syntax is broken, `null` for an empty file. */
  readonly value: unknown;
  /** What is wrong with it as YAML. */
  readonly problems: readonly Problem[];
  /** Whether something is written at `path`, be it only a name with nothing behind it. */
  has(path: Path): boolean;
  /** Where the value of `path` stands, or the nearest thing around it that is written. */
  valueAt(path: Path): Position;
  /** Where the name of `path` stands. */
  nameAt(path: Path): Position;
}

/** What aliases may add up to: a few lines of text can stand for billions of values. */
const MOST_VALUES = 2_000_000;

/**
 * Reads one YAML 1.2 document. Duplicate names, names that are no text, and aliases without end are problems;
 * takes time in proportion to the text.
 */
export function readDocument(text: string): Document {
  const lines = new LineCounter();
  // The library compares each name with all others of its map; with thousands of credentials that takes minutes.
  const yaml = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
  const problems: Problem[] = [];
  const pairs = new Map<YAMLMap, Map<string, Pair>>();
  const anchors = new Map<string, { readonly node: unknown; readonly value: unknown; readonly values: number }>();
  const aliased = new Map<Alias, unknown>();
  let values = 0;

  const positionAt = (offset: number): Position => {
    const { line, col } = lines.linePos(Math.min(offset, text.length));
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const report = (offset: number, message: string, hint: string) => problems.push({ path: "", ...positionAt(offset), message, hint });

  function read(node: unknown): unknown {
    if (isAlias(node)) return readAlias(node);
    const before = values++;
    const value = isMap(node) ? readMap(node) : isSeq(node) ? node.items.map(read) : isScalar(node) ? node.value : null;
    if ((isMap(node) || isSeq(node) || isScalar(node)) && node.anchor !== undefined) {
      anchors.set(node.anchor, { node, value, values: values - before });
    }
    return value;
  }

  function readAlias(alias: Alias): unknown {
    const anchor = anchors.get(alias.source);
    if (anchor === undefined) {
      report(
        offsetOf(alias),
        "an alias of nothing",
        "a name after * needs the same name after & further up; put text that begins with * in quotes",
      );
      return undefined;
    }
    aliased.set(alias, anchor.node);
    values += anchor.values;
    if (values <= MOST_VALUES) return anchor.value;
    if (values - anchor.values <= MOST_VALUES)
      report(offsetOf(alias), "aliases stand for too many values", "write the values out, or use fewer aliases");
    return undefined;
  }

  function readMap(map: YAMLMap): Record<string, unknown> {
    const known = new Map<string, Pair>();
    const content: Record<string, unknown> = {};
    pairs.set(map, known);
    for (const pair of map.items) {
      const name = isScalar(pair.key) ? pair.key.value : undefined;
      const offset = offsetOf(pair.key) ?? 0;
      if (typeof name !== "string") {
        report(offset, "a name that is no text", "put the name in quotes");
      } else if (name === "__proto__") {
        report(offset, "not a name that can be used", "take another one");
      } else if (name === "<<") {
        report(offset, "merge keys are not part of YAML 1.2", "write the settings out, or give the whole mapping an alias");
      } else if (known.has(name)) {
        const { line } = positionAt(offsetOf(known.get(name)?.key));
        report(offset, "the same name twice", `it is given in line ${line}, too: remove one of the two`);
      } else if (pair.value === null) {
        // Nothing tells a name that lost its value from a value that lost its name, so it is not shown.
        report(offset, "a name without a value", "write it as `name: value`, or `name: {}` where it takes settings but needs none");
      } else {
        known.set(name, pair);
        content[name] = read(pair.value);
      }
    }
    return content;
  }

  /** The name and the value at the end of `path`, as far as they are written, and the offset of the last thing found. */
  function find(path: Path): { readonly found: boolean; readonly name: number; readonly value: number } {
    let node: unknown = yaml.contents;
    let [name, value] = [offsetOf(node), offsetOf(node)];
    for (const segment of path) {
      if (isAlias(node)) node = aliased.get(node);
      const pair = isMap(node) ? pairs.get(node)?.get(String(segment)) : undefined;
      const next = pair !== undefined ? pair.value : isSeq(node) ? node.items[Number(segment)] : undefined;
      if (pair === undefined && next === undefined) return { found: false, name, value: name };
      value = isScalar(next) && next.source === "" && next.type === "PLAIN" && pair ? offsetOf(pair.key) : offsetOf(next ?? pair?.key);
      name = pair === undefined ? value : offsetOf(pair.key);
      node = next;
    }
    return { found: true, name, value };
  }

  for (const error of [...yaml.errors, ...yaml.warnings]) report(error.pos[0], ...problemOf(error.code));
  const value = problems.length > 0 ? undefined : read(yaml.contents);
  return {
    value,
    problems,
    has: (path) => find(path).found,
    valueAt: (path) => positionAt(find(path).value),
    nameAt: (path) => positionAt(find(path).name),
  };
}

function offsetOf(node: unknown): number {
  return (node as { range?: readonly number[] | null } | null | undefined)?.range?.[0] ?? 0;
}
