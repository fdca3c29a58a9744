import { normalize } from "node:path";
import { z } from "zod";
import { AdapterError } from "../../src/contract/errors.ts";
import { jsonPointer, parsePointer } from "../../src/contract/json-pointer.ts";
import { Secret } from "../../src/contract/secret.ts";
import { defineStore, type Store } from "../../src/contract/store.ts";
import type { World } from "../../src/contract/world.ts";
import { jsonDocument, plainDocument } from "./file/document.ts";
import { keepOf } from "./file/keep.ts";
import { findOwner } from "./file/owner.ts";
import { type Cell, openCell } from "./on-disk/cell.ts";

/** YAML reads an unquoted 0600 as the number 600. */
const MODES = { "0600": 0o600, "0400": 0o400, 600: 0o600, 400: 0o400 } as const;

const place = z.strictObject({
  path: z
    .string()
    .regex(/^\/.*[^/]$/s, "an absolute path of a file")
    .transform((path) => normalize(path))
    .describe("the file that consumers read: one value, or a JSON file when there is a `field`"),
  field: jsonPointer().optional().describe("where the value stands in a JSON file; the rest of the file is left alone to the byte"),
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
  keep: "hidden files beside it",
  settings: z.strictObject({}),
  place,
  cell: (_, { path, field }) => (field === undefined ? path : `${path}#${JSON.stringify(parsePointer(field))}`),
  connect: (_, settings, _context, world) => withKeep(settings, world),
  mirror: (_, settings, _context, world) => cellOf(settings, world).mirror,
});

function cellOf({ path, field, owner, mode }: Place, world: World): Cell {
  return openCell(
    {
      who: "file store",
      path,
      field,
      document: field === undefined ? plainDocument : jsonDocument(field),
      modeFor: () => mode,
      owner: owner === undefined ? undefined : { name: owner, find: (signal) => findOwner(owner, world, signal) },
    },
    world,
  );
}

function withKeep(place: Place, world: World): Store {
  const { path, field } = place;
  const { files } = world;
  const cell = cellOf(place, world);
  const kept = keepOf(path, field);
  const here = field === undefined ? path : `${path} ${field}`;

  async function readKept(version: string): Promise<Secret | undefined> {
    const value = await files.read(kept(version));
    return value === undefined ? undefined : new Secret(value);
  }

  return {
    preflight: cell.mirror.preflight,
    read: (which, signal) => cell.read(which === "current" ? cell.current : () => readKept(which.version), signal),

    stage(version, secret, signal) {
      return cell.write(`keep version ${version} of`, signal, async () => {
        await cell.needDirectory();
        const before = await readKept(version);
        if (before?.equals(secret)) return cell.settle();
        if (before !== undefined) throw differs(version);
        if (!/^[^\r\n]+$/.test(secret.reveal())) {
          throw new AdapterError("invalid", `file store: keep version ${version} of ${here}: the secret is empty or holds a line end`);
        }
        await files.replace(kept(version), secret.reveal());
      });
    },

    promote(version, over, signal) {
      return cell.write(`promote version ${version} in`, signal, async () => {
        const target = await readKept(version);
        if (target === undefined)
          throw new AdapterError("notFound", `file store: promote in ${here}: version ${version} is not in the keep`);
        const old = over === undefined ? undefined : await readKept(over);
        const mayGo = (found: Secret | undefined) =>
          over === undefined ? found === undefined : old !== undefined && found?.equals(old) === true;
        await cell.put(target, mayGo, over === undefined ? "nothing" : `version ${over}`, signal);
      });
    },

    discard(version, signal) {
      return cell.write(`discard version ${version} of`, signal, () => files.remove(kept(version)));
    },
  };

  function differs(version: string): AdapterError {
    return new AdapterError("invalid", `file store: keep version ${version} of ${here}: another value is kept under this name`, {
      cure: "a version never changes: take a new name",
    });
  }
}
