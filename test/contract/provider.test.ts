import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { z } from "zod";
import { PROVIDERS, type ProviderName } from "../../providers/index.ts";
import { AdapterError } from "../../src/contract/errors.ts";
import type { Provider, ProviderDefinition } from "../../src/contract/provider.ts";
import { Secret } from "../../src/contract/secret.ts";
import type { Fault } from "../fakes/faults.ts";
import { FAKE_VENDORS, type FakeVendor } from "../fakes/index.ts";
import { type TestWorld, testWorld } from "../support/world.ts";

const signal = new AbortController().signal;
let labels = 0;
const newLabel = () => `rotated-test-${++labels}${Date.now().toString(36)}`;

/** Every status and accident of a call, and the code that it must give. */
const FAULTS = {
  "400": { fault: { do: "reply", status: 400 }, code: /^(invalid|undeletable)$/ },
  "409": { fault: { do: "reply", status: 409 }, code: /^invalid$/ },
  "429": { fault: { do: "rateLimit", retryAfter: "7" }, code: /^rateLimited$/ },
  "500": { fault: { do: "reply", status: 500 }, code: /^unavailable$/ },
  "503 in HTML": { fault: { do: "html", status: 503 }, code: /^unavailable$/ },
  "200 in HTML": { fault: { do: "html" }, code: /^malformed$/ },
  "400 in HTML": { fault: { do: "html", status: 400 }, code: /^malformed$/ },
  "302": { fault: { do: "reply", status: 302, headers: { location: "http://127.0.0.1:9/" } }, code: /^malformed$/ },
  "a closed connection": { fault: { do: "dropBefore" }, code: /^unavailable$/ },
} as const satisfies Record<string, { fault: Fault; code: RegExp }>;

const vendors = await Promise.all(
  (Object.keys(PROVIDERS) as ProviderName[]).map(async (name) => ({
    name,
    vendor: await FAKE_VENDORS[name](),
    definition: PROVIDERS[name],
  })),
);
const cases = vendors.flatMap(({ name, vendor, definition }) =>
  Object.entries(vendor.variants).map(([variant, settings]) => ({ title: `${name}, ${variant}`, vendor, definition, settings })),
);

afterAll(async () => {
  await Promise.all(vendors.map(({ vendor }) => vendor.close()));
});

