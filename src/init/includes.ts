import { type FileHandle, open, realpath } from "node:fs/promises";
import { dirname, isAbsolute, normalize, relative, resolve } from "node:path";
import { at, isMapping, type Mapping, merge } from "./mapping.ts";
import { parse } from "./parse.ts";

// OpenClaw's own rules, as its version 2026.9.6 has them: docs/gateway/config-secrets-env.md in its package.
const DEEPEST = 10;
const LARGEST_BYTES = 2_097_152;
const LONGEST_PATH = 4096;

/** An include that was not followed. */
export interface Refusal {
  /** Where it stands in the configuration; empty for its top. */
  readonly path: readonly string[];
  /** As it is written there. */
  readonly include: unknown;
  readonly why: string;
}

export interface Included {
  readonly value: unknown;
  /** The files that were read. */
  readonly files: readonly string[];
  readonly refusals: readonly Refusal[];
}

/**
 * Puts the files in the place of every `$include`. OpenClaw gives up a configuration with one that it cannot follow; here only
 * that part is left out, and told.
 */
export async function followIncludes(value: unknown, file: string, allowed: readonly string[]): Promise<Included> {
  const files: string[] = [];
  const refusals: Refusal[] = [];
  const roots = [dirname(file), ...allowed].map((root) => normalize(root));
  const realRoots = await Promise.all(roots.map((root) => realpath(root).catch(() => root)));

  async function walk(part: unknown, path: readonly string[], chain: readonly string[]): Promise<unknown> {
    if (Array.isArray(part)) {
      const items: unknown[] = [];
      for (const [index, item] of part.entries()) items.push(await walk(item, [...path, String(index)], chain));
      return items;
    }
    if (!isMapping(part)) return part;
    const rest: Record<string, unknown> = {};
    for (const [name, item] of Object.entries(part)) if (name !== "$include") rest[name] = await walk(item, [...path, name], chain);
    const include = at(part, "$include");
    return include === undefined ? rest : withIncluded(include, rest, path, chain);
  }

  async function withIncluded(include: unknown, rest: Mapping, path: readonly string[], chain: readonly string[]): Promise<unknown> {
    const alone = Object.keys(rest).length === 0;
    const parts: unknown[] = [];
    for (const one of Array.isArray(include) ? include : [include]) parts.push(await load(one, path, chain));
    const included = Array.isArray(include) ? parts.reduce(merge, {}) : parts[0];
    if (alone) return included;
    if (isMapping(included)) return merge(included, rest);
    refusals.push({ path, include, why: "what it includes is no object, so nothing can stand beside it" });
    return rest;
  }

  async function load(include: unknown, path: readonly string[], chain: readonly string[]): Promise<unknown> {
    const refuse = (why: string) => {
      refusals.push({ path, include, why });
      return {};
    };
    if (typeof include !== "string") return refuse("it is not the path of a file");
    if (include.includes("\0") || include.length >= LONGEST_PATH) return refuse("it is not a path that OpenClaw takes");
    const target = resolve(dirname(chain.at(-1) ?? file), include);
    if (!roots.some((root) => isInside(root, target))) return refuse("it lies outside of the directory of openclaw.json");
    if (chain.includes(target)) return refuse("it includes itself");
    if (chain.length > DEEPEST) return refuse(`it is more than ${DEEPEST} files deep`);
    const real = await realpath(target).catch(() => undefined);
    if (real === undefined) return refuse("there is no such file, or it may not be read");
    if (!realRoots.some((root) => isInside(root, real))) return refuse("it is a link to outside of the directory of openclaw.json");
    const text = await readIncluded(real);
    if (typeof text !== "string") return refuse(text.why);
    const parsed = parse(text);
    if (!parsed.ok) return refuse(`it is not JSON5 from line ${parsed.line}, column ${parsed.column} on`);
    files.push(target);
    return walk(parsed.value, path, [...chain, target]);
  }

  return { value: await walk(value, [], [normalize(file)]), files, refusals };
}

async function readIncluded(path: string): Promise<string | { readonly why: string }> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path);
    const found = await handle.stat();
    if (!found.isFile() || found.nlink > 1 || found.size > LARGEST_BYTES)
      return { why: "OpenClaw takes plain files of at most 2 MB and without hard links" };
    return await handle.readFile("utf8");
  } catch {
    return { why: "it may not be read" };
  } finally {
    await handle?.close();
  }
}

function isInside(root: string, path: string): boolean {
  const way = relative(root, path);
  return way === "" || (way !== ".." && !way.startsWith("../") && !isAbsolute(way));
}
