import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { litellm } from "../../providers/litellm.ts";
import { installPeer } from "../../scripts/peers.ts";
import { hasCode } from "../../src/contract/errors.ts";
import { Secret } from "../../src/contract/secret.ts";
import { type FakeLiteLlm, startFakeLiteLlm } from "../fakes/litellm.ts";
import { type LiteLlmPeers, type LiteLlmProxy, startLiteLlm } from "../support/litellm.ts";
import { type TestWorld, testWorld } from "../support/world.ts";
import { differences } from "./shapes.ts";

const MASTER = "sk-canary-master-0001";
const hash = (secret: string) => createHash("sha256").update(secret).digest("hex");

/** Two proxies to compare must be asked the same: the secrets are the same for both. */
const secretOf = (name: string) => `sk-canary-${name}-0123456789`;
const PLAIN = secretOf("plain");
const BOUND = secretOf("bound");
const EXPIRED = secretOf("expired");
const SPENT = secretOf("spent");
const NOBODYS = secretOf("nobodys");
const RIGHTS = {
  models: ["fake-1"],
  metadata: { tags: ["a"], owner: "us" },
  max_budget: 5,
  budget_duration: "30d",
  tpm_limit: 100,
  permissions: { p: true },
  object_permission: { vector_stores: ["v"] },
  budget_limits: [{ budget_duration: "1h", max_budget: 2 }],
};
const ping = (model: string) => ({ model, messages: [{ role: "user", content: "ping" }], max_tokens: 1 });

interface Request {
  readonly what: string;
  readonly method: string;
  readonly path: string;
  /** `null`: none at all. */
  readonly bearer?: string | null;
  readonly body?: unknown;
}

const admin = (what: string, method: string, path: string, body?: unknown): Request => ({ what, method, path, body });
const as = (bearer: string | null, what: string, method: string, path: string, body?: unknown): Request => ({
  ...admin(what, method, path, body),
  bearer,
});

/** Sent to both in this order; each may build on those before. */
const REQUESTS: readonly Request[] = [
  admin("an empty listing", "GET", "/key/list?page=1&size=100&return_full_object=true"),
  admin("a create", "POST", "/key/generate", { key_alias: "plain", key: PLAIN }),
  admin("a create with bounds", "POST", "/key/generate", { key_alias: "bound", key: BOUND, ...RIGHTS }),
  admin("a create with an end", "POST", "/key/generate", { key_alias: "expired", key: EXPIRED, duration: "1s" }),
  admin("a create with a spent budget", "POST", "/key/generate", { key_alias: "spent", key: SPENT, max_budget: 5, spend: 6 }),
  admin("an alias that is taken", "POST", "/key/generate", { key_alias: "plain" }),
  admin("an alias that is a path", "POST", "/key/generate", { key_alias: "../plain" }),
  admin("a secret that is known, under another alias", "POST", "/key/generate", { key_alias: "other", key: PLAIN }),
  admin("a secret of another form", "POST", "/key/generate", { key_alias: "odd", key: "gw-canary-0123456789" }),
  admin("a secret that is too short", "POST", "/key/generate", { key_alias: "odd", key: "sk-canary" }),
  admin("a wrong duration", "POST", "/key/generate", { key_alias: "odd", duration: "soon" }),
  admin("a wrong budget duration", "POST", "/key/generate", { key_alias: "odd", budget_duration: "soon" }),
  admin("a field of the wrong kind", "POST", "/key/generate", { key_alias: "odd", models: "fake-1" }),
  admin("a body that is no JSON", "POST", "/key/generate", "{"),
  admin("a listing", "GET", "/key/list?page=1&size=100&return_full_object=true"),
  admin("a listing of hashes", "GET", "/key/list"),
  admin("a listing by alias", "GET", "/key/list?key_alias=plain&return_full_object=true"),
  admin("an alias that was answered and not kept", "GET", "/key/list?key_alias=other"),
  admin("a page after the last", "GET", "/key/list?page=9&size=100"),
  admin("a page that is too long", "GET", "/key/list?size=101"),
  admin("a page before the first", "GET", "/key/list?page=0"),
  admin("a look at a key", "GET", `/key/info?key=${hash(BOUND)}`),
  admin("a look at a key that never was", "GET", `/key/info?key=${hash(NOBODYS)}`),
  as(PLAIN, "the models of a key", "GET", "/v1/models"),
  as(BOUND, "the models of a bounded key", "GET", "/v1/models"),
  as(BOUND, "a chat", "POST", "/v1/chat/completions", ping("fake-1")),
  as(BOUND, "a chat with a model that the key may not use", "POST", "/v1/chat/completions", ping("fake-2")),
  as(PLAIN, "a chat with a model that is not there", "POST", "/v1/chat/completions", ping("fake-9")),
  as(EXPIRED, "a key that has expired", "GET", "/v1/models"),
  as(SPENT, "a key that has spent its budget", "GET", "/v1/models"),
  as(NOBODYS, "a key that never was", "GET", "/v1/models"),
  as("gw-canary-0123456789", "a key of another form", "GET", "/v1/models"),
  as(null, "no key at all", "GET", "/key/list"),
  as("sk-canary-wrong-master", "a wrong admin key", "GET", "/key/list"),
  as("sk-canary-wrong-master", "a wrong admin key that deletes", "POST", "/key/delete", { keys: [hash(PLAIN)] }),
  as(PLAIN, "an ordinary key that lists", "GET", "/key/list"),
  as(PLAIN, "an ordinary key that creates", "POST", "/key/generate", { key_alias: "odd" }),
  as(PLAIN, "an ordinary key that deletes", "POST", "/key/delete", { keys: [hash(BOUND)] }),
  admin("a block", "POST", "/key/block", { key: hash(PLAIN) }),
  as(PLAIN, "a blocked key", "GET", "/v1/models"),
  admin("an unblock", "POST", "/key/unblock", { key: hash(PLAIN) }),
  as(PLAIN, "a key that was unblocked", "GET", "/v1/models"),
  admin("a block of what never was", "POST", "/key/block", { key: hash(NOBODYS) }),
  admin("a block of what is no hash", "POST", "/key/block", { key: "nothing" }),
  admin("a block of nothing", "POST", "/key/block", {}),
  admin("a delete", "POST", "/key/delete", { keys: [hash(PLAIN)] }),
  as(PLAIN, "a deleted key", "GET", "/v1/models"),
  admin("a look at a deleted key", "GET", `/key/info?key=${hash(PLAIN)}`),
  admin("a delete of what is gone", "POST", "/key/delete", { keys: [hash(PLAIN)] }),
  admin("a delete of what is gone and what is there", "POST", "/key/delete", { keys: [hash(PLAIN), hash(SPENT)] }),
  admin("a delete of nothing", "POST", "/key/delete", {}),
  admin("an alias that is free again", "POST", "/key/generate", { key_alias: "plain", key: secretOf("again") }),
  admin("a path that is not there", "GET", "/key/nothing"),
  admin("a method that is not there", "PUT", "/key/list"),
];