describe.each(cases)(
  "provider $title",
  ({ vendor, definition, settings }: { vendor: FakeVendor; definition: ProviderDefinition; settings: object }) => {
    let world: TestWorld;
    let provider: Provider;
    const errors: unknown[] = [];

    beforeAll(async () => {
      world = await testWorld({ secrets: vendor.secrets });
      provider = definition.connect(definition.settings.parse(settings), world);
    });
    afterEach(() => vendor.reset());
    afterAll(() => world.close());

    const find = async (id: string) => (await provider.list(signal)).find((key) => key.id === id);

    /** The error of a call; kept, so that the last test can search all of them. */
    async function failure(call: Promise<unknown>): Promise<unknown> {
      const error = await call.then(
        (value) => new Error(`answered ${JSON.stringify(value)}`),
        (reason: unknown) => reason,
      );
      errors.push(error);
      return error;
    }

    /** Each method as a call that has something to do. */
    async function everyCall(): Promise<Record<string, (signal: AbortSignal) => Promise<unknown>>> {
      const key = await provider.create({ label: newLabel() }, signal);
      vendor.reset();
      return {
        create: (stop) => provider.create({ label: newLabel() }, stop),
        list: (stop) => provider.list(stop),
        identify: (stop) => provider.identify(key.secret, stop),
        verify: (stop) => provider.verify(key.secret, stop),
        revoke: (stop) => provider.revoke(key.id, stop),
        ...(provider.setEnabled && { setEnabled: (stop: AbortSignal) => provider.setEnabled?.(key.id, false, stop) ?? Promise.reject() }),
      };
    }

    describe("create", () => {
      it("makes a key that is listed under its label and does its work", async () => {
        const label = newLabel();
        const key = await provider.create({ label }, signal);
        expect(key).toMatchObject({ label, enabled: true });
        expect((await provider.list(signal)).filter((row) => row.label === label).map((row) => row.id)).toEqual([key.id]);
        expect(await provider.verify(key.secret, signal)).toBe("accepted");
      });

      it("takes a key to be like", async () => {
        const first = await provider.create({ label: newLabel() }, signal);
        const like = await find(first.id);
        const second = await provider.create({ label: newLabel(), ...(like && { like }) }, signal);
        expect(await provider.verify(second.secret, signal)).toBe("accepted");
      });

      it("leaves a key under its label when the reply is lost, and says that the call is open", async () => {
        const label = newLabel();
        vendor.addFault({ fault: { do: "loseReply" }, times: 1 });
        const error = await failure(provider.create({ label }, signal));
        expect(error).toBeInstanceOf(AdapterError);
        expect(error).toMatchObject({ answered: false });
        expect((await provider.list(signal)).filter((row) => row.label === label)).toHaveLength(1);
      });

      it("makes nothing, and says so, when the vendor refuses", async () => {
        const before = vendor.liveKeys();
        vendor.addFault({ fault: { do: "reply", status: 400 }, times: 1 });
        expect(await failure(provider.create({ label: newLabel() }, signal))).toMatchObject({ code: "invalid", answered: true });
        expect(vendor.liveKeys()).toEqual(before);
      });
    });

    describe("list", () => {
      it("gives every live key, ours or not, through all pages", async () => {
        vendor.addStrangers(230);
        const ours = await provider.create({ label: newLabel() }, signal);
        const ids = (await provider.list(signal)).map((key) => key.id);
        expect(ids).toContain(ours.id);
        expect(new Set(ids)).toEqual(new Set(vendor.liveKeys()));
        expect(ids).toHaveLength(new Set(ids).size);
      });

      it("never carries a secret", async () => {
        const { id, secret } = await provider.create({ label: newLabel() }, signal);
        const text = JSON.stringify(await provider.list(signal));
        expect(text).toContain(id);
        expect(text).not.toContain(secret.reveal());
        expect(text).not.toContain("canary");
      });

      it("tells when a key was made, and when it was last used where the vendor knows", async () => {
        const from = Date.now();
        const key = await provider.create({ label: newLabel() }, signal);
        const unused = await find(key.id);
        expect(unused?.createdAt.getTime()).toBeGreaterThan(from - 2000);
        expect(unused?.createdAt.getTime()).toBeLessThanOrEqual(Date.now());
        expect(unused?.enabled).toBe(true);
        if (definition.lastUsed === undefined) return expect(unused).not.toHaveProperty("lastUsedAt");
        expect(unused?.lastUsedAt).toBeNull();
        await provider.verify(key.secret, signal);
        const used = (await find(key.id))?.lastUsedAt?.getTime() ?? 0;
        expect(used).toBeGreaterThan(from - definition.lastUsed.precisionMs);
      });
    });

    describe("identify", () => {
      it("finds the key of a secret", async () => {
        const key = await provider.create({ label: newLabel() }, signal);
        expect((await provider.identify(key.secret, signal))?.id).toBe(key.id);
      });

      it("is not certain of a secret that the vendor does not know", async () => {
        expect(await provider.identify(new Secret("sk-canary-nobody-made-this-one-0000"), signal)).toBeUndefined();
      });
    });

    describe("verify", () => {
      it("says refused of a secret that was never there, and of a revoked one", async () => {
        const key = await provider.create({ label: newLabel() }, signal);
        await provider.revoke(key.id, signal);
        expect(await provider.verify(key.secret, signal)).toBe("refused");
        expect(await provider.verify(new Secret("sk-canary-nobody-made-this-one-0000"), signal)).toBe("refused");
      });

      it("says limited of a key that is known but may not", async () => {
        const key = await provider.create({ label: newLabel() }, signal);
        vendor.exhaust(key.id);
        expect(await provider.verify(key.secret, signal)).toBe("limited");
      });

      it("takes no outage, limit or bare refusal for an answer", async () => {
        const { secret } = await provider.create({ label: newLabel() }, signal);
        for (const status of [401, 403, 429, 500, 502, 503]) {
          vendor.addFault({ fault: { do: "html", status }, times: 1 });
          expect(await failure(provider.verify(secret, signal)), `status ${status}`).toBeInstanceOf(AdapterError);
          vendor.addFault({ fault: { do: "reply", status, body: {} }, times: 1 });
          expect(await failure(provider.verify(secret, signal)), `status ${status}`).toBeInstanceOf(AdapterError);
        }
      });

      it("uses a connection of its own", async () => {
        const { secret } = await provider.create({ label: newLabel() }, signal);
        const before = vendor.connections();
        for (let n = 1; n <= 3; n++) {
          await provider.verify(secret, signal);
          expect(vendor.connections()).toBe(before + n);
        }
      });
    });

    describe("revoke", () => {
      it("kills the key and no other", async () => {
        const [old, next] = [await provider.create({ label: newLabel() }, signal), await provider.create({ label: newLabel() }, signal)];
        const others = vendor.liveKeys().filter((id) => id !== old.id);
        await provider.revoke(old.id, signal);
        expect(vendor.liveKeys()).toEqual(others);
        expect(await find(old.id)).toBeUndefined();
        expect(await vendor.use(old.secret.reveal())).toBe(401);
        expect(await provider.verify(next.secret, signal)).toBe("accepted");
      });

      it("resolves when the key is already gone", async () => {
        const key = await provider.create({ label: newLabel() }, signal);
        await provider.revoke(key.id, signal);
        await provider.revoke(key.id, signal);
        await provider.revoke("key_neverwas", signal);
      });

      it("may be done again after a lost reply", async () => {
        const key = await provider.create({ label: newLabel() }, signal);
        vendor.addFault({ method: "DELETE", fault: { do: "loseReply" }, times: 1 });
        expect(await failure(provider.revoke(key.id, signal))).toMatchObject({ answered: false });
        await provider.revoke(key.id, signal);
        expect(vendor.liveKeys()).not.toContain(key.id);
      });
    });

    it("switches a key off and on again, where the vendor can", async () => {
      const key = await provider.create({ label: newLabel() }, signal);
      if (provider.setEnabled === undefined) return expect(Object.keys(provider)).not.toContain("setEnabled");
      await provider.setEnabled(key.id, false, signal);
      expect((await find(key.id))?.enabled).toBe(false);
      await provider.setEnabled(key.id, true, signal);
      expect(await provider.verify(key.secret, signal)).toBe("accepted");
    });

    describe("every method", () => {
      it.each(Object.entries(FAULTS))("gives its code for %s, and does not retry", async (_, { fault, code }) => {
        for (const [method, call] of Object.entries(await everyCall())) {
          vendor.addFault({ fault });
          const error = await failure(call(signal));
          expect(error, method).toBeInstanceOf(AdapterError);
          expect(error, method).toMatchObject({ code: expect.stringMatching(code) });
          if (fault.do === "rateLimit") expect(error).toMatchObject({ retryAfterMs: 7000 });
          expect(vendor.requests(), method).toBe(1);
          vendor.reset();
        }
      });

      it("blocks until the vendor has answered", async () => {
        for (const [method, call] of Object.entries(await everyCall())) {
          vendor.addFault({ fault: { do: "delay", ms: 60 }, times: 1 });
          const from = performance.now();
          await call(signal);
          expect(performance.now() - from, method).toBeGreaterThan(55);
        }
      });

      it("ends with the reason of an abort, and soon", async () => {
        for (const [method, call] of Object.entries(await everyCall())) {
          vendor.addFault({ fault: { do: "hang" }, times: 1 });
          const stop = new AbortController();
          const pending = failure(call(stop.signal));
          await expect.poll(() => vendor.requests(), { interval: 2 }).toBeGreaterThan(0);
          const reason = new Error("shutting down");
          stop.abort(reason);
          expect(await pending, method).toBe(reason);
          vendor.reset();
        }
      });

      it("says timeout when the abort is a deadline", async () => {
        for (const [method, call] of Object.entries(await everyCall())) {
          vendor.addFault({ fault: { do: "hang" }, times: 1 });
          expect(await failure(call(world.clock.deadline(40))), method).toMatchObject({ code: "timeout", answered: false });
          vendor.reset();
        }
      });

      it("sends nothing once it was aborted", async () => {
        for (const [method, call] of Object.entries(await everyCall())) {
          expect(await failure(call(AbortSignal.abort("no more"))), method).toBe("no more");
          expect(vendor.requests(), method).toBe(0);
        }
      });
    });

    it("preflight finds nothing in a good set-up, and changes nothing", async () => {
      const before = vendor.liveKeys();
      expect((await provider.preflight?.(signal)) ?? []).toEqual([]);
      expect(vendor.liveKeys()).toEqual(before);
    });

    it("leaves no secret in an error or a log line", () => {
      expect(errors.length).toBeGreaterThan(20);
      for (const error of errors) expect(everyWord(error)).not.toContain("canary");
      expect(world.logged.length).toBeGreaterThan(20);
      expect(world.logged.join("\n")).not.toContain("canary");
    });
  },
);

