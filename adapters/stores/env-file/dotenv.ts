import { DocumentError } from "../on-disk/document.ts";
import { type Assignment, lineOf, type Reading } from "./assignments.ts";

const BLANK_OR_COMMENT = /^[ \t]*(#.*)?$/;
/** Below another comment Node takes an indented one for an assignment: this one's value would go on in the next line. */
const COMMENT_THAT_GOES_ON = /^[ \t]+#[^=]*=[ \t]*(?:(?<=[ \t])$|(["'`])(?!.*\1))/;
const ASSIGNMENT = /^[ \t]*(?:export +)?([\w.-]+)[ \t]*=/;

/**
 * Reads a text as Node's `util.parseEnv` and the many libraries called dotenv do. They differ in much; where they would find
 * `name` in different places, or with different values, it throws `DocumentError` and takes no side.
 */
export function readDotenv(text: string, name: string): Reading {
  const refuse = (at: number, what: string, cure: string, code: "misconfigured" | "foreign" = "misconfigured") =>
    new DocumentError(code, `${lineOf(text, at)}: ${what}, which programs read differently`, cure);
  const plainly = `write it as ${name}=value`;

  const loneReturn = /\r(?!\n)/.exec(text);
  if (loneReturn !== null) throw refuse(loneReturn.index, "a carriage return in the middle", "let lines end in a line feed");

  const assignments: Assignment[] = [];
  for (let at = 0; at < text.length; ) {
    const [line = ""] = /^[^\r\n]*/.exec(text.slice(at)) ?? [];
    if (BLANK_OR_COMMENT.test(line)) {
      if (COMMENT_THAT_GOES_ON.test(line)) throw refuse(at, "an indented comment with an open value", "take the spaces before the # away");
      at = afterLine(text, at);
      continue;
    }
    const [before, key = ""] = ASSIGNMENT.exec(line) ?? [];
    if (before === undefined) throw refuse(at, "neither NAME=value nor a comment", "write it as one of the two, or remove it");
    const isOurs = key === name;
    const { value, start, end } = takeValue(at + before.length, line.slice(before.length), isOurs);
    assignments.push({ name: key, value, start, end });
    at = afterLine(text, end);
  }
  return { assignments };

  function takeValue(from: number, rest: string, isOurs: boolean): Omit<Assignment, "name"> {
    const start = from + (/^[ \t]*/.exec(rest)?.[0].length ?? 0);
    const quote = text.charAt(start);
    if (/^[ \t]+$/.test(rest)) throw refuse(from, "nothing but spaces behind the =", "remove the spaces");
    if (quote === '"' || quote === "'" || quote === "`") return takeQuoted(start, quote, isOurs);
    const [written = ""] = /^[^#\r\n]*/.exec(text.slice(start)) ?? [];
    const value = written.replace(/[ \t]+$/, "");
    const end = start + value.length;
    if (isOurs && /[\\$]/.test(value)) throw refuse(start, `a backslash or a $ in ${name}`, plainly, "foreign");
    if (isOurs && /[^ \t]/.test(text.charAt(end - 1)) && text.charAt(end) === "#") throw refuse(start, "a # in a bare value", plainly);
    return { value, start, end };
  }

  function takeQuoted(start: number, quote: string, isOurs: boolean): Omit<Assignment, "name"> {
    const close = text.indexOf(quote, start + 1);
    const unescaped = start + (new RegExp(`^${quote}(?:\\\\.|[^\\\\${quote}])*${quote}`, "s").exec(text.slice(start))?.[0].length ?? 0) - 1;
    if (close < 0) throw refuse(start, "quotes that do not end", "end them, in the same line");
    if (close !== unescaped) throw refuse(start, "a backslash before a quote", "use the other kind of quotes around the value");
    const [rest = ""] = /^[^\r\n]*/.exec(text.slice(close + 1)) ?? [];
    if (!BLANK_OR_COMMENT.test(rest)) throw refuse(start, "something behind the closing quote", "put all of the value into the quotes");
    const value = text.slice(start + 1, close).replaceAll("\r\n", "\n");
    if (isOurs && quote === '"' && /[\\$]/.test(value)) throw refuse(start, `a backslash or a $ in ${name}`, plainly, "foreign");
    return { value, start, end: close + 1 };
  }
}

/** Where the line after the one of `at` begins. */
function afterLine(text: string, at: number): number {
  const end = text.indexOf("\n", at);
  return end < 0 ? text.length : end + 1;
}
