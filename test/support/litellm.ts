import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { chmod, chown, cp, mkdir, mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** A real LiteLLM proxy in a process of its own, with a Postgres of its own, in front of models that it plays itself. */
export interface LiteLlmProxy {
  readonly url: string;
  readonly masterKey: string;
  close(): Promise<void>;
}

/** Where its two parts are installed. */
export interface LiteLlmPeers {
  readonly proxy: string;
  readonly database: string;
}

const SCRIPTS = fileURLToPath(new URL("../peers/litellm-database/", import.meta.url));
const NOBODY = 65_534;
/** On a busy machine the proxy takes minutes to import itself. */
const STARTS_WITHIN_MS = 480_000;
const MODELS = ["fake-1", "fake-2"];

/** The proxy ends with its standard input: so it does not outlive us, however we end. */
const PROGRAM = `
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
from litellm.proxy.proxy_cli import run_server
run_server(sys.argv[1:])
`;

/** Starts it on a loopback port; resolves when it answers. */
export async function startLiteLlm(peers: LiteLlmPeers, masterKey: string): Promise<LiteLlmProxy> {
  const home = await mkdtemp(join(tmpdir(), "rotated-litellm-"));
  const children: ChildProcess[] = [];
  const kill = () => {
    for (const child of children) child.kill("SIGKILL");
  };
  process.once("exit", kill);
  const close = async () => {
    process.off("exit", kill);
    // The proxy first; the database stops in good order when nobody listens to it any more.
    for (const child of children.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.stdin?.end();
      await once(child, "exit");
    }
    rmSync(home, { recursive: true, force: true });
  };
  try {
    const url = `http://127.0.0.1:${await quietPort()}`;
    await startParts(peers, { home, url, masterKey, children });
    return { url, masterKey, close };
  } catch (error) {
    kill();
    await close();
    throw error;
  }
}

interface Parts {
  readonly home: string;
  readonly url: string;
  readonly masterKey: string;
  readonly children: ChildProcess[];
}

async function startParts(peers: LiteLlmPeers, { home, url, masterKey, children }: Parts): Promise<void> {
  const packages = await sitePackages(peers.proxy);
  const python = join(peers.proxy, "env/bin/python3");
  const engine = join(home, "database/engine.mjs");
  const databaseUrl = await startDatabase(peers, home, join(packages, "litellm_proxy_extras/migrations"), children);
  const env = {
    HOME: home,
    PATH: [dirname(process.execPath), process.env["PATH"]].join(delimiter),
    PYTHONPATH: join(home, "generated"),
    DATABASE_URL: databaseUrl,
    DISABLE_SCHEMA_UPDATE: "true",
    LITELLM_LOCAL_MODEL_COST_MAP: "True",
    PRISMA_QUERY_ENGINE_BINARY: engine,
    PRISMA_QUERY_ENGINE_LIBRARY: engine,
    PRISMA_SCHEMA_ENGINE_BINARY: engine,
    PRISMA_CLI_QUERY_ENGINE_TYPE: "binary",
    PRISMA_HIDE_UPDATE_MESSAGE: "true",
    CHECKPOINT_DISABLE: "1",
  };
  await generateClient({ home, packages, python, env });
  const config = {
    model_list: MODELS.map((name) => ({ model_name: name, litellm_params: { model: `openai/${name}`, mock_response: "pong" } })),
    general_settings: { master_key: masterKey, database_url: databaseUrl },
    litellm_settings: { telemetry: false },
  };
  // JSON is YAML.
  await writeFile(join(home, "config.yaml"), JSON.stringify(config));
  const args = ["-c", PROGRAM, "--config", "config.yaml", "--host", "127.0.0.1", "--port", new URL(url).port];
  const proxy = spawn(python, args, { cwd: home, env, stdio: ["pipe", "pipe", "pipe"] });
  children.push(proxy);
  await untilReady(proxy, url);
}

/** Postgres refuses to run as root, and another account cannot read root's cache: it runs from a copy. */
async function startDatabase(peers: LiteLlmPeers, home: string, migrations: string, children: ChildProcess[]): Promise<string> {
  const folder = join(home, "database");
  await cp(peers.database, folder, { recursive: true, verbatimSymlinks: true });
  for (const script of ["postgres.mjs", "engine.mjs"]) await cp(join(SCRIPTS, script), join(folder, script));
  await chmod(join(folder, "engine.mjs"), 0o755);
  await cp(migrations, join(folder, "migrations"), { recursive: true });
  const data = join(folder, "data");
  await mkdir(data);
  const root = process.getuid?.() === 0;
  if (root) {
    await chmod(home, 0o711);
    await chmod(folder, 0o755);
    await chown(data, NOBODY, NOBODY);
  }
  const args = [join(folder, "postgres.mjs"), data, join(folder, "migrations"), String(await quietPort())];
  const child = spawn(process.execPath, args, { cwd: data, stdio: ["pipe", "pipe", "pipe"], ...(root && { uid: NOBODY, gid: NOBODY }) });
  children.push(child);
  const printed = collect(child);
  for await (const line of createInterface({ input: child.stdout })) return (JSON.parse(line) as { url: string }).url;
  throw new Error(`the proxy's database did not start: ${printed()}`);
}

/** Prisma's client for LiteLLM's tables, generated into a copy, as it is made to be generated into the package itself. */
async function generateClient(where: { home: string; packages: string; python: string; env: NodeJS.ProcessEnv }): Promise<void> {
  const { home, packages, python, env } = where;
  await cp(join(packages, "prisma"), join(home, "generated/prisma"), { recursive: true });
  const schema = await readFile(join(packages, "litellm/proxy/schema.prisma"), "utf8");
  const forHere = schema
    .replace(/binaryTargets = \[.*\]/, 'binaryTargets = ["native"]')
    .replace('"prisma-client-py"', `"${python} -m prisma"`);
  await writeFile(join(home, "schema.prisma"), forHere);
  const args = [join(home, "database/node_modules/prisma/build/index.js"), "generate", "--schema", "schema.prisma"];
  await promisify(execFile)(process.execPath, args, { cwd: home, env });
}

async function sitePackages(folder: string): Promise<string> {
  const lib = join(folder, "env/lib");
  const [python] = (await readdir(lib)).filter((name) => name.startsWith("python3"));
  if (python === undefined) throw new Error(`no Python in ${lib}`);
  return join(lib, python, "site-packages");
}

/** Resolves when the proxy answers; throws with the end of what it printed when it ended or took too long. */
async function untilReady(child: ChildProcess, url: string): Promise<void> {
  const printed = collect(child);
  child.stdout?.resume();
  const deadline = Date.now() + STARTS_WITHIN_MS;
  while (child.exitCode === null && child.signalCode === null && Date.now() < deadline) {
    const ready = await fetch(`${url}/health/liveliness`, { signal: AbortSignal.timeout(5000) }).then(
      (response) => response.ok,
      () => false,
    );
    if (ready) return;
    await sleep(200);
  }
  throw new Error(`the proxy did not start: ${printed()}`);
}

/** What a program has printed as errors so far, its end. */
function collect(child: ChildProcess): () => string {
  let printed = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    printed = (printed + chunk.toString()).slice(-4000);
  });
  return () => printed;
}

/** A port that nobody gets by chance in the minute until it is used: below those that the system gives out. */
async function quietPort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 30_000);
    const server = createServer().listen(port, "127.0.0.1");
    const free = await once(server, "listening").then(
      () => true,
      () => false,
    );
    if (!free) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}
