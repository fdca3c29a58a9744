import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { z } from "zod";
import { accountId } from "../accounts.ts";
import { check, ownSettings, toSchedule } from "./check.ts";
import type { Config, CredentialConfig, ProviderConfig } from "./config.ts";
import { type Document, readDocument } from "./document.ts";
import { ConfigError, describeProblem, type Problem } from "./error.ts";
import { describeExpected, explain, type Reader } from "./explain.ts";
import type { Parsed, ParsedCredential, Parts } from "./parsed.ts";
import { NAME } from "./pieces.ts";
import { importNamed, type Registry } from "./registry.ts";
import { fileSchema, type Names, type Plugs } from "./schema.ts";
import { makeSuggest } from "./suggest.ts";
import { toTiming } from "./timing-schema.ts";
import { type HasAccount, unknownAccounts } from "./unknown-accounts.ts";

const HINTS: Readonly<Record<string, readonly [message: string, hint: string]>> = {
  ENOENT: ["no such file", "make it, or give the right path; README.md has a short one to begin with"],
  ENOTDIR: ["no such file", "a part of its path is no directory"],
  EACCES: ["may not be read by this account", "let the account of the daemon read it, such as root:rotated with mode 0640"],
  EISDIR: ["is a directory", "give the path of the file in it, such as /etc/rotated/rotated.yaml"],
};

/** Reads and checks the configuration. Throws `ConfigError` with everything that is wrong with it. */
export async function loadConfig(path: string, registry: Registry): Promise<Config> {
  const document = readDocument(await readText(path));
  const plugs = await importNamed(registry, namesIn(document.value));
  return readConfig(document, path, plugs, (kind, name) => accountId(kind, name) !== undefined);
}

async function readText(path: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    const [message, hint] = HINTS[code] ?? [`cannot be read: ${code}`, "look at the path, its owner and its mode"];
    throw new ConfigError(path, [{ path: "", message, hint }]);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new ConfigError(path, [{ path: "", message: "is not UTF-8 text", hint: "save it as UTF-8" }]);
  }
}

/** Checks the text of a configuration; `path` is only told. Throws `ConfigError` with everything that is wrong. */
export function parseConfig(text: string, path: string, plugs: Plugs, hasAccount: HasAccount = () => true): Config {
  return readConfig(readDocument(text), path, plugs, hasAccount);
}

function readConfig(document: Document, path: string, plugs: Plugs, hasAccount: HasAccount): Config {
  const { value } = document;
  if (value === undefined && document.problems.length > 0) throw new ConfigError(path, document.problems);
  if (!isMapping(value)) {
    const empty = value === null;
    const message = empty ? "the file is empty" : "the file is not a mapping";
    const hint = "begin with `providers:`, `stores:`, `consumers:` and `credentials:`; docs/configuration.md has them all";
    throw new ConfigError(path, [{ path: "", line: 1, column: 1, message, hint }]);
  }
  const names = namesIn(value);
  const schema = fileSchema(plugs, names);
  const reader: Reader = {
    document,
    schema,
    names: { provider: [...names.providers.keys()], store: [...names.stores.keys()], consumer: [...names.consumers.keys()] },
    suggest: makeSuggest(),
  };
  const result = schema.safeParse(value, { error: describeExpected });
  const issues = (result.error?.issues ?? []).flatMap((issue) => explain(issue, reader));
  const checked = check(result.data ?? whatIsRight(schema, value), document, plugs, reader.suggest);
  const problems = [...document.problems, ...issues, ...checked.problems];
  if (result.data === undefined || problems.length > 0) throw new ConfigError(path, inOrder(problems));
  const warnings = [...checked.warnings, ...unknownAccounts(result.data, document, hasAccount)];
  return toConfig(result.data, warnings, path, plugs);
}

