import { inspect } from "node:util";
import { expect } from "vitest";
import { AdapterError } from "../../src/contract/errors.ts";

/** The error with which `work` is refused; it holds no secret, however it is looked at. */
export async function refusal(work: Promise<unknown>): Promise<AdapterError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof AdapterError)) throw new Error(`no AdapterError but ${String(error)}`);
  expect(inspect(error, { depth: 10, showHidden: true }) + error.hint).not.toContain("canary");
  return error;
}