/** What cannot be run here is skipped, with its reason in the name of each test. */
async function installed(): Promise<LiteLlmPeers | string> {
  try {
    return { proxy: await installPeer("litellm"), database: await installPeer("litellm-database") };
  } catch (error) {
    return `cannot be installed here: ${String(error).split("\n")[0]?.slice(0, 200)}`;
  }
}

const peers = await installed();
const title = typeof peers === "string" ? `LiteLLM ${peers}` : "LiteLLM 1.106.2";

describe.skipIf(typeof peers === "string")(title, () => {
  let fake: FakeLiteLlm;
  let real: LiteLlmProxy;
  let world: TestWorld;

  beforeAll(async () => {
    fake = await startFakeLiteLlm(MASTER);
    if (typeof peers !== "string") real = await startLiteLlm(peers, MASTER);
    world = await testWorld({ secrets: { master: MASTER, wrong: "sk-canary-wrong-master" } });
  });
  afterAll(async () => {
    await world?.close();
    await real?.close();
    await fake?.close();
  });

  it.each(REQUESTS)("answers like the double: $what", async (request) => {
    const [ours, theirs] = [await send(fake.url, request), await send(real.url, request)];
    expect(ours.status).toBe(theirs.status);
    expect(differences(ours.body, theirs.body)).toEqual([]);
  });

  it("takes what the provider does, with the same outcome at each call", { timeout: 300_000 }, async () => {
    const [ours, theirs] = [await story(fake.url, world), await story(real.url, world)];
    expect(theirs).toEqual(ours);
    expect(theirs).toMatchObject({ "verify, new": "accepted", "verify, blocked": "limited", "verify, revoked": "refused" });
  });

  it("may make several keys under one alias at once, all of which are listed", { timeout: 300_000 }, async () => {
    const provider = connect(real.url, world);
    const signal = AbortSignal.timeout(240_000);
    const calls = Array.from({ length: 8 }, () => provider.create({ label: "race", secret: randomSecret() }, signal));
    const made = (await Promise.allSettled(calls)).flatMap((call) => (call.status === "fulfilled" ? [call.value.id] : []));
    const shown = (await provider.list(signal)).filter(({ label }) => label === "race").map(({ id }) => id);
    expect(made.length).toBeGreaterThanOrEqual(1);
    expect(new Set(shown)).toEqual(new Set(made));
  });

  it("writes a use within the lag that the provider knows, and none for a look at the models", { timeout: 300_000 }, async () => {
    const provider = connect(real.url, world);
    const signal = AbortSignal.timeout(240_000);
    const [quiet, busy] = [randomSecret(), randomSecret()];
    await provider.create({ label: "quiet", secret: quiet }, signal);
    await provider.create({ label: "busy", secret: busy }, signal);
    expect(await provider.verify(quiet, signal)).toBe("accepted");
    const usedAt = Date.now();
    await send(real.url, { what: "a chat", method: "POST", path: "/v1/chat/completions", bearer: busy.reveal(), body: ping("fake-1") });
    const lastUse = async (secret: Secret) => (await provider.identify(secret, signal))?.lastUsedAt?.getTime() ?? 0;
    const { lagMs = 0, precisionMs = 0 } = litellm.lastUsed ?? {};
    await expect.poll(() => lastUse(busy), { timeout: lagMs, interval: 1000 }).toBeGreaterThan(usedAt - 1000);
    expect(await lastUse(busy)).toBeLessThan(usedAt + precisionMs);
    expect(await lastUse(quiet)).toBe(0);
  });
});