/** The entries that are right in themselves, so that what hangs on several of them is told at once with what is wrong in others. */
function whatIsRight(schema: ReturnType<typeof fileSchema>, value: Readonly<Record<string, unknown>>): Parts {
  const { providers, stores, consumers, credentials, network, timing } = schema.shape;
  const right = <T>(section: unknown, entry: z.ZodType<T>): Record<string, T> =>
    Object.fromEntries(
      Object.entries(isMapping(section) ? section : {}).flatMap(([name, settings]) => {
        const { data } = NAME.test(name) ? entry.safeParse(settings) : {};
        return data === undefined ? [] : [[name, data] as const];
      }),
    );
  return {
    providers: right(value["providers"], providers.unwrap().valueType),
    stores: right(value["stores"], stores.unwrap().valueType),
    consumers: right(value["consumers"], consumers.unwrap().valueType),
    credentials: right(value["credentials"], credentials.unwrap().valueType),
    network: network.safeParse(value["network"]).data ?? network.parse(undefined),
    timing: timing.safeParse(value["timing"]).data ?? timing.parse(undefined),
  };
}

function inOrder(problems: readonly Problem[]): readonly Problem[] {
  return problems.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function namesIn(value: unknown): Names {
  const { providers, stores, consumers } = isMapping(value) ? value : {};
  return { providers: typesOf(providers), stores: typesOf(stores), consumers: typesOf(consumers) };
}

function typesOf(section: unknown): Names["providers"] {
  return new Map(
    Object.entries(isMapping(section) ? section : {}).map(([name, entry]) => [name, isMapping(entry) ? entry["type"] : undefined]),
  );
}

function toConfig(parsed: Parsed, warnings: readonly Problem[], path: string, plugs: Plugs): Config {
  const { stateDirectory, socket, control, network, timing } = parsed;
  return {
    stateDirectory,
    socket,
    resolveSocket: parsed.resolveSocket ?? join(dirname(socket), "resolve.sock"),
    providers: mapValues(parsed.providers, (entry) => toProvider(entry, definitionOf(plugs.providers, entry.type))),
    stores: mapValues(parsed.stores, ({ type, ...settings }) => ({ type, definition: definitionOf(plugs.stores, type), settings })),
    consumers: mapValues(parsed.consumers, ({ type, acceptAnswered, ...settings }) => ({
      type,
      definition: definitionOf(plugs.consumers, type),
      settings,
      acceptAnswered: acceptAnswered === true,
    })),
    credentials: mapValues(parsed.credentials, toCredential),
    control,
    network: { ...network, proxy: network.proxy },
    timing: toTiming(timing),
    warnings: inOrder(warnings).map((warning) => `${describeProblem(path, warning)} (${warning.hint})`),
  };
}

function toProvider({ type, ...entry }: Parsed["providers"][string], definition: Plugs["providers"][string]): ProviderConfig {
  const { listLag, revokeLag, lastUsedLag, lastUsedPrecision } = entry as Partial<Record<string, number>>;
  const settings = ownSettings(entry);
  const supply = definition.supplyOf?.(settings) ?? definition.supply;
  const lags = { listLagMs: listLag ?? definition.listLagMs, revokeLagMs: revokeLag ?? definition.revokeLagMs ?? 0 };
  const base = { type, definition, settings, supply, ...lags };
  const known = definition.lastUsed;
  if (known === undefined) return base;
  return { ...base, lastUsed: { precisionMs: lastUsedPrecision ?? known.precisionMs, lagMs: lastUsedLag ?? known.lagMs } };
}

function toCredential(credential: ParsedCredential, name: string): CredentialConfig {
  const { use, ...place } = credential.store;
  return {
    name,
    provider: credential.provider,
    store: { use, place },
    mirrors: credential.mirrors.map(({ use: used, ...rest }) => ({ use: used, place: rest })),
    consumers: credential.consumers.map(({ use: used, ...settings }) => ({ use: used, settings })),
    resolve: credential.resolve,
    schedule: toSchedule(credential),
    window: credential.window,
    overlapMs: credential.overlap,
    jitterMs: credential.jitter,
  };
}

function definitionOf<T>(definitions: Readonly<Record<string, T>>, type: string): T {
  const definition = definitions[type];
  if (definition === undefined) throw new Error(`configuration: no definition of type ${type} after it was checked`);
  return definition;
}

function mapValues<T, R>(record: Readonly<Record<string, T>>, change: (value: T, name: string) => R): Record<string, R> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value, name)]));
}
