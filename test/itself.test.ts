import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import type { CredentialConfig } from "../src/config/config.ts";
import { parseConfig } from "../src/config/load.ts";
import type { Plugs as Definitions } from "../src/config/schema.ts";
import { defineConsumer } from "../src/contract/consumer.ts";
import { AdapterError } from "../src/contract/errors.ts";
import type { Provider } from "../src/contract/provider.ts";
import { defineProvider } from "../src/contract/provider.ts";
import { Secret } from "../src/contract/secret.ts";
import { secretRef } from "../src/contract/settings.ts";
import { defineStore } from "../src/contract/store.ts";
import { orAbort } from "../src/contract/turns.ts";
import type { World } from "../src/contract/world.ts";
import { watchCalls } from "../src/itself/calls.ts";
import { type ConnectedPlugs, connectPlugs } from "../src/plugs.ts";
import type { ConsumerPlug } from "../src/rotation/context.ts";
import { openWorld } from "../src/world/world.ts";

const { signal } = new AbortController();
const [OLD, NEW] = [new Secret("canary-old-value"), new Secret("canary-new-value")];

/** What each place holds, by the credential, and which values each plug was called with. */
let held: Record<string, Secret>;
let calledWith: string[];
/** What a plug does with the value it got. */
let answer: (who: string, value: Secret) => Promise<void>;

async function called(who: string, value: Secret | undefined): Promise<void> {
  if (value === undefined) return;
  calledWith.push(`${who} ${value.equals(OLD) ? "old" : "new"}`);
  await answer(who, value);
}

function provider(read: (world: World, key: Parameters<World["secret"]>[0]) => () => Promise<Secret | undefined>) {
  return defineProvider({
    title: "Memory",
    apiDocs: "https://example.com",
    supply: "create",
    listLagMs: 0,
    settings: z.strictObject({ key: secretRef().describe("signs") }),
    describe: () => ({ create: "makes one", revoke: "ends one" }),
    connect({ key }, world): Provider {
      const value = read(world, key);
      const list = async () => {
        await called("provider", await value());
        return [];
      };
      return { list, identify: async () => undefined, verify: async () => "accepted", revoke: async () => {} };
    },
  });
}

const kept = new WeakMap<World, Promise<Secret>>();
const definitions: Definitions = {
  providers: {
    asks: provider((world, key) => () => world.secret(key)),
    /** Signs in once, and goes by that for as long as it lives, as some clients do. */
    remembers: provider((world, key) => {
      let first: Promise<Secret> | undefined;
      return () => (first ??= world.secret(key));
    }),
    /** The same, shared by all that were connected in the same world. */
    shares: provider((world, key) => () => {
      kept.set(world, kept.get(world) ?? world.secret(key));
      return kept.get(world) as Promise<Secret>;
    }),
    ignores: provider(() => async () => undefined),
  },
  stores: {
    memory: defineStore({
      title: "Memory",
      settings: z.strictObject({ key: secretRef().optional().describe("opens it") }),
      place: z.strictObject({ at: z.string().describe("where") }),
      cell: (_, { at }) => at,
      connect: ({ key }, { at }, _context, world) => ({
        preflight: async () => {},
        async read(_which, stop) {
          const value = key && (await world.secret(key));
          await orAbort(called(`store ${at}`, value), stop);
          return held[at];
        },
        stage: async () => {},
        promote: async () => {},
        discard: async () => {},
      }),
      mirror: ({ key }, { at }, _, world) => ({
        preflight: async () => {},
        async read() {
          await called(`mirror ${at}`, key && (await world.secret(key)));
          return held[at];
        },
        write: async () => {},
      }),
    }),
  },
  consumers: {
    program: defineConsumer({
      title: "Program",
      settings: z.strictObject({ token: secretRef().optional().describe("its token") }),
      use: z.strictObject({ part: z.string().optional().describe("of the program") }),
      connect: ({ token }, _, { consumer }, world) => ({
        async preflight() {
          await called(`consumer ${consumer}`, token && (await world.secret(token)));
          return [];
        },
        reload: async () => ({ holds: "expected" }),
        prove: async () => ({ result: "proven", grade: "value", detail: {} }),
        describe: () => ({ reload: "reads", prove: "asks" }),
      }),
    }),
  },
};

