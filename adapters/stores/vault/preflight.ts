import { type AdapterCode, AdapterError, hasCode } from "../../../src/contract/errors.ts";
import type { Asking, Documents } from "./documents.ts";

/** No document has so many versions: a write over it is refused after the look at our rights, and changes nothing. */
const NO_VERSION = 2 ** 31 - 1;

/** Longer than any note may be, so that it is refused after the look at our rights. */
const NO_NOTE = "x".repeat(1024);

/** A rotation would lose the keys that it keeps, and in the end the one that serves. */
const FOR_EVER = { cure: "take delete_version_after off this mount, or use a mount without it" };

/** Tries that show a right without using it. Each throws what a write would throw. */
export const tryRights = {
  async document(documents: Documents, path: string, name: string, asking: Asking): Promise<void> {
    // First, because an engine of version 1 knows no PATCH, and would take the write below as any other.
    await mustBeRefused(documents.setNote(path, name, NO_NOTE, asking), asking, "invalid", "notFound");
    await mustBeRefused(documents.write(path, {}, NO_VERSION, asking), asking, "inconclusive");
    try {
      await documents.note(path, name, asking);
    } catch (error) {
      if (!hasCode(error, "notFound")) throw error;
    }
  },

  /** Keeps a probe, reads it and removes it again. */
  async keep(documents: Documents, probe: string, asking: Asking): Promise<void> {
    const { version } = await documents.read(probe, asking);
    try {
      const endsAt = await documents.write(probe, { probe: "rotated" }, version, asking);
      if (endsAt !== undefined)
        throw new AdapterError("misconfigured", `${asking.action}: the engine deletes what it keeps by itself`, FOR_EVER);
    } finally {
      await documents.remove(probe, asking);
    }
  },
} as const;

async function mustBeRefused(work: Promise<unknown>, { action }: Asking, ...codes: readonly AdapterCode[]): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (hasCode(error, ...codes)) return;
    throw error;
  }
  throw new AdapterError("malformed", `${action}: a write that had to be refused was not`, {
    cure: "look at mount: it must be a KV engine, version 2",
  });
}
