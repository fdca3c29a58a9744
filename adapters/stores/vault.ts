import { AdapterError } from "../../src/contract/errors.ts";
import { Secret } from "../../src/contract/secret.ts";
import { defineStore, type Mirror, type Store, type StoreContext } from "../../src/contract/store.ts";
import { inTurn } from "../../src/contract/turns.ts";
import type { World } from "../../src/contract/world.ts";
import { openSession } from "../vault/session.ts";
import { vaultCalls } from "../vault/transport.ts";
import { type Asking, type Documents, openDocuments, type VaultDocument } from "./vault/documents.ts";
import { keepOf } from "./vault/names.ts";
import { tryRights } from "./vault/preflight.ts";
import { type Place, place, type Settings, settings } from "./vault/settings.ts";

/** A field of a document of Vault's or OpenBao's KV engine, version 2, with its keep in documents of their own. */
export const vault = defineStore({
  title: "HashiCorp Vault or OpenBao (KV version 2)",
  keep: "documents of their own below the path `keep`",
  settings,
  place,
  cell: ({ url, namespace = "", mount }, { path, field }) => JSON.stringify([url, namespace, mount, path, field]),
  describe: ({ mount, keep }, { path }) => [
    `writes ${mount}/${path} with check-and-set, and notes the version in its custom metadata`,
    `keeps other versions under ${mount}/${keep}`,
  ],
  connect,
  mirror,
});

/** The field of a document of the keep that holds the kept value. */
const KEPT_FIELD = "value";

function connect(store: Settings, at: Place, { credential }: StoreContext, world: World): Store {
  const cell = openCell(store, at, credential, world);
  const { documents, here } = cell;
  const keep = keepOf(store.keep, credential);

  async function kept(version: string, action: string, signal: AbortSignal) {
    const document = await documents.read(keep.path(version), { action, signal });
    return { document, secret: fieldOf(document, KEPT_FIELD, `${store.mount}/${keep.path(version)}`) };
  }

  return {
    keepSession: documents.keepSession,

    async preflight(signal) {
      await cell.preflight(signal);
      await tryRights.keep(documents, keep.probe, { action: `vault store: try the keep ${store.mount}/${store.keep}`, signal });
    },

    async read(which, signal) {
      signal.throwIfAborted();
      const action = `vault store: read ${here}`;
      if (which === "current") return (await cell.load({ action, signal })).current;
      return (await kept(which.version, action, signal)).secret;
    },

    async stage(version, secret, signal) {
      const action = `vault store: keep version ${version} of ${here}`;
      const before = await kept(version, action, signal);
      if (before.secret?.equals(secret)) return;
      if (before.secret !== undefined) {
        throw new AdapterError("invalid", `${action}: another value is kept under this name`, {
          cure: "a version never changes: take a new name",
        });
      }
      if (!/^[^\r\n]+$/.test(secret.reveal())) throw new AdapterError("invalid", `${action}: the secret is empty or holds a line end`);
      await documents.write(keep.path(version), { [KEPT_FIELD]: secret.reveal() }, before.document.version, { action, signal });
    },

    promote(version, over, signal) {
      const action = `vault store: promote version ${version} in ${here}`;
      return cell.inTurn(signal, async () => {
        const { secret: target } = await kept(version, action, signal);
        if (target === undefined) throw new AdapterError("notFound", `${action}: it is not in the keep`);
        const old = over === undefined ? undefined : ((await kept(over, action, signal)).secret ?? "lost");
        const expected = over === undefined ? "nothing" : `version ${over}`;
        await cell.replace(target, old, { note: `rotated ${version}`, expected }, { action, signal });
      });
    },

    async discard(version, signal) {
      await documents.remove(keep.path(version), { action: `vault store: discard version ${version} of ${here}`, signal });
    },
  };
}