function open(text: string, callTimeout = "1s") {
  const config = parseConfig(`${text}\ntiming: { callTimeout: ${callTimeout} }\n`, "test.yaml", definitions);
  const network = { http: never, exchange: never, openWebSocket: never, debug: () => {} };
  const calls = watchCalls(Date, () => {});
  const plugs: ConnectedPlugs = connectPlugs(
    config,
    openWorld(network, "/nowhere", (name) => plugs.value(name)),
    calls,
  );
  const credential = (name: string): CredentialConfig => config.credentials[name] ?? never();
  const own = (name: string): ConsumerPlug["consumer"] =>
    plugs.consumers(credential(name), []).find((plug) => plug.name === "rotated itself")?.consumer ?? never();
  return { plugs, credential, own };
}

function never(): never {
  throw new Error("not in this test");
}

const withProvider = (type: string) => `
providers: { signed: { type: ${type}, key: { store: admin } }, plain: { type: ignores, key: { env: NOTHING } } }
stores: { local: { type: memory } }
credentials: { admin: { provider: signed, store: { use: local, at: admin } } }`;

beforeEach(() => {
  held = { admin: OLD };
  calledWith = [];
  answer = async () => {};
});

describe("a value is proven by a call that goes by it", () => {
  test.each(["asks", "remembers", "shares"])("of a plug that %s", async (type) => {
    const { plugs, own } = open(withProvider(type));
    await plugs.provider("signed").provider.list(signal);
    expect(await own("admin").preflight(OLD, signal)).toEqual([]);
    held["admin"] = NEW;
    expect(await own("admin").reload(NEW, signal)).toEqual({ holds: "expected" });
    expect(await own("admin").prove(NEW, signal)).toEqual({
      result: "proven",
      grade: "value",
      detail: { calledWithIt: "provider signed" },
    });
    expect(calledWith.at(-1)).toBe("provider new");
    await plugs.provider("signed").provider.list(signal);
    expect(calledWith.at(-1), "others get the plug that goes by it").toBe("provider new");
  });

  test("of a plug that went by the old value up to then, which is told apart", async () => {
    const { plugs, own } = open(withProvider("asks"));
    await plugs.provider("signed").provider.list(signal);
    expect(await own("admin").reload(NEW, signal)).toMatchObject({ holds: "other", cause: expect.stringContaining("provider signed") });
    expect(await own("admin").prove(NEW, signal)).toMatchObject({ result: "contradicted" });
  });

  test("of every plug that has it: store, mirror and consumer, too", async () => {
    const { own } = open(`
providers: { plain: { type: ignores, key: { env: NOTHING } } }
stores: { local: { type: memory }, first: { type: memory, key: { store: admin } } }
consumers: { one: { type: program, token: { store: admin } } }
credentials:
  admin: { provider: plain, store: { use: local, at: admin } }
  kept: { provider: plain, store: { use: first, at: a }, consumers: [{ use: one }] }
  copied: { provider: plain, store: { use: local, at: b }, mirrors: [{ use: first, at: c }], consumers: [{ use: one }] }`);
    held["admin"] = NEW;
    expect(await own("admin").prove(NEW, signal)).toMatchObject({ detail: { calledWithIt: "store first, consumer one" } });
    expect([...new Set(calledWith)]).toEqual(["store a new", "mirror c new", "consumer one new"]);
    for (const other of ["kept", "copied"]) expect(() => own(other)).toThrow("not in this test");
  });
});

