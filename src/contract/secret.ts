import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { inspect } from "node:util";

const MASK = "[secret]";

/** A value that secrets in memory hold, so that {@link Secret.mask} can find it in a text. */
interface Known {
  holders: number;
  /** The value as it may stand in a text; worked out once, because every line of the log is searched for it. */
  forms: readonly string[] | undefined;
}

/** One entry a value, however often it was read: a log line is searched for each once. */
const known = new Map<string, Known>();
const forget = new FinalizationRegistry<string>((value) => {
  const entry = known.get(value);
  if (entry !== undefined && --entry.holders === 0) known.delete(value);
});

/** What is shorter is no secret, and stands in half of all texts. */
const SHORTEST_MASKED = 8;

/** A value that cannot be printed by accident: text, JSON and inspection show `[secret]`. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
    if (value.length < SHORTEST_MASKED) return;
    const entry = known.get(value);
    if (entry === undefined) known.set(value, { holders: 1, forms: undefined });
    else entry.holders += 1;
    forget.register(this, value);
  }

  /** The value itself. Call it only where the value leaves the process. */
  reveal(): string {
    return this.#value;
  }

  equals(other: Secret): boolean {
    const [ours, theirs] = [Buffer.from(this.#value), Buffer.from(other.#value)];
    return ours.length === theirs.length && timingSafeEqual(ours, theirs);
  }

  /** HMAC-SHA-256 under `key`, in hex: says whether two values are equal, and nothing else. */
  fingerprint(key: Uint8Array): string {
    return createHmac("sha256", key).update(this.#value).digest("hex");
  }

  /** SHA-256 in hex, which some vendors name a key by. */
  sha256(): string {
    return createHash("sha256").update(this.#value).digest("hex");
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
    let masked = text;
    for (const [value, entry] of known) {
      entry.forms ??= formsOf(value);
      for (const form of entry.forms) if (masked.includes(form)) masked = masked.replaceAll(form, MASK);
    }
    return masked;
  }
}

const formsOf = (value: string): readonly string[] => [...new Set([value, JSON.stringify(value).slice(1, -1), encodeURIComponent(value)])];
