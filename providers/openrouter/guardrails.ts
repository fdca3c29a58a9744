import { z } from "zod";
import { afterCreate } from "../../src/contract/after-create.ts";
import { AdapterError, hasCode } from "../../src/contract/errors.ts";
import type { HttpRequest } from "../../src/contract/http.ts";
import { readAll } from "../../src/contract/listing.ts";
import { adminRefusal } from "./refusals.ts";

/** Makes a call of the management API; `path` begins with a slash. */
export type Admin = <Reply>(path: string, request: Omit<HttpRequest<Reply>, "bearer">) => Promise<Reply>;

const PAGE_SIZE = 100;
const assignments = z.looseObject({ data: z.array(z.looseObject({ id: z.string(), key_hash: z.string(), guardrail_id: z.string() })) });
/** How many of the keys were bound: a key that is not would be bounded by nothing. */
const assigned = z.looseObject({ assigned_count: z.literal(1) });

/** The guardrail that bounds what a key may do, of which it has at most one: its row does not show it. */
export async function guardrailOf(admin: Admin, hash: string, signal: AbortSignal): Promise<string | undefined> {
  const action = "openrouter: list guardrails of keys";
  const readPage = async (offset: number) => {
    const path = `/guardrails/assignments/keys?offset=${offset}&limit=${PAGE_SIZE}`;
    const { data } = await admin(path, { action, method: "GET", reply: assignments, refusal: noneOrRefused, signal });
    return { rows: data, isLast: data.length === 0 };
  };
  const rows = await orNone(() => readAll({ action, readPage, idOf: ({ id }) => id }));
  const [guardrail, another] = new Set(rows.filter((row) => row.key_hash === hash).map((row) => row.guardrail_id));
  if (another === undefined) return guardrail;
  throw new AdapterError("malformed", `${action}: the key has several, where the vendor lets it have one`, {
    cure: "leave the old key one guardrail: a new key can be given no more",
  });
}

/** An account, or what stands in the vendor's place, that knows no such list: the key's own row was found at the same address. */
const noneOrRefused: typeof adminRefusal = (status, body) => (status === 404 ? { code: "notFound" } : adminRefusal(status, body));

/** Asked once more before it is believed: a single 404 may be a balancer's, and a key without its guardrail is bounded by nothing. */
async function orNone<Row>(list: () => Promise<readonly Row[]>): Promise<readonly Row[]> {
  for (let asked = 0; asked < 2; asked += 1) {
    try {
      return await list();
    } catch (error) {
      if (!hasCode(error, "notFound")) throw error;
    }
  }
  return [];
}

/**
 * A new key has no guardrail; only a further call gives it that of the key that it replaces. A crash in between leaves a key under
 * its label whose secret nobody has: the engine finds it there and revokes it.
 */
export async function bindTo(admin: Admin, guardrail: string, hash: string, signal: AbortSignal): Promise<void> {
  const request = { action: "openrouter: bind key to guardrail", method: "POST", body: { key_hashes: [hash] }, signal } as const;
  const path = `/guardrails/${encodeURIComponent(guardrail)}/assignments/keys`;
  await afterCreate(() => admin(path, { ...request, reply: assigned }));
}
