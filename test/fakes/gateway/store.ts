import { RpcRefusal } from "./handshake.ts";

export const ENTRY_NAME = /^[A-Z][A-Z0-9_]{0,127}$/;
const MOST_BYTES = 65_536;

export interface Entry {
  readonly kind: "secret" | "env";
  readonly value: string;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly updatedBy: string;
}

export type Store = ReturnType<typeof makeStore>;

/** The gateway's own secret store, as it lies in its database: it outlives the gateway. */
export function makeStore(first: Readonly<Record<string, string>> = {}) {
  const entries = new Map<string, Entry>();
  const store = {
    get: (name: string) => entries.get(name),
    /** Writes an entry and tells nobody, as the gateway's command line does. */
    set(name: string, value: string, kind: Entry["kind"], updatedBy: string): void {
      if (!ENTRY_NAME.test(name)) throw invalid(`Secret store name must match ${ENTRY_NAME}.`);
      if (value.trim() === "__OPENCLAW_REDACTED__") throw invalid(`Secret store entry "${name}" contains a redaction placeholder.`);
      if (Buffer.byteLength(value) > MOST_BYTES) throw invalid(`Secret store value exceeds ${MOST_BYTES} UTF-8 bytes.`);
      if (kind === "secret" && value === "") throw invalid("Secret store value is empty. Secret entries require a value.");
      const now = Date.now();
      entries.set(name, { kind, value, createdAtMs: entries.get(name)?.createdAtMs ?? now, updatedAtMs: now, updatedBy });
    },
    remove: (name: string) => void entries.delete(name),
    /** What may be shown: never the value of a secret. */
    list: () =>
      [...entries]
        .toSorted(([a], [b]) => a.localeCompare(b))
        .map(([name, { kind, value, ...metadata }]) => ({
          name,
          scopeKind: "team",
          scopeId: "",
          ...metadata,
          kind,
          ...(kind === "env" ? { value } : { allowedHosts: [] }),
        })),
  };
  for (const [name, value] of Object.entries(first)) store.set(name, value, "secret", "cli");
  return store;
}

const invalid = (message: string) => new RpcRefusal("INVALID_REQUEST", message);
