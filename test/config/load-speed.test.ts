import { expect, test } from "vitest";
import { ConfigError } from "../../src/config/error.ts";
import { parseConfig } from "../../src/config/load.ts";
import { GOOD } from "./good.ts";
import { plugs } from "./plugs.ts";

/** Quadratic work on this many takes minutes; the machine may be ten times slower than usual. */
const MANY = 10_000;

const more = Array.from({ length: MANY - 1 }, (_, index) => {
  return `  c${index}: { provider: acme, store: { use: local, path: /keys/${index} }, consumers: [{ use: gateway, provider: acme }], every: 30d }\n`;
});

test("ten thousand credentials are read in seconds", { timeout: 120_000 }, () => {
  expect(Object.keys(parseConfig(GOOD + more.join(""), "rotated.yaml", plugs).credentials)).toHaveLength(MANY);
});

test("ten thousand mistakes are told in seconds", { timeout: 120_000 }, () => {
  const text = GOOD + more.join("").replaceAll("provider: acme, store", "provider: acne, store");
  expect(() => parseConfig(text, "rotated.yaml", plugs)).toThrow(ConfigError);
});