describe("what a call brings beside a proof", () => {
  const failing = (code: "unauthorized" | "forbidden" | "unavailable" | "misconfigured") => {
    answer = async () => {
      throw new AdapterError(code, "vendor: list");
    };
  };

  test.each(["unauthorized", "forbidden"] as const)("%s: the vendor refuses the value", async (code) => {
    const { own } = open(withProvider("asks"));
    failing(code);
    expect(await own("admin").reload(OLD, signal), "it has the value all the same").toEqual({ holds: "expected" });
    expect(await own("admin").prove(OLD, signal)).toMatchObject({ result: "refused", cause: expect.stringContaining("provider signed") });
    expect(await own("admin").preflight(OLD, signal)).toMatchObject([{ code }]);
  });

  test("not so where the plug went by what it had made of the value before: it is connected anew", async () => {
    const { own } = open(withProvider("remembers"));
    await own("admin").reload(OLD, signal);
    let refusals = 1;
    answer = async () => {
      if (refusals-- > 0) throw new AdapterError("forbidden", "vendor: list");
    };
    expect(await own("admin").prove(OLD, signal)).toMatchObject({ result: "proven" });
  });

  test("an outage is thrown", async () => {
    const { own } = open(withProvider("asks"));
    failing("unavailable");
    await expect(own("admin").prove(OLD, signal)).rejects.toThrow("vendor: list");
    await expect(own("admin").preflight(OLD, signal)).rejects.toThrow("vendor: list");
  });

  test("nothing is asked while there is no value", async () => {
    const { own } = open(withProvider("asks"));
    expect(await own("admin").preflight(undefined, signal)).toEqual([]);
    expect(calledWith).toEqual([]);
  });
});

test("calls that began before the reload are busy until they end, later ones are not", async () => {
  const { plugs, own } = open(withProvider("asks"));
  const { promise, resolve } = Promise.withResolvers<void>();
  answer = () => promise;
  const first = plugs.provider("signed").provider.list(signal);
  await sleep(2);
  const reloadedAt = new Date();
  await sleep(2);
  const second = plugs.provider("signed").provider.list(signal);
  const other = plugs.provider("plain").provider.list(signal);
  expect(await own("admin").busySince?.(reloadedAt, undefined, signal)).toEqual([
    expect.stringMatching(/^provider signed: list since \d{4}-/),
  ]);
  resolve();
  await Promise.all([first, second, other]);
  expect(await own("admin").busySince?.(new Date(), undefined, signal)).toEqual([]);
});

describe("{ store: NAME }", () => {
  const CHAIN = `
providers: { signed: { type: asks, key: { store: second } }, plain: { type: ignores, key: { env: NOTHING } } }
stores: { local: { type: memory }, safe: { type: memory, key: { store: first } } }
credentials:
  first: { provider: plain, store: { use: local, at: first } }
  second: { provider: signed, store: { use: safe, at: second } }`;

  test("is read at each use, through a store that opens with another one", async () => {
    const { plugs, own } = open(CHAIN);
    held = { first: OLD, second: OLD };
    await plugs.provider("signed").provider.list(signal);
    held = { first: NEW, second: OLD };
    await plugs.provider("signed").provider.list(signal);
    expect(calledWith).toEqual(["store second old", "provider old", "store second new", "provider old"]);
    expect(await own("first").prove(NEW, signal)).toMatchObject({ detail: { calledWithIt: "store safe" } });
  });

  test("of an empty place says what to do", async () => {
    const { plugs } = open(withProvider("asks"));
    held = {};
    await expect(plugs.provider("signed").provider.list(signal)).rejects.toMatchObject({
      code: "misconfigured",
      message: 'read secret: credential "admin" has no value yet',
      hint: expect.stringContaining("rotatectl adopt admin"),
    });
  });

  test("of a store that does not answer ends in time", async () => {
    const { plugs } = open(CHAIN, "30ms");
    held = { first: OLD, second: OLD };
    answer = () => new Promise(() => {});
    await expect(plugs.provider("signed").provider.list(signal)).rejects.toMatchObject({
      code: "timeout",
      message: 'read secret: credential "second": no answer of its store in time',
    });
  });
});

test("the consumers of a rotation are those of the configuration, and each that it began with and that is gone", () => {
  const { plugs, credential } = open(`
providers: { plain: { type: ignores, key: { env: NOTHING } } }
stores: { local: { type: memory } }
consumers: { one: { type: program } }
credentials:
  kept: { provider: plain, store: { use: local, at: a }, consumers: [{ use: one, part: a }] }`);
  const use = (part: string) => ({ use: "one", settings: { part } });
  const count = (...pinned: ReturnType<typeof use>[]) => plugs.consumers(credential("kept"), pinned).length;
  expect([count(), count(use("a")), count(use("before it was cured"))]).toEqual([1, 1, 1]);
  expect(count(use("a"), use("b")), "two uses of one consumer, and one was taken out").toBe(2);
});
