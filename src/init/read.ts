import { open } from "node:fs/promises";
import { delimiter, isAbsolute, join, resolve } from "node:path";
import { ConfigError, type Problem } from "../config/error.ts";
import { followIncludes, type Refusal } from "./includes.ts";
import { isMapping, type Mapping } from "./mapping.ts";
import { parse } from "./parse.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** A configuration of OpenClaw, with what it includes in its place. */
export interface Reading {
  readonly path: string;
  readonly config: Mapping;
  /** The included files that were read. */
  readonly included: readonly string[];
  readonly refusals: readonly Refusal[];
  /** The uid of the account that the file belongs to: the gateway's. */
  readonly owner: number;
}

const CURES: Readonly<Record<string, Pick<Problem, "message" | "hint">>> = {
  ENOENT: {
    message: "no such file",
    hint: "name the file: rotatectl init FILE; OPENCLAW_CONFIG_PATH, OPENCLAW_STATE_DIR and OPENCLAW_HOME count, too",
  },
  ENOTDIR: { message: "no such file", hint: "a part of its path is no directory" },
  EACCES: { message: "may not be read by this account", hint: "run it as the account of the gateway: sudo -u ACCOUNT rotatectl init" },
  EISDIR: { message: "is a directory", hint: "give the path of openclaw.json in it" },
};

/** Where OpenClaw looks for its configuration. */
export function defaultPath(env: Environment): string {
  const home = homeOf(env);
  const given = set(env["OPENCLAW_CONFIG_PATH"]);
  if (given !== undefined) return resolve(expandHome(given, home));
  return join(resolve(expandHome(set(env["OPENCLAW_STATE_DIR"]) ?? join(home, ".openclaw"), home)), "openclaw.json");
}

/** What OpenClaw takes for the home directory. */
export function homeOf(env: Environment): string {
  const home = set(env["HOME"]) ?? "/";
  return expandHome(set(env["OPENCLAW_HOME"]) ?? home, home);
}

export function expandHome(path: string, home: string): string {
  return path === "~" || path.startsWith("~/") ? join(home, path.slice(1)) : path;
}

/** Throws `ConfigError` when the file is not there or is not JSON5. No error has anything of its text. */
export async function readOpenClaw(path: string, env: Environment): Promise<Reading> {
  const { text, owner } = await readText(path);
  const parsed = parse(text);
  if (!parsed.ok) {
    const hint = "openclaw config validate says more; the text is not repeated here, since it may hold a key";
    throw new ConfigError(path, [{ path: "", line: parsed.line, column: parsed.column, message: "is not JSON5 from here on", hint }]);
  }
  const roots = (set(env["OPENCLAW_INCLUDE_ROOTS"]) ?? "").split(delimiter).filter(isAbsolute);
  const { value, files, refusals } = await followIncludes(parsed.value, path, roots);
  if (!isMapping(value)) {
    throw new ConfigError(path, [
      { path: "", message: "is no object", hint: "it begins with { and has `models`, `gateway` and the like in it" },
    ]);
  }
  return { path, config: value, included: files, refusals, owner };
}

async function readText(path: string): Promise<{ readonly text: string; readonly owner: number }> {
  try {
    await using handle = await open(path);
    const { uid } = await handle.stat();
    return { text: await handle.readFile("utf8"), owner: uid };
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    const { message, hint } = CURES[code] ?? { message: `cannot be read: ${code}`, hint: "look at the path, its owner and its mode" };
    throw new ConfigError(path, [{ path: "", message, hint }]);
  }
}

/** As OpenClaw reads its variables. */
function set(value: string | undefined): string | undefined {
  const text = value?.trim() ?? "";
  return text === "" || text === "undefined" || text === "null" ? undefined : text;
}
