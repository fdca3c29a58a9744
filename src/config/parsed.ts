import type { z } from "zod";
import type { fileSchema } from "./schema.ts";

/** The file as the schema gives it back: defaults filled in, units worked out. */
export type Parsed = z.output<ReturnType<typeof fileSchema>>;
export type ParsedCredential = Parsed["credentials"][string];
/** What is needed for the checks; entries that are wrong in themselves are left out. */
export type Parts = Pick<Parsed, "providers" | "stores" | "consumers" | "credentials" | "network" | "timing">;
