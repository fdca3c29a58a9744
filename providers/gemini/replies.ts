import { createHash } from "node:crypto";
import { z } from "zod";
import type { VendorKey } from "../../src/contract/provider.ts";

/** What a key may be used for; carried over as it is. */
const restrictions = z.looseObject({ apiTargets: z.array(z.looseObject({ service: z.string() })).optional() });

/** Google may add fields at any time: what is not named here is let through. */
export const keyRow = z.looseObject({
  name: z.string().regex(/^projects\/[^/]+\/locations\/global\/keys\/[^/]+$/),
  displayName: z.string().optional(),
  createTime: z.iso.datetime({ offset: true }).transform((at) => new Date(at)),
  deleteTime: z.string().optional(),
  annotations: z.record(z.string(), z.string()).optional(),
  restrictions: restrictions.optional(),
});
export const keyPage = z.looseObject({ keys: z.array(keyRow).default([]), nextPageToken: z.string().optional() });
export const keyString = z.looseObject({ keyString: z.string().min(1) });
/** `name` is empty or missing when the key is purged. */
export const lookedUp = z.looseObject({ name: z.string().optional() });
export const operation = z.looseObject({
  name: z.string(),
  done: z.boolean().optional(),
  error: z.looseObject({ code: z.number().int() }).optional(),
  response: z.unknown().optional(),
});
export type KeyRow = z.output<typeof keyRow>;
export type Operation = z.output<typeof operation>;

/** The last part of a key's name: its id within the project, where it was given one, else its uid. */
export const idOf = (name: string): string => name.slice(name.lastIndexOf("/") + 1);

export function toKey({ name, displayName, createTime }: KeyRow): VendorKey {
  return { id: idOf(name), label: displayName ?? "", createdAt: createTime, enabled: true };
}

const GEMINI = "generativelanguage.googleapis.com";

/** The restrictions and annotations of a new key. Without an API in its restrictions a key would be refused by Gemini, so it gets that one. */
export function rightsOf(like: KeyRow | undefined, label: string) {
  const apiTargets = like?.restrictions?.apiTargets;
  return {
    restrictions: { ...like?.restrictions, apiTargets: apiTargets?.length ? apiTargets : [{ service: GEMINI }] },
    annotations: { ...like?.annotations, "rotated-label": label },
  };
}

const KEY_ID = /^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** The id that a key called `label` is created under: the label itself where Google takes it, else what it takes of it with a hash. */
export function keyIdFor(label: string): string {
  if (KEY_ID.test(label)) return label;
  const hash = createHash("sha256").update(label).digest("hex").slice(0, 12);
  const rest = label.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  return `${/^[a-z]/.test(rest) ? rest.slice(0, 50) : `k-${rest}`.slice(0, 50)}-${hash}`;
}
