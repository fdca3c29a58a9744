import { DocumentError } from "../on-disk/document.ts";
import { type Assignment, lineOf, type Reading } from "./assignments.ts";

/**
 * Reads a text as systemd reads an `EnvironmentFile=`: its src/basic/env-file.c, state for state. Throws `DocumentError` where
 * it would find `name` otherwise in one version than in another, or where it skips it.
 */
export function readSystemd(text: string, name: string): Reading {
  const [reading, older] = [parse(text, { commentsContinue: false }), parse(text, { commentsContinue: true })];
  const ours = ({ assignments }: Reading) => JSON.stringify(assignments.filter((found) => found.name === name));
  if (ours(reading) !== ours(older)) {
    const where = lineOf(text, /^[ \t]*[#;].*\\$/m.exec(text)?.index ?? 0);
    const what = "a comment that ends in a backslash goes on in the next line before systemd 254, and does not since";
    throw new DocumentError("misconfigured", `${where}: ${what}`, "take the backslash away");
  }
  const exported = reading.assignments.find((found) => found.name.replace(/^export[ \t]+/, "") === name && found.name !== name);
  if (exported !== undefined) {
    const cure = "take the word export away, or set format: dotenv where no unit of systemd reads the file";
    throw new DocumentError("misconfigured", `${lineOf(text, exported.start)}: systemd skips a line with export`, cure);
  }
  return { ...reading, open: reading.open ?? older.open };
}

type State = "line" | "name" | "before value" | "value" | "escape" | '"' | "'" | "escape in quotes" | "comment" | "escape in comment";

const isLineEnd = (character: string) => character === "\n" || character === "\r";
const isSpace = (character: string) => character === " " || character === "\t" || isLineEnd(character);

/** Parts of a value, in quotes or bare, become one value. Spaces at the end of a bare part are dropped. */
function parse(text: string, { commentsContinue }: { commentsContinue: boolean }): Reading {
  const assignments: Assignment[] = [];
  let state: State = "line";
  let name = "";
  /** Up to `kept` the value stays when the spaces at its end are dropped. */
  let [value, kept, start, end] = ["", 0, 0, 0];
  let opened = 0;

  /** Something at this position belongs to the value, and adds this to it. */
  function take(at: number, part: string): void {
    if (end === start) start = at;
    end = at + 1;
    value += part;
    kept = value.length;
  }

  function finish(): void {
    assignments.push({ name: name.replace(/[ \t]+$/, ""), value: value.slice(0, kept), start, end });
    state = "line";
  }

  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at);
    switch (state) {
      case "line":
        if (character === "#" || character === ";") [state, opened] = ["comment", at];
        else if (!isSpace(character)) [state, name] = ["name", character];
        break;
      case "name":
        if (isLineEnd(character)) state = "line";
        else if (character === "=") [state, value, kept, start, end] = ["before value", "", 0, at + 1, at + 1];
        else name += character;
        break;
      case "before value":
        if (isLineEnd(character)) finish();
        else if (isSpace(character)) break;
        else if (character === '"' || character === "'") {
          [state, opened] = [character, at];
          take(at, "");
        } else if (character === "\\") {
          [state, opened] = ["escape", at];
          take(at, "");
        } else {
          state = "value";
          take(at, character);
        }
        break;
      case "value":
        if (isLineEnd(character)) finish();
        else if (character === "\\") {
          [state, opened] = ["escape", at];
          take(at, "");
        } else if (isSpace(character)) value += character;
        else take(at, character);
        break;
      case "escape":
        state = "value";
        take(at, isLineEnd(character) ? "" : character);
        break;
      case '"':
      case "'":
        if (character === "\\" && state === '"') state = "escape in quotes";
        else if (character === state) state = "before value";
        else value += character;
        take(at, "");
        break;
      case "escape in quotes":
        state = '"';
        take(at, '"\\`$'.includes(character) ? character : character === "\n" ? "" : `\\${character}`);
        break;
      case "comment":
        if (character === "\\") state = "escape in comment";
        else if (isLineEnd(character)) state = "line";
        break;
      case "escape in comment":
        state = !commentsContinue && isLineEnd(character) ? "line" : "comment";
        break;
    }
  }

  const isOpen = state === '"' || state === "'" || state.startsWith("escape");
  if (!["line", "name", "comment", "escape in comment"].includes(state)) finish();
  return { assignments, open: isOpen ? opened : undefined };
}
