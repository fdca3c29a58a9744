import { z } from "zod";
import type { Path } from "./document.ts";

/** The schema of the setting at `path`; where it hangs on a `type` or `use`, of what `value` has there. */
export function schemaAt(schema: z.ZodType, value: unknown, path: Path): z.ZodType | undefined {
  let [at, here]: [z.ZodType | undefined, unknown] = [schema, value];
  for (const segment of path) {
    at = child(bare(at, here), segment);
    here = typeof here === "object" && here !== null ? (here as Record<PropertyKey, unknown>)[segment] : undefined;
    if (at === undefined) return undefined;
  }
  return at;
}

/** The settings that an object at `path` may have. */
export function settingsAt(schema: z.ZodType, value: unknown, path: Path): readonly string[] {
  const here = path.reduce<unknown>((at, segment) => (at as Record<PropertyKey, unknown> | undefined)?.[segment], value);
  const object = bare(schemaAt(schema, value, path), here);
  return object instanceof z.ZodObject ? Object.keys(object.shape) : [];
}

/** Takes off what only says how a value is defaulted or transformed. */
function unwrap(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodPrefault || schema instanceof z.ZodDefault)
    return unwrap(schema.unwrap() as z.ZodType);
  if (schema instanceof z.ZodPipe) return unwrap(schema.in as z.ZodType);
  return schema;
}

function bare(schema: z.ZodType | undefined, value: unknown): z.ZodType | undefined {
  if (schema === undefined) return undefined;
  const unwrapped = unwrap(schema);
  if (!(unwrapped instanceof z.ZodDiscriminatedUnion)) return unwrapped;
  const { discriminator } = unwrapped.def;
  const wanted = (value as Readonly<Record<string, unknown>> | undefined)?.[discriminator];
  return (unwrapped.options as readonly z.ZodObject[]).find(({ shape }) => {
    const literal = shape[discriminator];
    return literal instanceof z.ZodLiteral && literal.values.has(wanted as string);
  });
}

function child(schema: z.ZodType | undefined, segment: PropertyKey): z.ZodType | undefined {
  if (schema instanceof z.ZodObject) return schema.shape[String(segment)] as z.ZodType | undefined;
  if (schema instanceof z.ZodRecord) return schema.valueType as z.ZodType;
  return schema instanceof z.ZodArray ? (schema.element as z.ZodType) : undefined;
}
