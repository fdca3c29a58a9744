import type { z } from "zod";
import type { Document, Path } from "./document.ts";
import type { Problem } from "./error.ts";
import { NAME } from "./pieces.ts";
import { schemaAt, settingsAt } from "./schema-at.ts";
import { listNames, type Suggest } from "./suggest.ts";
import { zoneNames } from "./time.ts";

type Issue = z.core.$ZodIssue;

/** What is needed to tell an operator what the schema says. */
export interface Reader {
  readonly document: Document;
  readonly schema: z.ZodType;
  /** What the file calls its providers, stores and consumers. */
  readonly names: { readonly provider: readonly string[]; readonly store: readonly string[]; readonly consumer: readonly string[] };
  readonly suggest: Suggest;
}

/** Phrases that fit after "give", for what the schemas have no words of their own. */
export function describeExpected(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return EXPECTED[String(issue["expected"])] ?? `a value of type ${String(issue["expected"])}`;
    case "too_small":
      return atLeast(issue["minimum"], issue["origin"]);
    case "too_big":
      return atMost(issue["maximum"], issue["origin"]);
    case "invalid_value":
      return `one of: ${listNames((issue["values"] as readonly unknown[]).map(String))}`;
    default:
      return "a value as docs/configuration.md describes it";
  }
}

const EXPECTED: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list: [a, b], or lines that begin with a dash",
  object: "a mapping: { name: value }, or indented lines of name: value",
  record: "a mapping: { name: value }, or indented lines of name: value",
};
const UNITS: Readonly<Record<string, string>> = { string: " characters", array: " entries" };
const atLeast = (minimum: unknown, origin: unknown) => `at least ${minimum}${UNITS[String(origin)] ?? ""}`;
const atMost = (maximum: unknown, origin: unknown) => `at most ${maximum}${UNITS[String(origin)] ?? ""}`;

/** What one issue of the schema means to an operator. No value of the file is repeated, but for a misspelled name. */
export function explain(issue: Issue, reader: Reader): readonly Problem[] {
  const { document } = reader;
  const { path } = issue;
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownSetting([...path, key], reader));
  if (issue.code === "invalid_key") {
    const hint = `give ${issue.issues[0]?.message ?? "another one"}`;
    return [{ path: pathText(path), ...document.nameAt(path), message: "not a valid name", hint }];
  }
  // What is written but could not be read was told when the file was read.
  if (valueAt(document.value, path) === undefined && document.has(path)) return [];
  return [{ path: pathText(path), ...document.valueAt(path), ...explainValue(issue, reader) }];
}

function explainValue(issue: Issue, reader: Reader): Pick<Problem, "message" | "hint"> {
  const { path } = issue;
  const value = valueAt(reader.document.value, path);
  const reference = referenceOf(issue, reader.names);
  if (reference === undefined && speaksForItself(issue)) {
    const hint =
      (issue.code === "custom" ? issue.params?.["hint"] : undefined) ??
      descriptionOf(path, reader) ??
      "docs/configuration.md says what belongs here";
    return { message: issue.message, hint: String(hint) };
  }
  if (!reader.document.has(path)) return { message: "is missing", hint: whatIsMissing(issue, reader, reference) };
  if (reference !== undefined && typeof value !== "string")
    return { message: `${kindOf(value)} where it does not belong`, hint: reference.known };
  if (reference !== undefined && typeof value === "string") return unknownName(value, reference, reader.suggest);
  if (issue.code === "invalid_union") return { message: issue.message, hint: whichBranch(issue, value, reader.suggest) };
  if (issue.code === "invalid_type") {
    const quoted = issue.message === EXPECTED["string"] && typeof value !== "object";
    const cure = `give ${issue.message}`;
    return {
      message: value === null ? "has no value" : `${kindOf(value)} where it does not belong`,
      hint: quoted ? `${cure}, in quotes` : cure,
    };
  }
  if (issue.code === "invalid_value" && typeof value === "string") {
    const near = reader.suggest(value, issue.values.map(String));
    if (near !== undefined) return { message: "not a valid value", hint: `did you mean "${near}"?` };
  }
  return { message: "not a valid value", hint: `give ${issue.message}` };
}

function unknownSetting(path: Path, { document, schema, suggest }: Reader): Problem {
  const parent = path.slice(0, -1);
  const known = settingsAt(schema, document.value, parent);
  const near = suggest(String(path.at(-1)), known);
  const where = document.nameAt(path);
  if (near !== undefined) return { path: pathText(path), ...where, message: "unknown setting", hint: `did you mean "${near}"?` };
  const hint = known.length === 0 ? "there are no settings here: remove it" : `settings here: ${known.join(", ")}`;
  return { path: pathText(parent), ...where, message: "unknown setting", hint };
}

