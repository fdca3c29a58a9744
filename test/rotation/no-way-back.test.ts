import { expect, test } from "vitest";
import { retreat } from "../../src/rotation/way-back.ts";
import { key, memoryContext, NOW, scene } from "./memory-context.ts";

const FORBIDDEN = { code: "forbidden", text: "openai: create key: status 403", hint: "look at its scopes" };

test("where no key served before, a person is not told that one is no longer good", async () => {
  const { context } = memoryContext(scene({ target: undefined }));
  const first = await retreat({ ...context, old: undefined }, "impossible", FORBIDDEN);
  expect(first).toMatchObject({
    go: "stuck",
    problem: { hint: expect.stringContaining("look at its scopes; no key served before, so there") },
  });
  const off = { ...context, old: key(1, { stage: "retiring", disabledAt: NOW }) };
  const later = await retreat(off, "impossible", FORBIDDEN);
  expect(later).toMatchObject({ go: "stuck", problem: { hint: expect.stringContaining("the old key is no longer good, so there") } });
});
