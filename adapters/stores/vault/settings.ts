import { z } from "zod";
import { path, server } from "../../vault/settings.ts";

/** Settings of one server, as one identity. */
export const settings = z.strictObject({
  ...server,
  mount: path().default("secret").describe("where the KV engine, version 2, is mounted"),
  keep: path().default("rotated").describe("the path below which other versions are kept; no consumer's policy may cover it"),
});

export const place = z.strictObject({
  path: path().describe("the path of the document below the mount"),
  field: z.string().min(1).max(256).describe("the name of the field, a string at the top of the document; the other fields are left alone"),
});

export type Settings = z.output<typeof settings>;
export type Place = z.output<typeof place>;
