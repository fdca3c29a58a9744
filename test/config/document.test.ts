import { expect, test } from "vitest";
import { readDocument } from "../../src/config/document.ts";

test("values and names are found where they stand, through aliases, too", () => {
  const document = readDocument("a: &x\n  b: [1, 2]\nc: *x\nd:\n");
  expect(document.value).toEqual({ a: { b: [1, 2] }, c: { b: [1, 2] }, d: null });
  expect(document.valueAt(["a", "b", 1])).toEqual({ line: 2, column: 10 });
  expect(document.valueAt(["c", "b", 1])).toEqual({ line: 2, column: 10 });
  expect(document.nameAt(["c"])).toEqual({ line: 3, column: 1 });
  expect(document.valueAt(["d"])).toEqual({ line: 4, column: 1 });
  expect(document.valueAt(["a", "none", "below"])).toEqual({ line: 1, column: 1 });
  expect([document.has(["d"]), document.has(["e"]), document.has(["a", "b", 2])]).toEqual([true, false, false]);
});

test("text that other YAML versions read as something else stays text", () => {
  const text = "a: yes\nb: off\nc: 02:00\nd: 1_000\ne: 2026-01-01\nf: 0600\n";
  expect(readDocument(text).value).toEqual({ a: "yes", b: "off", c: "02:00", d: "1_000", e: "2026-01-01", f: 600 });
});

test("a few lines of aliases that stand for billions of values are refused at once", () => {
  const levels = Array.from({ length: 12 }, (_, level) => `l${level + 1}: &l${level + 1} [${Array(10).fill(`*l${level}`).join(", ")}]`);
  const { problems } = readDocument(`l0: &l0 [1, 2]\n${levels.join("\n")}\n`);
  expect(problems.map(({ line, message }) => `${line}: ${message}`)).toContain("7: aliases stand for too many values");
});

test("an alias of a few settings may be used thousands of times", () => {
  const uses = Array.from({ length: 10_000 }, (_, index) => `c${index}: *night`);
  const { problems, value } = readDocument(`night: &night { from: "02:00" }\n${uses.join("\n")}\n`);
  expect(problems).toEqual([]);
  expect((value as Record<string, unknown>)["c9999"]).toEqual({ from: "02:00" });
});

test("very deep nesting is a problem, not a crash", () => {
  const { problems } = readDocument("[".repeat(100_000));
  expect(problems[0]).toMatchObject({ message: "too deeply nested" });
});

test("a message of the parser never quotes the file", () => {
  const texts = [
    'a: "sk-canary',
    "a: *sk-canary",
    "a: !sk-canary b",
    "a: [sk-canary",
    "a: @sk-canary",
    '"sk-canary\\q": 1',
    "%sk-canary\n---\na: 1",
    "sk-canary: a: b",
    "a: &sk-canary",
  ];
  for (const text of texts) expect(JSON.stringify(readDocument(text).problems)).not.toContain("sk-canary");
});