const randomSecret = () => new Secret(`sk-canary-${randomBytes(12).toString("hex")}`);

function connect(baseUrl: string, world: TestWorld, credential = "master") {
  return litellm.connect(litellm.settings.parse({ baseUrl, adminKey: { credential } }), world);
}

/** All that the provider does, and what came of it. */
async function story(url: string, world: TestWorld): Promise<Readonly<Record<string, unknown>>> {
  const provider = connect(url, world);
  const wrong = connect(url, world, "wrong");
  const signal = AbortSignal.timeout(240_000);
  const [first, second] = [randomSecret(), randomSecret()];
  const old = await provider.create({ label: "rotated-old", secret: first }, signal);
  const list = async () => (await provider.list(signal)).filter(({ label }) => label.startsWith("rotated-"));
  const labels = async () => (await list()).map(({ label, enabled }) => `${label} ${enabled}`).toSorted();
  const codeOf = (call: Promise<unknown>) =>
    call.then(
      () => "done",
      (error) => (hasCode(error, error.code) ? error.code : "a bug"),
    );
  const like = (await list())[0];
  const told: Record<string, unknown> = {};
  told["id"] = old.id === first.sha256();
  told["verify, new"] = await provider.verify(first, signal);
  told["create, like"] = await codeOf(provider.create({ label: "rotated-new", secret: second, ...(like && { like }) }, signal));
  told["create, same label"] = await codeOf(provider.create({ label: "rotated-new", secret: randomSecret() }, signal));
  told["list"] = await labels();
  told["identify"] = (await provider.identify(second, signal))?.label;
  told["block"] = await codeOf(provider.setEnabled(old.id, false, signal));
  told["verify, blocked"] = await provider.verify(first, signal);
  told["list, blocked"] = await labels();
  told["unblock"] = await codeOf(provider.setEnabled(old.id, true, signal));
  told["verify, unblocked"] = await provider.verify(first, signal);
  told["revoke, wrong admin"] = await codeOf(wrong.revoke(old.id, signal));
  told["revoke"] = await codeOf(provider.revoke(old.id, signal));
  told["verify, revoked"] = await provider.verify(first, signal);
  told["identify, revoked"] = await provider.identify(first, signal);
  told["revoke again"] = await codeOf(provider.revoke(old.id, signal));
  told["create, like the revoked"] = await codeOf(
    provider.create({ label: "rotated-3", secret: randomSecret(), ...(like && { like }) }, signal),
  );
  told["verify, other"] = await provider.verify(second, signal);
  told["revoke, elsewhere"] = await codeOf(connect(`${url}/elsewhere`, world).revoke(old.id, signal));
  return told;
}

async function send(url: string, { method, path, bearer = MASTER, body }: Request) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const headers = {
    "content-type": "application/json",
    connection: "close",
    ...(bearer !== null && { authorization: `Bearer ${bearer}` }),
  };
  const response = await fetch(`${url}${path}`, { method, headers, ...(text !== undefined && { body: text }) });
  return { status: response.status, body: JSON.parse(await response.text()) as unknown };
}
