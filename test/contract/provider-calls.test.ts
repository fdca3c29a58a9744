import { describe, expect, it } from "vitest";
import { AdapterError } from "../../src/contract/errors.ts";
import type { Fault } from "../fakes/faults.ts";
import { casesOf, everyWord, openCase, type ProviderCase, signal, startVendors } from "./provider-cases.ts";

/** Every status and accident of a call, and the code that it must give. */
const FAULTS = {
  "400": { fault: { do: "reply", status: 400 }, code: /^(invalid|undeletable)$/ },
  // A conflict with another change passes; with what stands there it does not.
  "409": { fault: { do: "reply", status: 409 }, code: /^(invalid|inconclusive)$/ },
  "429": { fault: { do: "rateLimit", retryAfter: "7" }, code: /^rateLimited$/ },
  "500": { fault: { do: "reply", status: 500 }, code: /^unavailable$/ },
  "503 in HTML": { fault: { do: "html", status: 503 }, code: /^unavailable$/ },
  "200 in HTML": { fault: { do: "html" }, code: /^malformed$/ },
  "400 in HTML": { fault: { do: "html", status: 400 }, code: /^malformed$/ },
  "302": { fault: { do: "reply", status: 302, headers: { location: "http://127.0.0.1:9/" } }, code: /^malformed$/ },
  "a closed connection": { fault: { do: "dropBefore" }, code: /^unavailable$/ },
} as const satisfies Record<string, { fault: Fault; code: RegExp }>;

const vendors = await startVendors();

describe.each(casesOf(vendors, ["create", "intake", "dual-slot"]))("provider $title", (one: ProviderCase) => {
  const { vendor } = one;
  const open = openCase(one);

  describe("every method", () => {
    it.each(Object.entries(FAULTS))("gives its code for %s, and does not retry", async (name, { fault, code }) => {
      for (const [method, call] of Object.entries(await open.everyCall())) {
        vendor.addFault({ fault });
        const error = await open.failure(call(signal));
        expect(error, method).toBeInstanceOf(AdapterError);
        expect(error, method).toMatchObject({ code: expect.stringMatching(code) });
        if (fault.do === "rateLimit") expect(error).toMatchObject({ retryAfterMs: 7000 });
        // Some vendors say 400 of a key that is gone already: then it is looked at.
        const most = method === "revoke" && name === "400" ? 2 : 1;
        expect(vendor.requests(), method).toBeLessThanOrEqual(most);
        vendor.reset();
      }
    });

    it("blocks until the vendor has answered", async () => {
      for (const [method, call] of Object.entries(await open.everyCall())) {
        vendor.addFault({ fault: { do: "delay", ms: 60 }, times: 1 });
        const from = performance.now();
        await call(signal);
        expect(performance.now() - from, method).toBeGreaterThan(55);
      }
    });

    it("ends with the reason of an abort, and soon", async () => {
      for (const [method, call] of Object.entries(await open.everyCall())) {
        vendor.addFault({ fault: { do: "hang" }, times: 1 });
        const stop = new AbortController();
        const pending = open.failure(call(stop.signal));
        await expect.poll(() => vendor.requests(), { interval: 2 }).toBeGreaterThan(0);
        const reason = new Error("shutting down");
        stop.abort(reason);
        expect(await pending, method).toBe(reason);
        vendor.reset();
      }
    });

    it("says timeout when the abort is a deadline", async () => {
      for (const [method, call] of Object.entries(await open.everyCall())) {
        // Every request: one of the call before may come in late, and would use a single one up.
        vendor.addFault({ fault: { do: "hang" } });
        expect(await open.failure(call(open.world.clock.deadline(40))), method).toMatchObject({ code: "timeout", answered: false });
        vendor.reset();
      }
    });

    it("sends nothing once it was aborted", async () => {
      for (const [method, call] of Object.entries(await open.everyCall())) {
        expect(await open.failure(call(AbortSignal.abort("no more"))), method).toBe("no more");
        expect(vendor.requests(), method).toBe(0);
      }
    });
  });

  it("leaves no secret in an error or a log line", () => {
    expect(open.errors.length).toBeGreaterThan(20);
    for (const error of open.errors) expect(everyWord(error)).not.toContain("canary");
    expect(open.world.logged.length).toBeGreaterThan(20);
    expect(open.world.logged.join("\n")).not.toContain("canary");
  });
});
