import type { KeyObject } from "node:crypto";
import { inspect } from "node:util";

/** Loaded when it is first used: a command that hashes nothing starts 8 ms earlier. */
const crypto = () => process.getBuiltinModule("node:crypto");

const MASK = "[secret]";

/** What is shorter is no secret, and stands in half of all texts. */
const SHORTEST_MASKED = 8;

/**
 * The texts that the values of living secrets may stand as, by how they begin, and how many secrets each comes from. Every line of
 * the log is searched for all of them, and a daemon may hold thousands: here each place of a line is looked up once.
 */
const known = new Map<number, Map<string, number>>();

/** The same number for all texts that begin alike there, without a copy of the beginning. Others may have it, too. */
function headOf(text: string, at = 0): number {
  let head = 0;
  for (let letter = at; letter < at + SHORTEST_MASKED; letter += 1) head = (head * 31 + text.charCodeAt(letter)) | 0;
  return head;
}

function count(value: string, change: 1 | -1): void {
  for (const form of formsOf(value)) {
    const forms = known.get(headOf(form)) ?? new Map<string, number>();
    const holders = (forms.get(form) ?? 0) + change;
    if (holders > 0) known.set(headOf(form), forms.set(form, holders));
    else if (forms.delete(form) && forms.size === 0) known.delete(headOf(form));
  }
}

const forget = new FinalizationRegistry<string>((value) => count(value, -1));

/** A value that cannot be printed by accident: text, JSON and inspection show `[secret]`. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
    if (value.length < SHORTEST_MASKED) return;
    count(value, 1);
    forget.register(this, value);
  }

  /** The value itself. Call it only where the value leaves the process. */
  reveal(): string {
    return this.#value;
  }

  equals(other: Secret): boolean {
    const [ours, theirs] = [Buffer.from(this.#value), Buffer.from(other.#value)];
    return ours.length === theirs.length && crypto().timingSafeEqual(ours, theirs);
  }

  /** HMAC-SHA-256 under `key`, in hex: says whether two values are equal, and nothing else. */
  fingerprint(key: KeyObject): string {
    return crypto().createHmac("sha256", key).update(this.#value).digest("hex");
  }

  /** SHA-256 in hex, which some vendors name a key by. */
  sha256(): string {
    return crypto().createHash("sha256").update(this.#value).digest("hex");
  }

  toString(): string {
    return MASK;
  }

  toJSON(): string {
    return MASK;
  }

  [inspect.custom](): string {
    return MASK;
  }

  /** `text` with every secret of this process replaced, also where it stands JSON-escaped or URL-encoded. */
  static mask(text: string): string {
    let masked = "";
    let from = 0;
    for (let at = 0; at <= text.length - SHORTEST_MASKED; at += 1) {
      const length = longestAt(text, at);
      if (length === 0) continue;
      masked += text.slice(from, at) + MASK;
      from = at + length;
      at = from - 1;
    }
    return from === 0 ? text : masked + text.slice(from);
  }
}

/** How much of the text from there on is a secret: of two that begin alike the longer one, whose end would be readable else. */
function longestAt(text: string, at: number): number {
  let longest = 0;
  for (const form of known.get(headOf(text, at))?.keys() ?? []) {
    if (form.length > longest && text.startsWith(form, at)) longest = form.length;
  }
  return longest;
}

const formsOf = (value: string): readonly string[] => [
  ...new Set([value, JSON.stringify(value).slice(1, -1), encodeURIComponent(value.toWellFormed())]),
];
