import { join } from "node:path";
import { AdapterError } from "../../../src/contract/errors.ts";
import { errnoOf, fileError } from "../../../src/contract/file-errors.ts";
import { Secret } from "../../../src/contract/secret.ts";
import type { Mirror } from "../../../src/contract/store.ts";
import { inTurn, orAbort } from "../../../src/contract/turns.ts";
import type { FileFacts, World } from "../../../src/contract/world.ts";
import { type Document, DocumentError } from "./document.ts";
import { neighbours } from "./neighbours.ts";

/** How much a document may grow by one value; a preflight tries to write that much more. */
const ROOM_BYTES = 4096;

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** One value in a file of this host. */
export interface CellOptions {
  /** The kind of store, as messages call it. */
  readonly who: string;
  readonly path: string;
  /** What it is called beside the path, where the file holds more than it. */
  readonly field: string | undefined;
  readonly document: Document;
  /** The mode that the file gets, by what is there. May refuse what it sees. */
  modeFor(facts: FileFacts | undefined): number;
  /** Who shall own the file; a file that is there must belong to them. Left out: whoever owns it. */
  readonly owner?: { readonly name: string; find(signal: AbortSignal): Promise<Owner> } | undefined;
}

/** What decides whether a value may be replaced: the one that is there now. */
export type MayGo = (current: Secret | undefined) => boolean;

/** A value in a file: replaced in one step, durable when a write has answered, every other byte of the file as it was. */
export interface Cell {
  readonly mirror: Mirror;
  current(): Promise<Secret | undefined>;
  needDirectory(): Promise<void>;
  /** Puts `value` there, if what a fresh look finds `mayGo`. Nothing happens when it is there already. */
  put(value: Secret, mayGo: MayGo, expected: string, signal: AbortSignal): Promise<void>;
  /** A look at files, with errors as of a store. */
  read(look: () => Promise<Secret | undefined>, signal: AbortSignal): Promise<Secret | undefined>;
  /** Work on the files of this document, after all earlier work on it. What a crash left of earlier work is removed first. */
  write(action: string, signal: AbortSignal, work: () => Promise<void>): Promise<void>;
  /** Makes what a crash may have left unsynced durable. */
  settle(): Promise<void>;
}

export function openCell({ who, path, field, document, modeFor, owner }: CellOptions, world: World): Cell {
  const { files } = world;
  const { directory, probe, isLeftover } = neighbours(path);
  const here = field === undefined ? path : `${path} ${field}`;

  /** The document as it stands, after a look at whether it may be read and replaced at all. */
  async function load(): Promise<{ text: string | undefined; facts: FileFacts | undefined; current: Secret | undefined }> {
    await needDirectory();
    const facts = await files.stat(path);
    if (facts !== undefined) refuseOddFile(facts);
    const text = facts === undefined ? undefined : await files.read(path);
    const value = inDocument(() => document.get(text));
    return { text, facts, current: value === undefined ? undefined : new Secret(value) };
  }

  function refuseOddFile({ kind, links }: FileFacts): void {
    if (kind === "file" && links === 1) return;
    const [what, cure] =
      kind === "file"
        ? [`a file with ${links} hard links`, `make it a file of its own: cp -p ${path} ${path}.new && mv ${path}.new ${path}`]
        : kind === "symlink"
          ? ["a symbolic link", "set path to the file itself: OpenClaw refuses links, and replacing one would not change what it leads to"]
          : [`no file but a ${kind === "directory" ? kind : "device, pipe or socket"}`, "set path to a regular file"];
    throw new AdapterError("misconfigured", `${who}: ${path} is ${what}`, { cure });
  }

  async function needDirectory(): Promise<void> {
    if ((await files.stat(directory)) !== undefined) return;
    const account = owner === undefined ? "" : ` -o ${owner.name.replace(":", " -g ")}`;
    throw new AdapterError("misconfigured", `${who}: ${path}: no directory ${directory}`, {
      cure: `make it: install -d -m 700${account} ${directory}`,
    });
  }

  function inDocument<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof DocumentError)) throw error;
      throw new AdapterError(error.code, `${who}: ${path}: ${error.message}`, { cure: error.cure });
    }
  }

  /** The owner that a new document gets. A file that is there keeps its own, so the two must be the same. */
  function ownerFor(facts: FileFacts | undefined, wanted: Owner | undefined): { owner?: Owner } {
    if (facts === undefined) return wanted === undefined ? {} : { owner: wanted };
    if (wanted === undefined || facts.uid === wanted.uid) return { owner: { uid: facts.uid, gid: facts.gid } };
    throw new AdapterError(
      "misconfigured",
      `${who}: ${path} belongs to uid ${facts.uid}, but owner is ${owner?.name} (uid ${wanted.uid})`,
      {
        cure: `chown ${wanted.uid}:${wanted.gid} ${path}, or leave owner out`,
      },
    );
  }

  const settle = () => files.remove(probe); // removing what is not there syncs the directory

  /** Every writer of these names waits for its turn, so what is here now is left from a crash, and it may hold secrets. */
  async function removeLeftovers(): Promise<void> {
    for (const name of await files.list(directory)) if (isLeftover(name)) await files.remove(join(directory, name));
  }

  async function told<T>(action: string, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (errnoOf(error) === undefined) throw error;
      throw fileError(error, `${who}: ${action} ${here}`, {
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

  async function put(value: Secret, mayGo: MayGo, expected: string, signal: AbortSignal): Promise<void> {
    const wanted = await owner?.find(signal);
    const { text, facts, current } = await load();
    if (current?.equals(value)) return settle();
    if (!mayGo(current)) throw foreign(expected, current);
    const content = inDocument(() => document.set(text, value.reveal()));
    const options = { mode: modeFor(facts), ...ownerFor(facts, wanted) };
    signal.throwIfAborted();
    await files.replace(path, content, { ...options, last: () => mustBeStill(text) });
  }

  /** Others may write to other places of the document, and know of no turns. */
  async function mustBeStill(text: string | undefined): Promise<void> {
    if ((await files.read(path)) === text) return;
    throw new AdapterError("inconclusive", `${who}: write ${here}: somebody else wrote to the file at the same time`);
  }

  function foreign(expected: string, current: Secret | undefined): AdapterError {
    const found = current === undefined ? "nothing" : "another value";
    return new AdapterError("foreign", `${who}: write ${here}: found ${found} where ${expected} should be`, {
      cure: `somebody else changed ${path}: put the old value back, or take the present one over with rotatectl adopt`,
    });
  }

  function preflight(signal: AbortSignal): Promise<void> {
    return write("try a write beside", signal, async () => {
      const wanted = await owner?.find(signal);
      const { text, facts } = await load();
      modeFor(facts);
      inDocument(() => document.set(text, "any-value"));
      const as = ownerFor(facts, wanted);
      await files.remove(probe);
      try {
        await files.replace(probe, " ".repeat(Buffer.byteLength(text ?? "") + ROOM_BYTES), as);
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
      const mayGo: MayGo = (found) => (over === undefined ? found === undefined : found?.equals(over) === true);
      return write("write the value of", signal, () => put(secret, mayGo, over === undefined ? "nothing" : "the old value", signal));
    },
  };
  return { mirror, current, needDirectory, put, read, write, settle };
}
