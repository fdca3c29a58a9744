import { AdapterError } from "./errors.ts";

const MAX_READINGS = 6;

/** Rows of a page, and whether no further one is asked for. */
export interface Page<Row> {
  readonly rows: readonly Row[];
  readonly isLast: boolean;
}

/** A listing that pages by offset. */
export interface Listing<Row> {
  /** Who asks what, for messages: `any-llm: list keys`. */
  readonly action: string;
  readPage(offset: number): Promise<Page<Row>>;
  idOf(row: Row): string;
}

/**
 * All rows of a listing, each once. Where pages are counted by offset, a row that is made, deleted or moved between two pages
 * shifts the others: one page misses a row, or a later one shows it twice. What fits one page is one reading of the vendor's
 * database; more is read until two readings in a row are free of repeats and have the same rows. Throws `inconclusive` where that
 * does not come about.
 */
export async function readAll<Row>(listing: Listing<Row>): Promise<readonly Row[]> {
  let before: ReadonlySet<string> | undefined;
  for (let reading = 1; reading <= MAX_READINGS; reading++) {
    const { rows, pages, repeats } = await readOnce(listing);
    if (pages <= 1 && !repeats) return [...rows.values()];
    const ids = repeats ? undefined : new Set(rows.keys());
    if (ids !== undefined && sameMembers(ids, before)) return [...rows.values()];
    before = ids;
  }
  throw new AdapterError("inconclusive", `${listing.action}: ${MAX_READINGS} readings differ, as keys are made or used meanwhile`);
}

interface Reading<Row> {
  readonly rows: ReadonlyMap<string, Row>;
  /** Those with anything in them. */
  readonly pages: number;
  readonly repeats: boolean;
}

async function readOnce<Row>({ readPage, idOf }: Listing<Row>): Promise<Reading<Row>> {
  const rows = new Map<string, Row>();
  let [pages, offset] = [0, 0];
  for (;;) {
    const page = await readPage(offset);
    const known = rows.size;
    for (const row of page.rows) rows.set(idOf(row), row);
    offset += page.rows.length;
    if (page.rows.length > 0) pages += 1;
    const repeats = rows.size < offset;
    // A page without anything new comes from a vendor that does not page as it is said to: it would never end.
    if (page.isLast || page.rows.length === 0 || rows.size === known) return { rows, pages, repeats };
  }
}

function sameMembers(some: ReadonlySet<string>, others: ReadonlySet<string> | undefined): boolean {
  return some.size === others?.size && [...some].every((id) => others.has(id));
}
