import { z } from "zod";
import { duration, secretRef } from "../../src/contract/settings.ts";

/** As much of JSON Schema as zod writes for a configuration. */
export interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
}

export function schemaOf(settings: z.ZodType): Schema {
  // A default that stands behind a transformation is no input to JSON Schema, but it is what a person would write.
  return z.toJSONSchema(settings, {
    io: "input",
    override: ({ zodSchema, jsonSchema }) => {
      const own = zodSchema._zod.def;
      if (own.type === "default" && "defaultValue" in own && typeof own.defaultValue === "string") jsonSchema.default = own.defaultValue;
    },
  }) as Schema;
}

const DURATION = schemaOf(duration()).pattern;
const SECRET = JSON.stringify(schemaOf(secretRef()).anyOf);

/** One line of a table of settings. */
interface Row {
  readonly path: string;
  readonly schema: Schema;
  readonly required: boolean;
}

/** A table of the settings of `schema`, those inside of others too, in the order of the schema. */
export function settingsTable(schema: Schema, leaveOut: readonly string[] = []): string {
  const rows = rowsOf(schema, "").filter(({ path }) => !leaveOut.some((out) => path === out || path.startsWith(`${out}.`)));
  if (rows.length === 0) return "No settings.";
  return table(
    ["Setting", "Type", "Default", "Meaning"],
    rows.map(({ path, schema: own, required }) => [`\`${path}\``, typeOf(own), defaultOf(own, required), own.description ?? ""]),
  );
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function rowsOf(schema: Schema, prefix: string): readonly Row[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, own]) => {
    const path = `${prefix}${name}`;
    const row = { path, schema: own, required: schema.required?.includes(name) === true };
    return [row, ...rowsOf(own, `${path}.`)];
  });
}

function defaultOf({ default: value, properties }: Schema, required: boolean): string {
  if (required) return "required";
  // The defaults of what is inside say more.
  if (value === undefined || (properties !== undefined && JSON.stringify(value) === "{}")) return "–";
  if (Array.isArray(value)) return `\`[${value.join(", ")}]\``;
  return `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;
}

function typeOf(schema: Schema): string {
  const { type, const: literal, enum: values, pattern, items, anyOf, oneOf, additionalProperties } = schema;
  const choices = anyOf ?? oneOf;
  if (choices !== undefined) return JSON.stringify(choices) === SECRET ? "secret" : [...new Set(choices.map(typeOf))].join(" or ");
  if (literal !== undefined) return `\`${literal}\``;
  if (values !== undefined) return values.map((value) => `\`${value}\``).join(" or ");
  if (pattern !== undefined && pattern === DURATION) return "duration";
  if (type === "array") return items === undefined || Object.keys(items).length === 0 ? "list" : `list of ${typeOf(items)}`;
  if (type === "object")
    return typeof additionalProperties === "object"
      ? "mapping by name"
      : schema.properties
        ? `\`{ ${Object.keys(schema.properties).join(", ")} }\``
        : "mapping";
  return { string: "text", integer: "whole number", number: "number", boolean: "true or false" }[type ?? ""] ?? "any";
}
