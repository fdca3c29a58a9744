import { AdapterError } from "../../src/contract/errors.ts";
import type { KeyRow } from "./replies.ts";

/** Rows of a page: few enough for an answer of bounded size even where keys carry much metadata. */
const PAGE_SIZE = 200;
const MAX_READINGS = 6;

/** Asks for one page. */
export type ReadPage = (query: { readonly skip: number; readonly limit: number }) => Promise<readonly KeyRow[]>;

/**
 * All keys, each once. The gateway pages without an order: on Postgres a key that is used between two pages moves, so that one page
 * misses it or a later one shows it twice. What fits one page is one reading of the database; more is read until two readings in a
 * row are free of repeats and have the same keys. Throws `inconclusive` where that does not come about.
 */
export async function readAll(readPage: ReadPage): Promise<readonly KeyRow[]> {
  let before: ReadonlySet<string> | undefined;
  for (let reading = 1; reading <= MAX_READINGS; reading++) {
    const { rows, pages } = await readOnce(readPage);
    const byId = new Map(rows.map((row) => [row.id, row]));
    if (pages === 1) return [...byId.values()];
    const ids = byId.size === rows.length ? new Set(byId.keys()) : undefined;
    if (ids !== undefined && sameMembers(ids, before)) return [...byId.values()];
    before = ids;
  }
  throw new AdapterError("inconclusive", `any-llm: list keys: ${MAX_READINGS} readings differ, as keys are made or used meanwhile`);
}

async function readOnce(readPage: ReadPage): Promise<{ readonly rows: readonly KeyRow[]; readonly pages: number }> {
  const rows: KeyRow[] = [];
  for (let pages = 1; ; pages++) {
    const page = await readPage({ skip: rows.length, limit: PAGE_SIZE });
    if (page.length > PAGE_SIZE) throw new AdapterError("malformed", "any-llm: list keys: a page that is longer than asked for");
    rows.push(...page);
    if (page.length < PAGE_SIZE) return { rows, pages };
  }
}

function sameMembers(some: ReadonlySet<string>, others: ReadonlySet<string> | undefined): boolean {
  return some.size === others?.size && [...some].every((id) => others.has(id));
}
