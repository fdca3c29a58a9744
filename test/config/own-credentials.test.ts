import { describe, expect, test } from "vitest";
import { z } from "zod";
import { ConfigError } from "../../src/config/error.ts";
import { parseConfig } from "../../src/config/load.ts";
import type { Plugs } from "../../src/config/schema.ts";
import { secretRef } from "../../src/contract/settings.ts";
import { defineStore } from "../../src/contract/store.ts";
import { GOOD } from "./good.ts";
import type { Mistake } from "./mistakes/mistake.ts";
import { plugs as usual } from "./plugs.ts";

const { file } = usual.stores;
if (file === undefined) throw new Error("the small definitions have a store file");

/** A store that opens with a secret, and one that keeps no versions. */
const safe = defineStore({ ...file, settings: z.strictObject({ key: secretRef().describe("what opens it") }) });
const { connect: _, ...onlyMirror } = file;
const plugs: Plugs = { ...usual, stores: { file, safe, copy: defineStore(onlyMirror) } };

/** One credential `admin` that signs the calls of `acme`, and two stores that open with something. */
const OWN = `providers:
  acme: { type: acme, project: proj_1, adminKey: { store: admin } }
stores:
  local: { type: file }
  first: { type: safe, key: { store: opener } }
  second: { type: safe, key: { credential: second } }
credentials:
  admin: { provider: acme, store: { use: local, path: /admin } }
  opener: { provider: acme, store: { use: second, path: /opener }, consumers: [] }
`;

const change = (...pairs: readonly (readonly [string, string])[]) =>
  pairs.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`the configuration has no ${from}`);
    return text.replace(from, () => to);
  }, OWN);

const ELSEWHERE = "hint: keep it, and its mirrors, in a store that opens without it, such as one of type file";

const MISTAKES: readonly Mistake[] = [
  {
    name: "a misspelled credential",
    text: change(
      ["{ store: admin }", "{ store: admn }"],
      ["path: /admin }", "path: /admin }, consumers: [{ use: gateway, provider: x }]"],
    ).concat("consumers: { gateway: { type: gateway, url: ws://127.0.0.1:1 } }\n"),
    says: ['2:59: providers.acme.adminKey.store: no credential "admn"', 'hint: did you mean "admin"?'],
  },
  {
    name: "an unknown credential",
    text: change(["{ store: opener }", "{ store: sk-canary-0123456789 }"]),
    says: [
      "5:38: stores.first.key.store: no credential of this name",
      "hint: credentials of this file: admin, opener",
      "9:79: credentials.opener.consumers: no consumer: nothing would show that a new key is in use, so no old key could be revoked",
      "hint: say who uses it: { use: NAME, … }, where `use` names one of `consumers`",
    ],
  },
  {
    name: "an unknown credential in one of a credential's consumers' settings",
    text: GOOD.replace("18789 }", "18789, token: { store: nobody } }"),
    says: ["6:72: consumers.gateway.token.store: no credential of this name", "hint: credentials of this file: prod"],
  },
  {
    name: "a credential in the store that it opens",
    text: change(["use: second, path: /opener", "use: first, path: /opener"]),
    says: ['5:38: stores.first.key.store: a circle: this store opens with credential "opener", which is kept in this store', ELSEWHERE],
  },
  {
    name: "a credential with a copy in the store that it opens",
    text: change(["use: second, path: /opener }", "use: local, path: /opener }, mirrors: [{ use: first, path: /opener }]"]),
    says: ['5:38: stores.first.key.store: a circle: this store opens with credential "opener", which is kept in this store', ELSEWHERE],
  },
  {
    name: "two stores that open each other",
    text: change(["{ credential: second }", "{ store: admin }"], ["use: local, path: /admin", "use: first, path: /admin"]),
    says: [
      '5:38: stores.first.key.store: a circle: this store opens with credential "opener", which is kept in store "second", ' +
        'which opens with credential "admin", which is kept in this store',
      ELSEWHERE,
      '6:39: stores.second.key.store: a circle: this store opens with credential "admin", which is kept in store "first", ' +
        'which opens with credential "opener", which is kept in this store',
      ELSEWHERE,
    ],
  },
  {
    name: "a credential whose store keeps nothing",
    text: change(["second: { type: safe, key: { credential: second } }", "second: { type: copy }"]),
    says: [
      '5:38: stores.first.key.store: the store of credential "opener" can only be a mirror',
      "hint: a value is read back from a primary store: give the credential another one",
      "9:36: credentials.opener.store: this kind of store can only be a mirror",
      "hint: name it under mirrors, and another one as the store",
    ],
  },
  {
    name: "no consumer where rotated does not use it either",
    text: change(["{ store: admin }", "{ credential: admin }"]),
    says: [
      "8:3: credentials.admin.consumers: no consumer: nothing would show that a new key is in use, so no old key could be revoked",
      "hint: say who uses it: { use: NAME, … }, where `use` names one of `consumers`",
    ],
  },
];

describe("one mistake", () => {
  test.each(MISTAKES)("$name", ({ text, says }) => {
    expect(() => parseConfig(text, "rotated.yaml", plugs)).toThrow(ConfigError);
    try {
      parseConfig(text, "rotated.yaml", plugs);
    } catch (error) {
      expect((error as ConfigError).message.split("\n").map((line) => line.replace(/^rotated\.yaml:/, ""))).toEqual(says);
      expect((error as ConfigError).message).not.toContain("canary");
    }
  });
});

test("what rotated itself uses needs no consumer, named or empty", () => {
  const { credentials } = parseConfig(OWN, "rotated.yaml", plugs);
  expect([credentials["admin"]?.consumers, credentials["opener"]?.consumers]).toEqual([[], []]);
});

test("a provider may sign its calls with its own key", () => {
  expect(parseConfig(OWN, "rotated.yaml", plugs).providers["acme"]?.settings).toMatchObject({ adminKey: { store: "admin" } });
});

test("stores that open one after the other are no circle", () => {
  const text = change(["{ credential: second }", "{ store: admin }"]);
  expect(parseConfig(text, "rotated.yaml", plugs).stores["second"]?.settings).toEqual({ key: { store: "admin" } });
});
