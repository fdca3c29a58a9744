import { type Document, DocumentError } from "../on-disk/document.ts";
import { lineOf, type Reading } from "./assignments.ts";
import { readDotenv } from "./dotenv.ts";
import { readSystemd } from "./systemd.ts";

interface Reader {
  read(text: string, name: string): Reading;
  /** What it takes for quotes. */
  readonly quotes: string;
}

/** Who reads an env file, and so by which rules. A shell that sources it reads what we write as they do. */
const READERS = {
  systemd: { read: readSystemd, quotes: "\"'" },
  dotenv: { read: readDotenv, quotes: "\"'`" },
} as const satisfies Record<string, Reader>;

/** What every reader takes as it is, without quotes. */
const BARE = /^[\w@%+=:,./-]+$/;
/** What every reader takes as it is, in quotes of either kind. */
const QUOTABLE = /^[ !#%&()*+,\-./\w:;<=>?@[\]^{|}~]+$/;

/** An env file that holds the value in one variable. The line keeps its place and its quotes; a new one is added at the end. */
export function envDocument(name: string, format: keyof typeof READERS): Document {
  const reader: Reader = READERS[format];

  function look(text: string) {
    const refuse = (what: string, cure: string) => new DocumentError("misconfigured", what, cure);
    if (text.startsWith("\uFEFF")) throw refuse("it begins with a byte order mark", "save it without one");
    if (text.includes("\0")) throw refuse("it is no text: it holds a zero byte", "is it the right file?");
    const { assignments, open } = reader.read(text, name);
    const [ours, ...more] = assignments.filter((found) => found.name === name);
    if (ours !== undefined && more.length > 0) {
      const lines = [ours, ...more].map(({ start }) => lineOf(text, start)).join(", ");
      throw refuse(`${name} is set more than once: ${lines}`, "leave one of them");
    }
    return { ours, open };
  }

  const get = (text = "") => look(text).ours?.value || undefined;

  return {
    get,
    set(text = "", value) {
      if (!QUOTABLE.test(value)) {
        const what = "the secret holds a quote, a $, a backslash or a character that is not plain ASCII";
        throw new DocumentError("invalid", `${what}: programs would read it differently`, "mirror it into a store of another kind");
      }
      const { ours, open } = look(text);
      if (open !== undefined && open >= (ours?.start ?? 0))
        throw new DocumentError("misconfigured", `what begins in ${lineOf(text, open)} has no end`, "end the quotes or the continued line");
      const after = ours === undefined ? add(text, name, value) : text.slice(0, ours.start) + written(value) + text.slice(ours.end);
      if (get(after) === value) return after;
      throw new DocumentError("misconfigured", `${name} could not be read back`, `write it as ${name}=value`);

      function written(plain: string): string {
        const quote = quoteOf(text.slice(ours?.start, ours?.end), reader.quotes);
        return quote === "" && !BARE.test(plain) ? `"${plain}"` : `${quote}${plain}${quote}`;
      }
    },
  };
}

/** The quotes around the whole of a value; none where it is put together of parts. */
function quoteOf(value: string, quotes: string): string {
  const quote = value.charAt(0);
  const whole = value.length > 1 && quotes.includes(quote) && value.endsWith(quote);
  return whole && !value.includes("\\") && !value.slice(1, -1).includes(quote) ? quote : "";
}

/** A last line that has no end keeps having none. */
function add(text: string, name: string, value: string): string {
  const lineEnd = text.includes("\r\n") ? "\r\n" : "\n";
  const line = `${name}=${BARE.test(value) ? value : `"${value}"`}`;
  return text === "" || /[\r\n]$/.test(text) ? `${text}${line}${lineEnd}` : `${text}${lineEnd}${line}`;
}