function mirror(store: Settings, at: Place, { credential }: StoreContext, world: World): Mirror {
  const cell = openCell(store, at, credential, world);
  return {
    keepSession: cell.documents.keepSession,
    preflight: cell.preflight,
    async read(signal) {
      return (await cell.load({ action: `vault store: read ${cell.here}`, signal })).current;
    },
    write(secret, over, signal) {
      const expected = over === undefined ? "nothing" : "the value before";
      const asking = { action: `vault store: write ${cell.here}`, signal };
      return cell.inTurn(signal, () => cell.replace(secret, over, { note: "rotated copy", expected }, asking));
    },
  };
}

/** The one field that consumers read, for a store and for a mirror. */
function openCell(store: Settings, { path, field }: Place, credential: string, world: World) {
  const documents = documentsOf(store, world);
  const here = `${store.mount}/${path} ${field}`;

  async function load(asking: Asking): Promise<{ document: VaultDocument; current: Secret | undefined }> {
    const document = await documents.read(path, asking);
    return { document, current: fieldOf(document, field, here) };
  }

  return {
    documents,
    here,
    load,

    /** Does `work` when all others of this process that write the same document have ended. */
    inTurn: (signal: AbortSignal, work: () => Promise<void>) =>
      inTurn(JSON.stringify(["vault", store.url, store.namespace, store.mount, path]), signal, work),

    /** Puts `target` where `old` is (`undefined`: nothing; "lost": a value that nobody knows any more), and says so in the metadata. */
    async replace(target: Secret, old: Secret | "lost" | undefined, { note, expected }: Replacing, asking: Asking): Promise<void> {
      const { document, current } = await load(asking);
      if (current?.equals(target)) {
        // A crash may have come between the write and its note.
        if ((await documents.note(path, credential, asking)) !== note) await documents.setNote(path, credential, note, asking);
        return;
      }
      const fits = old === undefined ? current === undefined : old !== "lost" && current?.equals(old) === true;
      if (!fits) {
        const found = current === undefined ? "nothing" : "another value";
        throw new AdapterError("foreign", `${asking.action}: found ${found} where ${expected} should be`, {
          cure: `somebody else changed ${store.mount}/${path}: put the old value back, or take the present one over with rotatectl adopt`,
        });
      }
      await documents.write(path, { ...document.fields, [field]: target.reveal() }, document.version, asking);
      await documents.setNote(path, credential, note, asking);
    },

    async preflight(signal: AbortSignal): Promise<void> {
      signal.throwIfAborted();
      if (`${path}/`.startsWith(`${store.keep}/`)) {
        throw new AdapterError("misconfigured", `vault store: ${here} is in the keep`, { cure: "set path or keep to another path" });
      }
      await load({ action: `vault store: read ${here}`, signal });
      await tryRights.document(documents, path, credential, { action: `vault store: try a write to ${here}`, signal });
    },
  };
}

interface Replacing {
  readonly note: string;
  /** What should be there, in words. */
  readonly expected: string;
}

function fieldOf({ fields }: VaultDocument, field: string, here: string): Secret | undefined {
  if (!Object.hasOwn(fields, field)) return undefined;
  const value = fields[field];
  // An empty value is none: the place is prepared for the first one.
  if (typeof value === "string") return value === "" ? undefined : new Secret(value);
  throw new AdapterError("foreign", `vault store: ${here} is no string`, { cure: "look at it: rotated replaces only a string there" });
}

/** One session for all places of a store: the settings are the same object for each. */
const opened = new WeakMap<World, WeakMap<Settings, Documents>>();

function documentsOf(store: Settings, world: World): Documents {
  const ofWorld = opened.get(world) ?? new WeakMap<Settings, Documents>();
  opened.set(world, ofWorld);
  const known = ofWorld.get(store);
  if (known !== undefined) return known;
  const call = vaultCalls(store, "examples/vault-policy.hcl", world);
  const documents = openDocuments(store.mount, openSession("vault store", store, call, world), call);
  ofWorld.set(store, documents);
  return documents;
}
