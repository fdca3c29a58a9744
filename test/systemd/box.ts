import { execFile, execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe } from "vitest";

const TOOL = fileURLToPath(new URL("../tools/systemd-box.sh", import.meta.url));
const MAX_OUTPUT_BYTES = 16 << 20;

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running systemd with a root file system of its own, over a throw-away copy of this machine's. It shares the network. */
export class Box {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Boots it; `binds` are directories of ours and where they appear inside. */
  static async start(binds: Readonly<Record<string, string>>): Promise<Box> {
    const directory = await mkdtemp(join(tmpdir(), "rotated-box-"));
    const options = Object.entries(binds).flatMap(([from, to]) => ["--bind", `${from}:${to}`]);
    const { code, stderr } = await spawned(TOOL, ["start", directory, ...options]);
    if (code !== 0) throw new Error(`the box did not start:\n${stderr}`);
    return new Box(directory);
  }

  /** Runs a command inside, as root; whatever its exit code. */
  run(...command: readonly string[]): Promise<Ran> {
    return spawned(TOOL, ["exec", this.#directory, ...command]);
  }

  /** For a shell outside: what runs a command inside, before its arguments. */
  command(name: string): string {
    return `${TOOL} exec ${this.#directory} ${name}`;
  }

  /** As {@link run}; throws unless it succeeds. Gives what it printed. */
  async must(...command: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...command);
    if (code !== 0) throw new Error(`exit code ${code} from ${command.join(" ")}\n${stdout}${stderr}${await this.journal()}`);
    return stdout.trimEnd();
  }

  /** Runs a command as an account, with all its groups. */
  as(account: string, ...command: readonly string[]): Promise<Ran> {
    return this.run("setpriv", `--reuid=${account}`, `--regid=${account}`, "--init-groups", "--", ...command);
  }

  /** Makes a user account with a home, and gives its uid. */
  async addAccount(name: string, ...groups: readonly string[]): Promise<number> {
    const more = groups.length === 0 ? [] : ["--groups", groups.join(",")];
    await this.must("useradd", "--create-home", "--user-group", "--shell", "/bin/bash", ...more, name);
    return Number(await this.must("id", "-u", name));
  }

  /** Where a path of the box is seen from outside. */
  path(inside: string): string {
    const leader = readFileSync(join(this.#directory, "leader.pid"), "utf8").trim();
    return `/proc/${leader}/root${inside}`;
  }

  async write(inside: string, content: string, { mode = 0o644, uid = 0 }: { mode?: number; uid?: number } = {}): Promise<void> {
    const path = this.path(inside);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
    await chmod(path, mode);
    await chown(path, uid, uid);
  }

  read(inside: string): Promise<string> {
    return readFile(this.path(inside), "utf8");
  }

  /** One property of a unit. */
  async show(unit: string, property: string): Promise<string> {
    return this.must("systemctl", "show", "--value", "-p", property, unit);
  }

  /** Everything that a unit logged; all of the journal without a name. */
  async journal(unit?: string): Promise<string> {
    const { stdout } = await this.run("journalctl", "--no-pager", "-o", "cat", ...(unit === undefined ? [] : ["-u", unit]));
    return stdout;
  }

  async stop(): Promise<void> {
    await spawned(TOOL, ["stop", this.#directory]);
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** As `describe`, for tests that need a box, with these programs in it. Where none can run they are skipped, and the reason is printed. */
export function describeInBox(title: string, body: () => void, programs: readonly string[] = []): void {
  const missing = programs.find((program) => !existsSync(program));
  const reason = whyNoBox() ?? (missing === undefined ? undefined : `no ${missing} is installed`);
  if (reason === undefined) return void describe(title, body);
  console.warn(`${title}: skipped: ${reason}`);
  describe.skip(`${title} (skipped: ${reason})`, body);
}

/** Why no box can run here; `undefined` when one can. */
export function whyNoBox(): string | undefined {
  if (process.getuid?.() !== 0) return "it needs root";
  if (!existsSync("/lib/systemd/systemd")) return "no systemd is installed";
  if (!["/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/unified/cgroup.procs"].some(existsSync)) return "no cgroup v2 is mounted";
  const layers = "mkdir /mnt/u /mnt/w /mnt/r && mount -t overlay -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w o /mnt/r";
  try {
    const namespaces = ["--mount", "--pid", "--cgroup", "--uts", "--ipc", "--fork"];
    execFileSync("unshare", [...namespaces, "sh", "-c", `mount -t tmpfs t /mnt && ${layers}`], { stdio: "pipe" });
    return undefined;
  } catch {
    return "no namespaces or no overlay file system";
  }
}

function spawned(command: string, args: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(command, args, { maxBuffer: MAX_OUTPUT_BYTES }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === "number" ? error.code : -1, stdout, stderr });
    });
  });
}
