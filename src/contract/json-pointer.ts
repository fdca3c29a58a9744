import { z } from "zod";

/** A place in a JSON document (RFC 6901), as a setting. Not the document as a whole. */
export const jsonPointer = () => z.string().regex(/^(\/([^~/]|~[01])*)+$/, 'a JSON pointer, such as "/openai/apiKey"');

/** The names that a pointer leads through. */
export function parsePointer(pointer: string): readonly string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
}
