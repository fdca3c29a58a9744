import { expect, test } from "vitest";
import { accountOf, openLimit, respectLimit } from "../src/account-limit.ts";
import { afterCreate } from "../src/contract/after-create.ts";
import { AdapterError } from "../src/contract/errors.ts";
import type { Provider } from "../src/contract/provider.ts";
import { Secret } from "../src/contract/secret.ts";

const { signal } = new AbortController();
const SECRET = new Secret("sk-canary-account");

/** A vendor that answers the first listing as it is told, and a clock that the test moves. */
function limited(first: AdapterError | undefined) {
  const asked: string[] = [];
  let now = 1000;
  let next = first;
  const provider: Provider = {
    async list() {
      asked.push("list");
      const error = next;
      next = undefined;
      if (error !== undefined) throw error;
      return [];
    },
    async identify() {
      asked.push("identify");
      return undefined;
    },
    async verify() {
      asked.push("verify");
      return "accepted";
    },
    async revoke() {
      asked.push("revoke");
    },
  };
  const limit = openLimit({ monotonic: () => now });
  return {
    account: respectLimit(provider, "openai", limit),
    /** Another entry of the configuration, in the name of the same account. */
    sibling: respectLimit(provider, "openai-too", limit),
    asked,
    pass: (ms: number) => {
      now += ms;
    },
  };
}

test("what one credential was told holds for all calls of the account, for as long as the vendor said", async () => {
  const { account, asked, pass } = limited(new AdapterError("rateLimited", "status 429", { retryAfterMs: 5000 }));
  await expect(account.list(signal)).rejects.toMatchObject({ code: "rateLimited" });
  pass(2000);
  await expect(account.revoke("key_1", signal)).rejects.toMatchObject({ code: "rateLimited", retryAfterMs: 3000, answered: true });
  await expect(account.identify(SECRET, signal)).rejects.toMatchObject({ code: "rateLimited" });
  expect(asked, "nothing left").toEqual(["list"]);
  pass(3000);
  await account.revoke("key_1", signal);
  expect(asked).toEqual(["list", "revoke"]);
});

test("what one entry of an account was told holds for the others, and the error names who asked in vain", async () => {
  const { account, sibling, asked, pass } = limited(new AdapterError("rateLimited", "status 429", { retryAfterMs: 5000 }));
  await expect(account.list(signal)).rejects.toMatchObject({ code: "rateLimited" });
  await expect(sibling.list(signal)).rejects.toMatchObject({ code: "rateLimited", message: expect.stringContaining("openai-too") });
  expect(asked).toEqual(["list"]);
  pass(5000);
  await sibling.list(signal);
  expect(asked).toEqual(["list", "list"]);
});

test("a limit that a call met after it had made a key holds for the account, too", async () => {
  const met = new AdapterError("rateLimited", "status 429", { retryAfterMs: 5000 });
  const narrow = () => afterCreate(() => Promise.reject(met));
  const { account, asked } = limited((await narrow().catch((error: unknown) => error)) as AdapterError);
  await expect(account.list(signal)).rejects.toMatchObject({ code: "unavailable" });
  await expect(account.identify(SECRET, signal)).rejects.toMatchObject({ code: "rateLimited" });
  expect(asked).toEqual(["list"]);
});

test("a shorter wish does not end a longer one", async () => {
  let now = 0;
  const limit = openLimit({ monotonic: () => now });
  limit.quietFor(5000);
  limit.quietFor(1000);
  now = 2000;
  expect(limit.leftMs()).toBe(3000);
});

test("entries are of one account where they are signed alike, whatever else they differ in", () => {
  const of = (name: string, settings: object) =>
    accountOf(name, { account: ["baseUrl", "adminKey"] }, { baseUrl: "https://a", ...settings });
  const [one, other] = [{ credential: "admin" }, { credential: "admin-too" }];
  expect(of("a", { adminKey: one, project: "p1" })).toBe(of("b", { adminKey: { ...one }, project: "p2" }));
  expect(of("a", { adminKey: one })).not.toBe(of("b", { adminKey: other }));
  expect(of("a", { adminKey: one })).not.toBe(of("b", { adminKey: one, baseUrl: "https://b" }));
  expect(accountOf("a", {}, { adminKey: one }), "who does not say stands alone").not.toBe(accountOf("b", {}, { adminKey: one }));
});

test("a key's own call has a limit of its own", async () => {
  const { account, asked } = limited(new AdapterError("rateLimited", "status 429", { retryAfterMs: 5000 }));
  await expect(account.list(signal)).rejects.toMatchObject({ code: "rateLimited" });
  expect(await account.verify(SECRET, signal)).toBe("accepted");
  expect(asked).toEqual(["list", "verify"]);
});

test.each([
  ["a limit without a time", new AdapterError("rateLimited", "status 429")],
  ["another failure", new AdapterError("unavailable", "status 503", { retryAfterMs: 5000 })],
])("%s holds nobody back", async (_, error) => {
  const { account, asked } = limited(error);
  await expect(account.list(signal)).rejects.toBe(error);
  await account.list(signal);
  expect(asked).toEqual(["list", "list"]);
});

test("an ability that the vendor lacks is still lacking", () => {
  expect(limited(undefined).account.setEnabled).toBeUndefined();
});
