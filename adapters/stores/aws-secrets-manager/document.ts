import { applyEdits, modify } from "jsonc-parser";
import { AdapterError } from "../../../src/contract/errors.ts";
import { parsePointer } from "../../../src/contract/json-pointer.ts";

/** What stands in a secret that had no version, so that the first staged one does not become current. Consumers see it. */
const PLACEHOLDER = "rotated: no value yet";

/** How a secret's text holds one value. */
export interface Document {
  get(text: string | undefined): string | undefined;
  /** The text with `value` in its place, and every other byte as it was. */
  set(text: string | undefined, value: string): string;
  /** What a secret without a version gets first. */
  readonly empty: string;
}

/** A secret that is the value and nothing else. */
export const wholeDocument: Document = {
  get: (text) => (text === PLACEHOLDER || text === "" ? undefined : text),
  set: (_, value) => value,
  empty: PLACEHOLDER,
};

/** A JSON secret that holds the value as a string at `pointer` (RFC 6901). Only objects lead there. */
export function jsonDocument(pointer: string, where: string): Document {
  const path = parsePointer(pointer);
  const refuse = (code: "foreign" | "misconfigured", why: string) => new AdapterError(code, `aws secrets manager: ${where}: ${why}`);

  function look(text: string): unknown {
    let node: unknown;
    try {
      node = JSON.parse(text);
    } catch {
      // Its message quotes the text, and the text holds secrets.
      throw refuse("misconfigured", "the secret is not JSON");
    }
    for (const name of path) {
      if (node === undefined) return undefined;
      if (typeof node !== "object" || node === null || Array.isArray(node)) throw refuse("foreign", `no object on the way to ${pointer}`);
      node = Object.hasOwn(node, name) ? (node as Record<string, unknown>)[name] : undefined;
    }
    return node;
  }

  function get(text = "{}"): string | undefined {
    const value = look(text);
    if (value !== undefined && typeof value !== "string") throw refuse("foreign", `the field ${pointer} holds no string`);
    return value === "" ? undefined : value;
  }

  return {
    get,
    set(text = "{}", value) {
      get(text);
      const after = applyEdits(text, modify(text, [...path], value, {}));
      // Of two fields of one name the first is edited, and the last is read.
      if (get(after) !== (value || undefined)) throw refuse("misconfigured", `an object on the way to ${pointer} has a field twice`);
      return after;
    },
    empty: "{}",
  };
}
