import { normalize } from "node:path";
import { z } from "zod";
import { AdapterError } from "../../src/contract/errors.ts";
import { defineStore } from "../../src/contract/store.ts";
import type { FileFacts } from "../../src/contract/world.ts";
import { envDocument } from "./env-file/document.ts";
import { openCell } from "./on-disk/cell.ts";

const place = z.strictObject({
  path: z
    .string()
    .regex(/^\/.*[^/]$/s, "an absolute path of a file")
    .transform((path) => normalize(path))
    .describe("the env file; where there is none it is made, with mode 0600"),
  name: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "the name of a variable, such as OPENAI_API_KEY")
    .describe("the variable that holds the value; every other line is left alone to the byte"),
  format: z
    .enum(["systemd", "dotenv"])
    .prefault("systemd")
    .describe("who reads the file: a unit, as `EnvironmentFile=`, or a program by one of the libraries called dotenv"),
});

/** One variable of an env file on this host. A copy only: the keep of a credential is in its store. */
export const envFile = defineStore({
  title: "A variable in an env file (systemd's `EnvironmentFile=`, or dotenv)",
  settings: z.strictObject({}),
  place,
  cell: (_, { path, name }) => `${path}#${name}`,
  describe: () => ["a program reads its environment once, at its start: it must be started again"],
  mirror(_, { path, name, format }, _context, world) {
    const document = envDocument(name, format);
    return openCell({ who: "env file", path, field: name, document, modeFor: (facts) => modeFor(path, facts) }, world).mirror;
  },
});

/** Who may read the file is its owner's to say, as long as it is not everybody. */
function modeFor(path: string, facts: FileFacts | undefined): number {
  if (facts === undefined) return 0o600;
  if ((facts.mode & 0o007) === 0) return facts.mode & 0o770;
  throw new AdapterError("misconfigured", `env file: ${path} is open to every account of this host (mode ${facts.mode.toString(8)})`, {
    cure: `chmod o= ${path}`,
  });
}
