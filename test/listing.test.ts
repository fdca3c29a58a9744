import { describe, expect, it } from "vitest";
import { type Page, readAll } from "../src/contract/listing.ts";

const SIZE = 3;
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => from + n);

/** A listing of the numbers that `rowsAt` gives for each request, in pages of three. */
function listing(
  rowsAt: (request: number) => readonly number[],
  isLast: (page: readonly number[]) => boolean = (page) => page.length < SIZE,
) {
  let requests = 0;
  const readPage = async (offset: number): Promise<Page<number>> => {
    const rows = rowsAt(requests++).slice(offset, offset + SIZE);
    return { rows, isLast: isLast(rows) };
  };
  const all = readAll({ action: "acme: list keys", readPage, idOf: String });
  return { all, requests: () => requests };
}

describe("a listing that pages by offset", () => {
  it("is read once where it fits a page", async () => {
    const { all, requests } = listing(() => range(0, 2));
    expect([await all, requests()]).toEqual([[0, 1], 1]);
  });

  it("is read once, too, where only an empty page is the last", async () => {
    const { all, requests } = listing(
      () => range(0, 2),
      (page) => page.length === 0,
    );
    expect([await all, requests()]).toEqual([[0, 1], 2]);
  });

  it("is read until two readings agree where it has several pages", async () => {
    const { all, requests } = listing(() => range(0, 5));
    expect([await all, requests()]).toEqual([range(0, 5), 4]);
  });

  it.each([
    ["is deleted, which moves the others up", [range(0, 7), range(1, 7)], range(1, 7)],
    ["is made, which moves the others down", [range(1, 7), range(0, 7)], range(0, 7)],
    ["moves from the second page to the first", [range(0, 6), [4, 0, 1, 2, 3, 5]], range(0, 6)],
    ["moves from the first page to the second", [[4, 0, 1, 2, 3, 5], range(0, 6)], range(0, 6)],
  ])("loses none when one %s between two pages", async (_, [before = [], after = []], expected) => {
    const { all } = listing((request) => (request === 0 ? before : after));
    expect(new Set(await all)).toEqual(new Set(expected));
  });

  it("gives up, soon, when the order changes before each page", async () => {
    const { all, requests } = listing((request) => (request % 2 === 0 ? range(0, 6) : range(0, 6).toReversed()));
    await expect(all).rejects.toMatchObject({ code: "inconclusive", message: expect.stringMatching(/^acme: list keys: 6 readings/) });
    expect(requests()).toBeLessThan(20);
  });

  it("ends at a vendor that shows the first page whatever is asked", async () => {
    let requests = 0;
    const readPage = async () => {
      requests += 1;
      return { rows: range(0, SIZE), isLast: false };
    };
    await expect(readAll({ action: "acme: list keys", readPage, idOf: String })).rejects.toMatchObject({ code: "inconclusive" });
    expect(requests).toBeLessThan(20);
  });
});
