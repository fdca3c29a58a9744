import { z } from "zod";
import { type CreateRequest, defineProvider, type Provider } from "../src/contract/provider.ts";
import { duration, httpUrl, secretRef } from "../src/contract/settings.ts";
import { verdictOn } from "../src/contract/verdict.ts";
import type { World } from "../src/contract/world.ts";
import { adminApi } from "./openai/admin-api.ts";
import { verifyRefusal } from "./openai/refusals.ts";
import { adminKeyPage, createdKey, deleted, lifetimeFor, onlyFit, toAdminKey, toCreated } from "./openai/replies.ts";

const settings = z.strictObject({
  adminKey: secretRef().describe(
    "what signs the calls: the credential itself, as { store: NAME }, so that its successor deletes it; or another admin key",
  ),
  scopes: z
    .enum(["all", "restricted"])
    .default("all")
    .describe("all: the key may do everything, as every admin key that a call makes; restricted: a person makes each with its permissions"),
  verify: z
    .enum(["admin-keys", "projects"])
    .default("admin-keys")
    .describe("the call that shows that a key works: list the admin keys, or the projects, for a restricted key that may not do the first"),
  expiresIn: duration()
    .refine((ms) => ms >= 1000, "at least 1s")
    .optional()
    .describe("how long a key lives; without it, as long as the one before"),
  organization: z.string().min(1).optional().describe("id of the organization (org-…), where the admin key knows several"),
  baseUrl: httpUrl().default("https://api.openai.com/v1").describe("address of the admin API"),
});

type Settings = z.output<typeof settings>;

/** What shows that an answer is a listing, and no page of somebody in between. */
const listed = z.looseObject({ data: z.array(z.unknown()) });

/** The admin keys of an OpenAI organization. */
export const openaiAdmin = defineProvider({
  title: "OpenAI admin keys",
  apiDocs: "https://platform.openai.com/docs/api-reference/admin-api-keys",
  supply: "create",
  // The call has no field for permissions: a restricted key's successor could do everything.
  supplyOf: ({ scopes }) => (scopes === "restricted" ? "intake" : "create"),
  account: ["baseUrl", "adminKey", "organization"],
  listLagMs: 120_000,
  lastUsed: { precisionMs: 1000, lagMs: 300_000 },
  keyForm: { pattern: /^sk-admin-\S+$/, hint: "an admin key begins with sk-admin-; project keys are another kind" },
  settings,
  intake: () => ({
    url: "https://platform.openai.com/settings/organization/admin-keys",
    steps: ["give it the permissions of the key that it replaces, and no more"],
  }),
  describe({ scopes, expiresIn }) {
    return {
      create: "creates an admin key that may do everything",
      revoke: "deletes the old admin key, signed with what adminKey is by then",
      ...(expiresIn !== undefined && { keyLifetimeMs: expiresIn }),
      ...(scopes === "restricted" && {
        notes: ["a restricted admin key is rotated by intake only, because OpenAI's create call cannot set an admin key's scopes"],
      }),
    };
  },
  connect: connectOpenAiAdmin,
});

function connectOpenAiAdmin({ baseUrl, scopes, verify, expiresIn, ...access }: Settings, world: World): Provider {
  const api = adminApi(access, world);
  const keys = `${baseUrl}/organization/admin_api_keys`;
  const rows = (signal: AbortSignal) => api.rows(keys, {}, adminKeyPage, signal);

  async function create({ label, like }: CreateRequest, signal: AbortSignal) {
    const body = { name: label, ...lifetimeFor(expiresIn, like) };
    const request = { action: "openai: create admin key", method: "POST", body, reply: createdKey, signal } as const;
    return toCreated(label, await api.call(keys, request));
  }

  return {
    ...(scopes === "all" && { create }),

    async list(signal) {
      const now = world.clock.now();
      return (await rows(signal)).map((row) => toAdminKey(row, now));
    },

    async identify(secret, signal) {
      const row = onlyFit(await rows(signal), secret);
      return row === undefined ? undefined : toAdminKey(row, world.clock.now());
    },

    async verify(secret, signal) {
      const url = verify === "projects" ? `${baseUrl}/organization/projects` : keys;
      const request = { action: "openai: verify admin key", method: "GET", headers: api.headers, bearer: secret, signal } as const;
      return verdictOn(() => world.http(`${url}?limit=1`, { ...request, reply: listed, refusal: verifyRefusal }));
    },

    async revoke(keyId, signal) {
      const request = { action: "openai: delete admin key", method: "DELETE", reply: deleted, signal } as const;
      await api.end(
        () => api.call(`${keys}/${encodeURIComponent(keyId)}`, request),
        keyId,
        () => rows(signal),
      );
    },
  };
}
