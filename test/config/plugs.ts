import { z } from "zod";
import type { Registry } from "../../src/config/registry.ts";
import type { Plugs } from "../../src/config/schema.ts";
import { defineConsumer } from "../../src/contract/consumer.ts";
import { defineProvider } from "../../src/contract/provider.ts";
import { duration, httpUrl, secretRef } from "../../src/contract/settings.ts";
import { defineStore } from "../../src/contract/store.ts";

function unused(): never {
  throw new Error("a configuration is read without connecting anything");
}

const acme = defineProvider({
  title: "Acme",
  apiDocs: "https://example.com/acme",
  supply: "create",
  listLagMs: 120_000,
  lastUsed: { precisionMs: 60_000, lagMs: 300_000 },
  settings: z.strictObject({
    project: z
      .string()
      .regex(/^proj_/, "the id of a project, such as proj_123")
      .describe("the project of the keys"),
    adminKey: secretRef().describe("the admin key"),
    baseUrl: httpUrl().prefault("https://api.example.com").describe("the address of the API"),
    keyLifetime: duration().optional().describe("how long a key lives"),
  }),
  describe: ({ keyLifetime }) => ({
    create: "makes a key",
    revoke: "deletes it",
    ...(keyLifetime === undefined ? {} : { keyLifetimeMs: keyLifetime }),
  }),
  connect: unused,
});

const plain = defineProvider({
  title: "Plain",
  apiDocs: "https://example.com/plain",
  supply: "create",
  listLagMs: 0,
  settings: z.strictObject({}),
  describe: () => ({ create: "makes a key", revoke: "deletes it" }),
  connect: unused,
});

const file = defineStore({
  title: "File",
  settings: z.strictObject({}),
  place: z.strictObject({
    path: z.string().startsWith("/", "an absolute path").describe("the file"),
    field: z.string().optional().describe("a field of it"),
  }),
  cell: (_, { path, field }) => `${path}#${field ?? ""}`,
  connect: unused,
  mirror: unused,
});

const gateway = defineConsumer({
  title: "Gateway",
  settings: z.strictObject({
    url: z.url({ protocol: /^wss?$/, error: "a ws or wss address" }).describe("the address of the gateway"),
    token: secretRef().optional().describe("its token"),
    command: z.array(z.string()).optional().describe("a command line"),
  }),
  use: z.strictObject({ provider: z.string().min(1).describe("the name under models.providers") }),
  connect: unused,
});

/** One small definition or two of each kind, with every sort of setting that the real ones have. */
export const plugs: Plugs = { providers: { acme, plain }, stores: { file }, consumers: { gateway } };

function lazily<Definition>(definitions: Readonly<Record<string, Definition>>) {
  return Object.fromEntries(Object.entries(definitions).map(([type, definition]) => [type, async () => definition] as const));
}

/** The same, imported when they are named. */
export const registry: Registry = {
  providers: lazily(plugs.providers),
  stores: lazily(plugs.stores),
  consumers: lazily(plugs.consumers),
};
