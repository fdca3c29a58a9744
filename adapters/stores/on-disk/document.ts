/** Why a text does not hold our value where it should, or cannot take it. `code` is the store's answer; no word is of the content. */
export class DocumentError extends Error {
  override readonly name = "DocumentError";
  readonly code: "foreign" | "misconfigured" | "invalid";
  /** What a person can do about it. */
  readonly cure: string;

  constructor(code: "foreign" | "misconfigured" | "invalid", message: string, cure: string) {
    super(message);
    this.code = code;
    this.cure = cure;
  }
}

/** How a file's text holds one value. An empty text, or an empty value, is none. Both methods throw only `DocumentError`. */
export interface Document {
  get(text: string | undefined): string | undefined;
  /** The text with `value` in its place, and every other byte as it was. */
  set(text: string | undefined, value: string): string;
}
