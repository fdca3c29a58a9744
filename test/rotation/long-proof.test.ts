import { expect, test } from "vitest";
import { AdapterError } from "../../src/contract/errors.ts";
import { Secret } from "../../src/contract/secret.ts";
import { proveAll } from "../../src/rotation/evidence.ts";
import { memoryContext, scene } from "./memory-context.ts";

/** What a proof answers that a deadline ends after `elapsedMs`. */
async function failure(elapsedMs: number): Promise<unknown> {
  const { context } = memoryContext(scene({}));
  const [plug] = context.consumers;
  if (plug === undefined || context.target === undefined) throw new Error("the scene has a consumer and a target");
  let now = 0;
  const prove = async () => {
    now += elapsedMs;
    throw new AdapterError("timeout", "gateway: models.probe: no answer in time");
  };
  const late = {
    ...context,
    clock: { ...context.clock, monotonic: () => now },
    consumers: [{ ...plug, consumer: { ...plug.consumer, prove } }],
  };
  return proveAll(late, context.target, new Secret("sk-canary-new")).catch((error: unknown) => error);
}

test("a proof whose time ran out as a whole says which setting is too short; one call that did not answer does not", async () => {
  const { context } = memoryContext(scene({}));
  const { proveTimeoutMs } = context.timing;
  const whole = { code: "timeout", hint: expect.stringContaining("raise timing.proveTimeout") };
  expect(await failure(proveTimeoutMs)).toMatchObject(whole);
  expect(await failure(proveTimeoutMs - 1)).toMatchObject({ code: "timeout", hint: "no answer came in time" });
});
