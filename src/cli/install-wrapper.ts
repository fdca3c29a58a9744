import { lstat, realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { errnoOf } from "../contract/file-errors.ts";
import { packageFile } from "../version.ts";
import { realFiles } from "../world/files.ts";
import { UsageError } from "./cli.ts";
import type { Io } from "./io.ts";

const MARK = "# Written by rotatectl resolve --install, which also replaces it.";
/** What OpenClaw calls the source; an operator may take another name. */
const PROVIDER = "rotated";
const OTHER_ACCOUNT = "run it as the account that the gateway runs as: sudo -u ACCOUNT rotatectl resolve --install PATH";

/**
 * Writes the program that OpenClaw runs to get secrets, and prints what belongs into openclaw.json. OpenClaw takes a plain file
 * of the account that the gateway runs as, which nobody else can write: so that account calls this, and the file is its own.
 * Throws `UsageError` for a place that OpenClaw would refuse, or where something else stands.
 */
export async function installWrapper(io: Io, path: string, socket: string): Promise<void> {
  if (!isAbsolute(socket))
    throw new UsageError(`'${socket}' is not an absolute path`, "OpenClaw calls the program from a directory of its own");
  await mustBeFree(path);
  await realFiles.replace(path, wrapper(socket), { mode: 0o700 }).catch((cause: unknown) => {
    throw new UsageError(`${path} cannot be written: ${errnoOf(cause) ?? "unknown error"}`, OTHER_ACCOUNT);
  });
  io.err(
    `wrote ${path}; merge this into openclaw.json, with your names for openai (under models.providers) and prod-openai (the credential):`,
  );
  io.out(JSON.stringify(openclawJson(path), undefined, 2));
  if (uid() === 0)
    io.err(`rotatectl: warning: the file belongs to root, and only a gateway that runs as root takes it; else ${OTHER_ACCOUNT}`);
}

const uid = () => process.geteuid?.() ?? -1;

async function mustBeFree(path: string): Promise<void> {
  if (!isAbsolute(path) || normalize(path) !== path || basename(path) === "")
    throw new UsageError(`'${path}' is not an absolute path of a file`, "such as /home/alice/.openclaw/rotated-resolve");
  await mustBeOurWay(dirname(path));
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  const cure = "give another path, or take away what is there";
  if (found.isSymbolicLink()) throw new UsageError(`${path} is a symbolic link, which OpenClaw refuses`, cure);
  if (!found.isFile()) throw new UsageError(`${path} is there and is no file`, cure);
  if (found.uid !== uid()) throw new UsageError(`${path} belongs to uid ${found.uid}, and you are uid ${uid()}`, OTHER_ACCOUNT);
  const text = await realFiles.read(path).catch(() => undefined);
  if (text?.includes(MARK) !== true) throw new UsageError(`${path} is there and was not written by rotatectl`, cure);
}

/** Whoever can change a directory on the way could put another program there, and be given secrets. */
async function mustBeOurWay(directory: string): Promise<void> {
  const real = await realpath(directory).catch(() => undefined);
  if (real === undefined) throw new UsageError(`there is no directory ${directory}`, `mkdir -p -m 700 ${directory}`);
  if (real !== directory) throw new UsageError(`the way to ${directory} has a symbolic link`, `give the real path: it begins with ${real}`);
  for (let at = directory; ; at = dirname(at)) {
    const { uid: owner, mode } = await lstat(at);
    if (owner !== 0 && owner !== uid()) throw new UsageError(`${at} belongs to uid ${owner}`, OTHER_ACCOUNT);
    const sticky = (mode & 0o1000) !== 0 && at !== directory;
    if ((mode & 0o022) !== 0 && !sticky) throw new UsageError(`others can write in ${at}`, `chmod go-w ${at}, or give another path`);
    if (at === dirname(at)) return;
  }
}

/** It runs with an empty environment, or with what passEnv lets through. The launcher finds the Node of the package, also after an upgrade. */
function wrapper(socket: string): string {
  const launcher = fileURLToPath(packageFile("bin/rotatectl"));
  return [
    "#!/bin/sh",
    MARK,
    "export PATH=/usr/local/bin:/usr/bin:/bin",
    `exec ${quoted(launcher)} --socket ${quoted(socket)} resolve`,
    "",
  ].join("\n");
}

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

function openclawJson(command: string) {
  return {
    secrets: { providers: { [PROVIDER]: { source: "exec", command } } },
    models: {
      providers: { openai: { auth: "api-key", apiKey: { source: "exec", provider: PROVIDER, id: "prod-openai" } } },
    },
  };
}