describe.each(vendors)("definition of $name", ({ definition, vendor }: { definition: ProviderDefinition; vendor: FakeVendor }) => {
  const [good = {}] = Object.values(vendor.variants);

  it("refuses an unknown setting", () => {
    expect(definition.settings.safeParse(good).success).toBe(true);
    expect(definition.settings.safeParse({ ...good, colour: "red" }).success).toBe(false);
  });

  it("describes every setting", () => {
    for (const [name, field] of Object.entries(definition.settings.shape)) expect((field as z.ZodType).description, name).toMatch(/\w{3}/);
  });

  it("says in a clause what its calls do, and what it knows of the vendor", () => {
    const clause = /^[a-z][^\n]{10,}[^.]$/;
    expect(definition.describe(definition.settings.parse(good))).toMatchObject({
      create: expect.stringMatching(clause),
      revoke: expect.stringMatching(clause),
    });
    expect(definition.listLagMs).toBeGreaterThanOrEqual(0);
    expect(URL.canParse(definition.apiDocs)).toBe(true);
    expect(definition.title).not.toBe("");
  });
});

/** Message, stack, hint and all causes of an error. */
function everyWord(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const hint = error instanceof AdapterError ? error.hint : "";
  return [error.message, error.stack, hint, JSON.stringify(error), everyWord(error.cause ?? "")].join("\n");
}
