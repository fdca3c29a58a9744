import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { inspect } from "node:util";

const MASK = "[secret]";

/** Secrets that still exist in memory, so that {@link Secret.mask} can find them in a text. */
const alive = new Set<WeakRef<Secret>>();
const forget = new FinalizationRegistry<WeakRef<Secret>>((reference) => alive.delete(reference));

/** A value that cannot be printed by accident: text, JSON and inspection show `[secret]`. */
export class Secret {
  readonly #value: string;
  /** The value as it may stand in a text; worked out once, because every line of the log is searched for it. */
  #forms: readonly string[] | undefined;

  constructor(value: string) {
    this.#value = value;
    const reference = new WeakRef(this);
    alive.add(reference);
    forget.register(this, reference);
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
    for (const reference of alive) {
      const secret = reference.deref();
      if (secret === undefined || secret.#value.length < 8) continue;
      secret.#forms ??= formsOf(secret.#value);
      for (const form of secret.#forms) if (masked.includes(form)) masked = masked.replaceAll(form, MASK);
    }
    return masked;
  }
}

const formsOf = (value: string): readonly string[] => [...new Set([value, JSON.stringify(value).slice(1, -1), encodeURIComponent(value)])];
