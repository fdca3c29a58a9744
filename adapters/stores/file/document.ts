import {
  applyEdits,
  findNodeAtLocation,
  type JSONPath,
  modify,
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from "jsonc-parser";
import { parsePointer } from "../../../src/contract/json-pointer.ts";
import { type Document, DocumentError } from "../on-disk/document.ts";

const STRICT = "make the file strict JSON, without comments";
const STRING = "look at the file: rotated replaces only a string there";

/** A file that holds the value and nothing else: read with or without one line end, written without. */
export const plainDocument: Document = {
  get: (text = "") => text.replace(/\r?\n$/, "") || undefined,
  set: (_, value) => value,
};

/** A JSON file that holds the value as a string at `pointer` (RFC 6901). */
export function jsonDocument(pointer: string): Document {
  const names = parsePointer(pointer);
  return {
    get(text) {
      if (isBlank(text)) return undefined;
      const value = locate(parse(text), names, pointer).node?.value;
      return value === "" ? undefined : value;
    },
    set(text, value) {
      if (isBlank(text)) return `${JSON.stringify(nest(names, value), null, 2)}\n`;
      // Without formatting options only what is new is written: the operator's own layout is not ours to change.
      return applyEdits(text, modify(text, locate(parse(text), names, pointer).path, value, {}));
    },
  };
}

function isBlank(text: string | undefined): text is undefined | "" {
  return text === undefined || text.trim() === "";
}

function nest(names: readonly string[], value: string): unknown {
  return names.reduceRight<unknown>((inner, name) => Object.fromEntries([[name, inner]]), value);
}

/** Strict JSON only: what reads the file may be less forgiving than we. */
function parse(text: string): Node {
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { disallowComments: true, allowTrailingComma: false });
  const [first] = errors;
  if (first !== undefined)
    throw new DocumentError("misconfigured", `not JSON: ${printParseErrorCode(first.error)} at ${position(text, first.offset)}`, STRICT);
  try {
    JSON.parse(text);
  } catch {
    // Its message quotes the text, and the text holds secrets.
    throw new DocumentError("misconfigured", "not JSON", STRICT);
  }
  if (root === undefined) throw new DocumentError("misconfigured", "not JSON", STRICT);
  return root;
}

function position(text: string, offset: number): string {
  const lines = text.slice(0, offset).split("\n");
  return `line ${lines.length}, column ${(lines.at(-1) ?? "").length + 1}`;
}

/** Follows the names as far as there is something. What is missing can be made only inside objects. */
function locate(root: Node, names: readonly string[], pointer: string): { path: JSONPath; node: Node | undefined } {
  const path: JSONPath = [];
  let node: Node | undefined = root;
  for (const [depth, name] of names.entries()) {
    if (node !== undefined) refuse(node, name, `/${names.slice(0, depth).join("/")}`);
    path.push(node?.type === "array" ? Number(name) : name);
    node = findNodeAtLocation(root, path);
  }
  if (node !== undefined && node.type !== "string")
    throw new DocumentError("foreign", `the field ${pointer} holds no string but ${article(node)}`, STRING);
  return { path, node };
}

function refuse(parent: Node, name: string, where: string): void {
  const children = parent.children ?? [];
  if (parent.type === "array") {
    if (/^(0|[1-9]\d*)$/.test(name) && Number(name) < children.length) return;
    throw new DocumentError("misconfigured", `the list at ${where} has no element "${name}"`, "set field to an element that is there");
  }
  if (parent.type !== "object") throw new DocumentError("foreign", `at ${where} there is no object but ${article(parent)}`, STRING);
  // Parsers differ in which of two they take: we would write one and the consumer read the other.
  const same = children.filter((property) => property.children?.[0]?.value === name);
  if (same.length > 1)
    throw new DocumentError("misconfigured", `the object at ${where} has the field "${name}" twice`, "remove one of the two");
}

function article({ type }: Node): string {
  return type === "null" ? "null" : `${/^[aeiou]/.test(type) ? "an" : "a"} ${type}`;
}
