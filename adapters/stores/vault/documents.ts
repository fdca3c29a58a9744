import { z } from "zod";
import { hasCode } from "../../../src/contract/errors.ts";
import type { KeepSession } from "../../../src/contract/session.ts";
import { encodePath } from "../../vault/paths.ts";
import { type Session, shaped } from "../../vault/session.ts";
import type { CallVault } from "../../vault/transport.ts";

/** A document of a KV engine as it stands. */
export interface VaultDocument {
  /** Empty when the document is not there, or its newest version is deleted. They hold secrets. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** The number to write over; 0 when there never was a version. */
  readonly version: number;
}

/** Who asks what, and for how long. */
export interface Asking {
  readonly action: string;
  readonly signal: AbortSignal;
}

/** The documents below one mount of a KV engine, version 2. */
export interface Documents {
  read(path: string, asking: Asking): Promise<VaultDocument>;
  /**
   * Throws `inconclusive`, and writes nothing, when the newest version is not `over`. Tells when the engine will delete
   * what was written, where it will.
   */
  write(path: string, fields: VaultDocument["fields"], over: number, asking: Asking): Promise<string | undefined>;
  /** Removes a document with all its versions. Resolves when it is already gone. */
  remove(path: string, asking: Asking): Promise<void>;
  /** The note that people see under `name` beside the document. */
  note(path: string, name: string, asking: Asking): Promise<string | undefined>;
  /** Sets that note and leaves the others alone. */
  setNote(path: string, name: string, text: string, asking: Asking): Promise<void>;
  keepSession: KeepSession;
}

const version = z.number().int().positive();
/** As it is: a copy of zod's would lack a field called `__proto__`. */
const fields = z.custom<VaultDocument["fields"]>((value) => typeof value === "object" && value !== null && !Array.isArray(value));
const versioned = z.looseObject({
  data: z.looseObject({ data: fields.nullable(), metadata: z.looseObject({ version }) }),
});
const written = z.looseObject({ data: z.looseObject({ version, deletion_time: z.string().nullish() }) });
const notes = z.looseObject({ data: z.looseObject({ custom_metadata: z.record(z.string(), z.string()).nullish() }) });

export function openDocuments(mount: string, session: Session, call: CallVault): Documents {
  const data = (path: string) => `${encodePath(mount)}/data/${encodePath(path)}`;
  const metadata = (path: string) => `${encodePath(mount)}/metadata/${encodePath(path)}`;

  const ask = (method: "GET" | "POST" | "PATCH" | "DELETE", path: string, { action, signal }: Asking, body?: object) =>
    session.use(signal, (token) => call({ action, method, path, token, signal, ...(body && { body }) }));

  return {
    keepSession: session.keep,

    async read(path, asking) {
      try {
        const { data: found } = shaped(versioned, asking.action, await ask("GET", data(path), asking));
        return { fields: found.data ?? {}, version: found.metadata.version };
      } catch (error) {
        if (!hasCode(error, "notFound")) throw error;
        return { fields: {}, version: 0 };
      }
    },

    async write(path, fields, over, asking) {
      const reply = await ask("POST", data(path), asking, { data: fields, options: { cas: over } });
      return shaped(written, asking.action, reply).data.deletion_time || undefined;
    },

    async remove(path, asking) {
      await ask("DELETE", metadata(path), asking);
    },

    async note(path, name, asking) {
      const reply = await ask("GET", metadata(path), asking);
      return shaped(notes, asking.action, reply).data.custom_metadata?.[name];
    },

    async setNote(path, name, text, asking) {
      await ask("PATCH", metadata(path), asking, { custom_metadata: { [name]: text } });
    },
  };
}
