import { expect, test } from "vitest";
import { keyInfo } from "../../providers/litellm/replies.ts";
import { rightsOf } from "../../providers/litellm/rights.ts";
import { settings } from "../../providers/litellm/settings.ts";

const plain = settings.parse({ baseUrl: "https://llm.example.org", adminKey: { credential: "master" } });
const NOW = Date.parse("2026-11-26T12:00:00Z");

test.each([
  ["a life", "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z", "86400s"],
  ["no life at all", "2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z", "1s"],
  ["an end before its begin", "2026-11-01T00:00:00Z", "2026-10-01T00:00:00Z", "1s"],
  ["an end at this moment, and no begin", null, "2026-11-26T12:00:00Z", "1s"],
  ["no end", "2026-11-01T00:00:00Z", null, undefined],
])("the successor of a key with %s gets no more", (_, created_at, expires, duration) => {
  const { info } = keyInfo.parse({ info: { created_at, expires } });
  expect(rightsOf(plain, info, NOW)["duration"]).toBe(duration);
});
