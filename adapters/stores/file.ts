import { join, normalize } from "node:path";
import { z } from "zod";
import { AdapterError } from "../../src/contract/errors.ts";
import { errnoOf, fileError } from "../../src/contract/file-errors.ts";
import { Secret } from "../../src/contract/secret.ts";
import { defineStore, type Mirror, type Store } from "../../src/contract/store.ts";
import { inTurn, orAbort } from "../../src/contract/turns.ts";
import type { FileFacts, World } from "../../src/contract/world.ts";
import { DocumentError, jsonDocument, parsePointer, plainDocument } from "./file/document.ts";
import { findOwner, neighbours, type Owner } from "./file/place.ts";

/** YAML reads an unquoted 0600 as the number 600. */
const MODES = { "0600": 0o600, "0400": 0o400, 600: 0o600, 400: 0o400 } as const;

/** How much a document may grow by one value; a preflight tries to write that much more. */
const ROOM_BYTES = 4096;

const place = z.strictObject({
  path: z
    .string()
    .regex(/^\/.*[^/]$/s, "an absolute path of a file")
    .transform((path) => normalize(path))
    .describe("the file that consumers read: one value, or a JSON file when there is a `field`"),
  field: z
    .string()
    .regex(/^(\/([^~/]|~[01])*)+$/, 'a JSON pointer, such as "/openai/apiKey"')
    .optional()
    .describe("where the value stands in a JSON file; the rest of the file is left alone to the byte"),
  owner: z
    .string()
    .regex(/^(\d+:\d+|[A-Za-z_][A-Za-z0-9_.@-]*\$?)$/, 'the name of an account, or "UID:GID"')
    .optional()
    .describe("who owns the file when rotated makes it; a file that is there keeps its owner, which must be this one"),
  mode: z
    .literal(["0600", "0400", 600, 400], { error: '"0600" or "0400": OpenClaw reads a file of secrets only when nobody else can' })
    .prefault("0600")
    .transform((mode) => MODES[mode])
    .describe("the mode of the file"),
});

type Place = z.output<typeof place>;

/** A file on this host, with its keep in hidden files beside it. */
export const file = defineStore({
  title: "File, or a field of a JSON file",
  settings: z.strictObject({}),
  place,
  cell: (_, { path, field }) => (field === undefined ? path : `${path}#${JSON.stringify(parsePointer(field))}`),
  connect: (_, settings, _context, world) => connect(settings, world).store,
  mirror: (_, settings, _context, world) => connect(settings, world).mirror,
});

