import { lstat, readFile } from "node:fs/promises";
import { type OpenClawConfig, pathOf, type SecretReference } from "./config.ts";
import { type ExecProvider, type Resolved, runExec } from "./exec.ts";
import type { Store } from "./store.ts";

/** A reference that could not be loaded, as `status` shows it. */
export interface DegradedOwner {
  readonly ownerKind: string;
  readonly ownerId: string;
  readonly state: "unavailable";
  readonly degradationState: "stale" | "cold";
  readonly paths: readonly string[];
  readonly reason: string;
}

/** A failure that keeps the whole snapshot as it is. */
export class StrictFailure extends Error {}

const NOT_FOUND = "secret reference was not found";
const FAILED = "secret provider failed";
class Unresolved extends Error {}

export type Secrets = ReturnType<typeof makeSecrets>;

/** The gateway's snapshot of all references: read at start and at a reload, and never else. */
export function makeSecrets(config: OpenClawConfig, env: Readonly<Record<string, string>>, store: Store, log: (line: string) => void) {
  const references = [...findReferences(config, [])];
  let active = new Map<string, string>();
  let degraded: readonly DegradedOwner[] = [];
  let running: Promise<number> | undefined;
  const secrets = {
    /** How long a reload takes after it has read the sources: in that time a second one joins it. */
    settleMs: 0,
    /** A reload that has read the sources is not over before this: until then a second one joins it. */
    held: undefined as Promise<void> | undefined,
    active: (path: string) => active.get(path),
    degraded: () => degraded,
    paths: () => references.map(({ path }) => path),
    /** Reads everything again and answers how many owners are degraded. One that comes while another runs joins it. */
    reload(): Promise<number> {
      running ??= read(undefined).finally(() => {
        running = undefined;
      });
      return running;
    },
    /** After a change of an entry of the store: joins nothing, and what cannot be resolved any more goes cold. Whether anything refers to it. */
    async reloadEntry(name: string): Promise<{ reloaded: false } | { reloaded: true; warningCount: number }> {
      if (!references.some(({ reference }) => reference.source === "store" && reference.id === name)) return { reloaded: false };
      while (running !== undefined) await running.catch(() => {});
      running = read(name).finally(() => {
        running = undefined;
      });
      return { reloaded: true, warningCount: (await running) > 0 ? 1 : 0 };
    },
    value: (input: string | SecretReference | undefined, path: string) => (typeof input === "string" ? input : active.get(path)),
  };
  return secrets;

  async function read(forcedCold: string | undefined): Promise<number> {
    const next = new Map<string, string>();
    const failed: DegradedOwner[] = [];
    const execs = new Map<string, Promise<Resolved>>();
    const ask = (from: ExecProvider, provider: string) => {
      const ids = references.flatMap(({ reference }) => (reference.provider === provider ? [reference.id] : []));
      const asked = execs.get(provider) ?? runExec(from, provider, [...new Set(ids)], env);
      execs.set(provider, asked);
      return asked.catch(() => fail(FAILED));
    };
    for (const { path, reference } of references) {
      try {
        const value = await resolve(config, reference, env, store, ask);
        if (typeof value !== "string" || value === "") throw new StrictFailure(`${path} resolved to a non-string or empty value.`);
        next.set(path, value);
      } catch (error) {
        if (!(error instanceof Unresolved)) throw error;
        if (path.startsWith("gateway.auth.")) throw new StrictFailure(`${path} could not be resolved.`);
        const kept = reference.source === "store" && reference.id === forcedCold ? undefined : active.get(path);
        if (kept !== undefined) next.set(path, kept);
        const ownerId = path.split(".")[2] ?? path;
        const owner = { ownerKind: "provider", ownerId, state: "unavailable", paths: [path], reason: error.message } as const;
        failed.push({ ...owner, degradationState: kept === undefined ? "cold" : "stale" });
        log(`[SECRETS_DEGRADED] ${path}: ${error.message}`);
      }
    }
    await secrets.held;
    if (secrets.settleMs > 0) await new Promise((resolve) => setTimeout(resolve, secrets.settleMs));
    active = next;
    degraded = failed;
    return failed.length;
  }
}

/** Every reference of a config, with its path. */
function* findReferences(value: unknown, path: readonly string[]): Generator<{ path: string; reference: SecretReference }> {
  if (typeof value !== "object" || value === null || path[0] === "secrets") return;
  if ("source" in value && "id" in value) yield { path: pathOf(path), reference: value as SecretReference };
  else for (const [name, inner] of Object.entries(value)) yield* findReferences(inner, [...path, name]);
}

async function resolve(
  config: OpenClawConfig,
  { source, provider, id }: SecretReference,
  env: Readonly<Record<string, string>>,
  store: Store,
  ask: (from: ExecProvider, provider: string) => Promise<Resolved>,
): Promise<unknown> {
  if (source === "env") return env[id] ?? fail(NOT_FOUND);
  if (source === "store") return provider === "default" ? (store.get(id)?.value ?? fail(NOT_FOUND)) : fail(FAILED);
  const from = config.secrets.providers[provider] ?? fail(FAILED);
  if (from.source === "exec") {
    const { values, errors } = await ask(from, provider);
    const error = Object.hasOwn(errors, id) ? errors[id] : undefined;
    if (error !== undefined) fail(error.code === "NOT_FOUND" ? NOT_FOUND : FAILED);
    return Object.hasOwn(values, id) ? values[id] : fail(NOT_FOUND);
  }
  const content = await readGuarded(from.path);
  if (from.mode === "singleValue") return id === "value" ? content.replace(/\r?\n$/, "") : fail(NOT_FOUND);
  let document: unknown;
  try {
    document = JSON.parse(content);
  } catch {
    fail(FAILED);
  }
  const steps = id.split("/").slice(1);
  return steps.reduce((node, step) => descend(node, step.replaceAll("~1", "/").replaceAll("~0", "~")), document);
}

function descend(node: unknown, step: string): unknown {
  if (typeof node !== "object" || node === null || !Object.hasOwn(node, step)) fail(NOT_FOUND);
  return (node as Record<string, unknown>)[step];
}

/** A file counts only if it is a plain one of our own that nobody else can reach. */
async function readGuarded(path: string): Promise<string> {
  const facts = await lstat(path).catch(() => fail(FAILED));
  const safe = facts.isFile() && facts.nlink === 1 && (facts.mode & 0o077) === 0 && facts.uid === process.getuid?.();
  return safe ? readFile(path, "utf8") : fail(FAILED);
}

function fail(reason: string): never {
  throw new Unresolved(reason);
}
