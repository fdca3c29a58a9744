import { expect, test } from "vitest";
import { z } from "zod";
import { parseConfig } from "../../src/config/load.ts";
import { defineConsumer } from "../../src/contract/consumer.ts";
import { defineProvider } from "../../src/contract/provider.ts";
import { defineStore } from "../../src/contract/store.ts";
import { GOOD } from "./good.ts";
import { plugs as others } from "./plugs.ts";

function unused(): never {
  throw new Error("a configuration is read without connecting anything");
}

const through = { setting: "inside", type: "gateway" };
const settings = z.strictObject({ inside: z.string().describe("the consumer") });
const inner = defineStore({
  title: "Inner",
  settings,
  through,
  place: z.strictObject({ entry: z.string().describe("the entry") }),
  cell: ({ inside }, { entry }) => `${inside} ${entry}`,
  mirror: unused,
});
const itself = defineProvider({
  title: "Itself",
  apiDocs: "https://example.com/itself",
  supply: "in-place",
  listLagMs: 0,
  settings,
  through,
  describe: () => ({ create: "makes a key", revoke: "deletes it" }),
  connect: unused,
});
const other = defineConsumer({ title: "Other", settings: z.strictObject({}), use: z.strictObject({}), connect: unused });
const plugs = {
  providers: { ...others.providers, itself },
  stores: { ...others.stores, inner },
  consumers: { ...others.consumers, other },
};

/** Plugs that go through the consumer `gateway` of the good configuration. */
const RIGHT = GOOD.replace("stores:", "stores:\n  own: { type: inner, inside: gateway }")
  .replace("consumers:\n", "consumers:\n  beside: { type: other }\n")
  .replace("  acme: {", "  self: { type: itself, inside: gateway }\n  acme: {")
  .replace("    every: 30d\n", "    every: 30d\n    mirrors: [{ use: own, entry: KEY }]\n");

function problems(text: string): readonly string[] {
  try {
    parseConfig(text, "rotated.yaml", plugs);
    return [];
  } catch (error) {
    return (error as Error).message.split("\n").map((line) => line.replace(/^rotated\.yaml:/, ""));
  }
}

test("a plug may go through a consumer of the right type that the credential uses", () => {
  expect(problems(RIGHT)).toEqual([]);
  expect(problems(RIGHT.replace("provider: acme\n", "provider: self\n"))).toEqual([]);
});

test.each([
  {
    name: "a misspelled consumer",
    text: RIGHT.replace("type: inner, inside: gateway", "type: inner, inside: gatway"),
    says: ['5:31: stores.own.inside: no consumer "gatway"', 'hint: did you mean "gateway"?'],
  },
  {
    name: "an unknown one, which is not repeated",
    text: RIGHT.replace("type: itself, inside: gateway", "type: itself, inside: sk-canary-in-the-wrong-place"),
    says: ["2:33: providers.self.inside: no consumer of this name", "hint: consumers of type gateway: gateway"],
  },
  {
    name: "one of another type",
    text: RIGHT.replace("type: inner, inside: gateway", "type: inner, inside: beside"),
    says: ['5:31: stores.own.inside: consumer "beside" is not of type gateway', "hint: consumers of type gateway: gateway"],
  },
  {
    name: "one that the credential of a mirror does not use",
    text: RIGHT.replace("consumers: [{ use: gateway, provider: acme }]", "consumers: [{ use: beside }]"),
    says: [
      '16:15: credentials.prod.mirrors[0]: this mirror goes through consumer "gateway", which the credential does not use',
      "hint: add it to the consumers of prod: { use: gateway, … }",
    ],
  },
  {
    name: "one that the credential of a provider does not use",
    text: RIGHT.replace("provider: acme\n", "provider: self\n")
      .replace("consumers: [{ use: gateway, provider: acme }]", "consumers: [{ use: beside }]")
      .replace("    mirrors: [{ use: own, entry: KEY }]\n", ""),
    says: [
      '12:15: credentials.prod.provider: this provider goes through consumer "gateway", which the credential does not use',
      "hint: add it to the consumers of prod: { use: gateway, … }",
    ],
  },
])("$name is told with its line", ({ text, says }) => {
  expect(problems(text)).toEqual(says);
});