/** A list that a value must be of, and what one of it is called. */
export interface Reference {
  readonly what: string;
  readonly candidates: readonly string[];
  /** What to say when nothing comes near. */
  readonly known: string;
}

function referenceOf(issue: Issue, names: Reader["names"]): Reference | undefined {
  if (issue.code === "custom" && issue.params?.["names"] === "zones") {
    return { what: "time zone", candidates: zoneNames(), known: `give ${issue.message}` };
  }
  if (issue.code === "custom" && issue.params?.["names"] === "providers") return named("provider", names.provider);
  const discriminator =
    issue.code === "invalid_union" ? issue.discriminator : issue.code === "custom" ? issue.params?.["discriminator"] : undefined;
  const [section, , setting] = issue.path;
  if (discriminator === "use" && section === "credentials")
    return setting === "store" ? named("store", names.store) : named("consumer", names.consumer);
  // A plug may have choices of its own further down.
  if (discriminator !== "type" || issue.path.length !== 3) return undefined;
  const candidates = "options" in issue ? (issue.options ?? []).map(String) : [];
  return { what: `type of ${String(section).slice(0, -1)}`, candidates, known: `one of: ${listNames(candidates)}` };
}

/** The list that a name must be of, for what is called `what`. */
export function named(what: string, names: readonly string[]): Reference {
  const candidates = names.filter((name) => shown(name) === name);
  const known =
    names.length === 0 ? `there are no ${what}s: add one under ${what}s` : `${what}s of this file: ${listNames(names.map(shown))}`;
  return { what, candidates, known };
}

/** What is said of a name that is not in the list. */
export function unknownName(value: string, { what, candidates, known }: Reference, suggest: Suggest): Pick<Problem, "message" | "hint"> {
  const near = suggest(value, candidates);
  if (near === undefined) return { message: `no ${what} of this name`, hint: known };
  return { message: `no ${what} "${value}"`, hint: `did you mean "${near}"?` };
}

function whatIsMissing(issue: Issue, reader: Reader, reference: Reference | undefined): string {
  if (reference !== undefined) return reference.known;
  if (issue.code === "invalid_union") return `add ${String(issue.path.at(-1))}: ${issue.message}`;
  return `add ${descriptionOf(issue.path, reader) ?? `${String(issue.path.at(-1))}: ${issue.message}`}`;
}

/** A rule that was put in words says what is wrong; a format only says what would be right. */
function speaksForItself(issue: Issue): boolean {
  if (issue.code === "too_small") return issue.message !== atLeast(issue.minimum, issue.origin);
  if (issue.code === "too_big") return issue.message !== atMost(issue.maximum, issue.origin);
  return issue.code === "custom";
}

function descriptionOf(path: Path, { document, schema }: Reader): string | undefined {
  const description = schemaAt(schema, document.value, path)?.description;
  return description === undefined ? undefined : `${String(path.at(-1))}: ${description}`;
}

/** For a value that is none of several shapes. A literal where a reference to a secret is due is the case that matters. */
function whichBranch(issue: z.core.$ZodIssueInvalidUnion, value: unknown, suggest: Suggest): string {
  const branches = issue.errors.flat();
  const known = new Set(branches.flatMap(({ path }) => (typeof path[0] === "string" ? [path[0]] : [])));
  const given = typeof value === "object" && value !== null ? Object.keys(value) : [];
  const near = given
    .filter((key) => !known.has(key))
    .map((key) => suggest(key, [...known]))
    .find((found) => found !== undefined);
  if (near !== undefined) return `did you mean "${near}"?`;
  if (issue.message.includes("secret") && !given.some((key) => known.has(key))) {
    return "put the value in a file that only rotated can read, and name it: { file: /PATH }, or { credential: NAME } with systemd";
  }
  const own = branches.find(({ path, code }) => typeof path[0] === "string" && given.includes(path[0]) && code !== "unrecognized_keys");
  return own === undefined ? "give exactly one of them" : `${String(own.path[0])}: give ${own.message}`;
}

/** `credentials.prod-openai.consumers[0].use` */
export function pathText(path: Path): string {
  return path.reduce<string>((text, segment) => {
    if (typeof segment === "number") return `${text}[${segment}]`;
    return text === "" ? shown(String(segment)) : `${text}.${shown(String(segment))}`;
  }, "");
}

/** What is no name of ours or of the operator may be a secret, and shows as `?`. */
const shown = (name: string) => (NAME.test(name.toLowerCase()) ? name : "?");

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (at, segment) => (typeof at === "object" && at !== null ? (at as Record<PropertyKey, unknown>)[segment] : undefined),
    value,
  );
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  return { string: "text", number: "a number", boolean: "true or false", object: "a mapping" }[typeof value as string] ?? "something";
}
