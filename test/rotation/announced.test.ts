import { generateKeySync } from "node:crypto";
import { expect, test } from "vitest";
import type { Config, CredentialConfig } from "../../src/config/config.ts";
import { makeCredentialContext } from "../../src/rotation/make-context.ts";
import type { Plugs } from "../../src/rotation/parts.ts";
import { realClock } from "../../src/world/clock.ts";
import { memoryLedger, NOW, startRotation } from "../state/fixture.ts";

const CALL_TIMEOUT_MS = 1000;

test.each([
  { stagesFirst: false, callsLong: 2 },
  { stagesFirst: true, callsLong: 3 },
])("a create call is open for as long again as we wait for all of it: $callsLong times a call's time-out", async (asked) => {
  const { ledger } = memoryLedger();
  const { rotation } = startRotation(ledger);
  const plugs = { provider: () => ({ name: "openai", listLagMs: 0 }), store: () => ({}), mirrors: () => [] } as unknown as Plugs;
  const parts = {
    ledger,
    clock: { ...realClock, now: () => NOW },
    config: () => ({ timing: { callTimeoutMs: CALL_TIMEOUT_MS } }) as Config,
    plugs: () => plugs,
    fingerprintKey: generateKeySync("hmac", { length: 256 }),
  };
  const { signal } = new AbortController();
  const credential = { name: "main", provider: "openai" } as CredentialConfig;
  const { context } = makeCredentialContext(parts, credential, signal, undefined, rotation);
  await context.announce({ kind: "create", label: "label", listed: [], listedAt: NOW, stagesFirst: asked.stagesFirst });
  expect(ledger.keys.openUntil("main", NOW)).toBe(NOW + asked.callsLong * CALL_TIMEOUT_MS);
});