function connect({ path, field, owner, mode }: Place, world: World): { store: Store; mirror: Mirror } {
  const { files } = world;
  const { directory, kept, probe, isLeftover } = neighbours(path, field);
  const document = field === undefined ? plainDocument : jsonDocument(field);
  const here = field === undefined ? path : `${path} ${field}`;

  /** The document as it stands, after a look at whether it may be read and replaced at all. */
  async function load(): Promise<{ text: string | undefined; facts: FileFacts | undefined; current: Secret | undefined }> {
    await needDirectory();
    const facts = await files.stat(path);
    if (facts !== undefined) refuseOddFile(path, facts);
    const text = facts === undefined ? undefined : await files.read(path);
    const value = inDocument(() => document.get(text));
    return { text, facts, current: value === undefined ? undefined : new Secret(value) };
  }

  async function needDirectory(): Promise<void> {
    if ((await files.stat(directory)) !== undefined) return;
    const account = owner === undefined ? "" : ` -o ${owner.replace(":", " -g ")}`;
    throw new AdapterError("misconfigured", `file store: ${path}: no directory ${directory}`, {
      cure: `make it: install -d -m 700${account} ${directory}`,
    });
  }

  function inDocument<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof DocumentError)) throw error;
      const cure =
        error.code === "foreign" ? `look at ${path}: rotated replaces only a string there` : `make ${path} strict JSON, without comments`;
      throw new AdapterError(error.code, `file store: ${path}: ${error.message}`, { cure });
    }
  }

  async function readKept(version: string): Promise<Secret | undefined> {
    const value = await files.read(kept(version));
    return value === undefined ? undefined : new Secret(value);
  }

  /** The owner that a new document gets. A file that is there keeps its own, so the two must be the same. */
  function ownerFor(facts: FileFacts | undefined, wanted: Owner | undefined): { owner?: Owner } {
    if (facts === undefined) return wanted === undefined ? {} : { owner: wanted };
    if (wanted === undefined || facts.uid === wanted.uid) return { owner: { uid: facts.uid, gid: facts.gid } };
    throw new AdapterError("misconfigured", `file store: ${path} belongs to uid ${facts.uid}, but owner is ${owner} (uid ${wanted.uid})`, {
      cure: `chown ${wanted.uid}:${wanted.gid} ${path}, or leave owner out`,
    });
  }

  const wantedOwner = async (signal: AbortSignal) => (owner === undefined ? undefined : await findOwner(owner, world, signal));

  /** Makes what a crash may have left unsynced durable: removing what is not there syncs the directory. */
  const settle = () => files.remove(probe);

  /** Every writer of these names waits for its turn, so what is here now is left from a crash, and it may hold secrets. */
  async function removeLeftovers(): Promise<void> {
    for (const name of await files.list(directory)) if (isLeftover(name)) await files.remove(join(directory, name));
  }

  async function told<T>(action: string, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (errnoOf(error) === undefined) throw error;
      throw fileError(error, `file store: ${action} ${here}`, {
        denied: `let rotated write in ${directory} and give files the owner of ${path}: it must run as that account, or may chown`,
      });
    }
  }

  function write(action: string, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    const turn = inTurn(path, signal, async () => {
      await removeLeftovers();
      signal.throwIfAborted();
      await work();
    });
    return told(action, turn);
  }

  /** Puts `value` there, if what a fresh look finds `mayGo`. */
  async function put(value: Secret, mayGo: (current: Secret | undefined) => boolean, expected: string, signal: AbortSignal): Promise<void> {
    const wanted = await wantedOwner(signal);
    const { text, facts, current } = await load();
    if (current?.equals(value)) return settle();
    if (!mayGo(current)) throw foreign(expected, current);
    const content = inDocument(() => document.set(text, value.reveal()));
    signal.throwIfAborted();
    await files.replace(path, content, { mode, ...ownerFor(facts, wanted) });
  }

  function preflight(signal: AbortSignal): Promise<void> {
    return write("try a write beside", signal, async () => {
      const wanted = await wantedOwner(signal);
      const { text = "", facts } = await load();
      const as = ownerFor(facts, wanted);
      await files.remove(probe);
      try {
        await files.replace(probe, " ".repeat(text.length + ROOM_BYTES), as);
      } finally {
        await files.remove(probe);
      }
    });
  }

  async function read(look: () => Promise<Secret | undefined>, signal: AbortSignal): Promise<Secret | undefined> {
    signal.throwIfAborted();
    return told("read", orAbort(look(), signal));
  }

  const current = async () => (await load()).current;

  const mirror: Mirror = {
    preflight,
    read: (signal) => read(current, signal),
    write(secret, over, signal) {
      const mayGo = (found: Secret | undefined) => (over === undefined ? found === undefined : found?.equals(over) === true);
      return write("write the value of", signal, () => put(secret, mayGo, over === undefined ? "nothing" : "the old value", signal));
    },
  };

  const store: Store = {
    preflight,
    read: (which, signal) => read(which === "current" ? current : () => readKept(which.version), signal),

    stage(version, secret, signal) {
      return write(`keep version ${version} of`, signal, async () => {
        await needDirectory();
        const before = await readKept(version);
        if (before?.equals(secret)) return settle();
        if (before !== undefined) throw differs(version);
        if (!/^[^\r\n]+$/.test(secret.reveal())) {
          throw new AdapterError("invalid", `file store: keep version ${version} of ${here}: the secret is empty or holds a line end`);
        }
        await files.replace(kept(version), secret.reveal());
      });
    },

    promote(version, over, signal) {
      return write(`promote version ${version} in`, signal, async () => {
        const target = await readKept(version);
        if (target === undefined)
          throw new AdapterError("notFound", `file store: promote in ${here}: version ${version} is not in the keep`);
        const old = over === undefined ? undefined : await readKept(over);
        const mayGo = (found: Secret | undefined) =>
          over === undefined ? found === undefined : old !== undefined && found?.equals(old) === true;
        await put(target, mayGo, over === undefined ? "nothing" : `version ${over}`, signal);
      });
    },

    discard(version, signal) {
      return write(`discard version ${version} of`, signal, () => files.remove(kept(version)));
    },
  };
  return { store, mirror };

  function differs(version: string): AdapterError {
    return new AdapterError("invalid", `file store: keep version ${version} of ${here}: another value is kept under this name`, {
      cure: "a version never changes: take a new name",
    });
  }

  function foreign(expected: string, current: Secret | undefined): AdapterError {
    const found = current === undefined ? "nothing" : "another value";
    return new AdapterError("foreign", `file store: write ${here}: found ${found} where ${expected} should be`, {
      cure: `somebody else changed ${path}: put the old value back, or take the present one over with rotatectl adopt`,
    });
  }
}

function refuseOddFile(path: string, { kind, links }: FileFacts): void {
  if (kind === "file" && links === 1) return;
  const [what, cure] =
    kind === "file"
      ? [`a file with ${links} hard links`, `make it a file of its own: cp -p ${path} ${path}.new && mv ${path}.new ${path}`]
      : kind === "symlink"
        ? ["a symbolic link", "set path to the file itself: OpenClaw refuses links, and replacing one would not change what it leads to"]
        : [`no file but a ${kind === "directory" ? kind : "device, pipe or socket"}`, "set path to a regular file"];
  throw new AdapterError("misconfigured", `file store: ${path} is ${what}`, { cure });
}
