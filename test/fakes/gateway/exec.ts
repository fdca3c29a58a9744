import { spawn } from "node:child_process";
import { lstat } from "node:fs/promises";
import { dirname, isAbsolute } from "node:path";
import { text } from "node:stream/consumers";

export interface ExecProvider {
  readonly command: string;
  readonly passEnv: readonly string[];
  readonly timeoutMs: number;
}

/** What a resolver answered, as far as OpenClaw believes it: a value or the code of an error for each id. */
export interface Resolved {
  readonly values: Readonly<Record<string, unknown>>;
  readonly errors: Readonly<Record<string, { readonly code?: unknown } | undefined>>;
}

/** OpenClaw 2026.9.6: all ids of a provider in one call, and a command that is the gateway's own, or nothing. Throws what is wrong. */
export async function runExec(
  { command, passEnv, timeoutMs }: ExecProvider,
  provider: string,
  ids: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Resolved> {
  await mustBeSecure(command);
  const passed = Object.fromEntries(passEnv.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
  const child = spawn(command, { cwd: dirname(command), env: passed, stdio: ["pipe", "pipe", "ignore"], timeout: timeoutMs });
  const exited = new Promise<number | null>((resolve) => child.on("error", () => resolve(null)).on("close", resolve));
  child.stdin.on("error", () => {}).end(JSON.stringify({ protocolVersion: 1, provider, ids }));
  const [output, code] = await Promise.all([text(child.stdout), exited]);
  if (code !== 0) throw new Error(`exited with code ${code}`);
  const { protocolVersion, values, errors = {} } = JSON.parse(output) as Record<string, unknown>;
  if (protocolVersion !== 1) throw new Error("protocolVersion must be 1");
  if (typeof values !== "object" || values === null) throw new Error('response missing "values"');
  return { values: values as Resolved["values"], errors: errors as Resolved["errors"] };
}

async function mustBeSecure(command: string): Promise<void> {
  if (!isAbsolute(command)) throw new Error("must be an absolute path");
  const { uid, mode, isFile, isSymbolicLink } = await lstat(command).then((stats) => ({
    uid: stats.uid,
    mode: stats.mode,
    isFile: stats.isFile(),
    isSymbolicLink: stats.isSymbolicLink(),
  }));
  if (isSymbolicLink) throw new Error("must not be a symlink");
  if (!isFile) throw new Error("must be a file");
  if ((mode & 0o022) !== 0) throw new Error("permissions are too open");
  if (uid !== process.getuid?.()) throw new Error("must be owned by the current user");
}
