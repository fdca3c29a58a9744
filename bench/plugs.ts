import { z } from "zod";
import type { Config, CredentialConfig } from "../src/config/config.ts";
import type { Consumer } from "../src/contract/consumer.ts";
import { AdapterError } from "../src/contract/errors.ts";
import type { Provider, VendorKey } from "../src/contract/provider.ts";
import { Secret } from "../src/contract/secret.ts";
import type { Store } from "../src/contract/store.ts";

/** A vendor, stores and a consumer in memory, all of which answer at once: what is left is the engine's own time. */
export function instantConfig(names: readonly string[], stateDirectory: string): Config {
  const vendor = instantVendor();
  const empty = z.object({});
  return {
    stateDirectory,
    socket: "",
    resolveSocket: "",
    providers: {
      vendor: {
        type: "instant",
        settings: {},
        listLagMs: 0,
        revokeLagMs: 0,
        supply: "create",
        definition: {
          title: "instant",
          apiDocs: "",
          supply: "create",
          listLagMs: 0,
          settings: empty,
          describe: () => ({ create: "", revoke: "" }),
          connect: () => vendor,
        },
      },
    },
    stores: {
      local: {
        type: "instant",
        settings: {},
        definition: { title: "instant", settings: empty, place: empty, cell: () => "", connect: instantStore },
      },
    },
    consumers: {
      program: {
        type: "instant",
        settings: {},
        acceptAnswered: false,
        definition: { title: "instant", settings: empty, use: empty, connect: instantConsumer },
      },
    },
    credentials: Object.fromEntries(names.map((name) => [name, credential(name)])),
    control: { act: [], read: [] },
    network: { proxy: undefined, noProxy: [], ca: [], allowHttp: false },
    timing: {
      callTimeoutMs: 10_000,
      proveTimeoutMs: 10_000,
      verify: { times: 1, overMs: 0, deadlineMs: 10_000 },
      reloadSettleMs: 0,
      drainLimitMs: 10_000,
      confirm: { times: 1, apartMs: 0, limitMs: 10_000 },
      waitsMs: [10],
      tellAfterMs: 10_000,
      afterFailure: { firstMs: 1000, lastMs: 1000 },
      intake: { remindMs: 10_000, deadlineMs: 10_000 },
      pollMs: 1,
      spreadMs: 0,
    },
    warnings: [],
  };
}

function credential(name: string): CredentialConfig {
  return {
    name,
    provider: "vendor",
    store: { use: "local", place: {} },
    mirrors: [],
    resolve: [],
    consumers: [{ use: "program", settings: {} }],
    schedule: undefined,
    window: undefined,
    overlapMs: 0,
    jitterMs: 0,
  };
}

function instantVendor(): Provider {
  const live = new Map<string, VendorKey>();
  const bySecret = new Map<string, VendorKey>();
  let made = 0;
  return {
    async create({ label }) {
      made += 1;
      const key = { id: `key_${made}`, label, createdAt: new Date(), enabled: true };
      const secret = `canary-${made}-${label}`;
      live.set(key.id, key);
      bySecret.set(secret, key);
      return { ...key, secret: new Secret(secret) };
    },
    list: async () => [...live.values()],
    identify: async (secret) => bySecret.get(secret.reveal()),
    verify: async (secret) => (live.has(bySecret.get(secret.reveal())?.id ?? "") ? "accepted" : "refused"),
    revoke: async (id) => void live.delete(id),
  };
}

function instantStore(): Store {
  const keep = new Map<string, Secret>();
  let current: string | undefined;
  return {
    preflight: async () => {},
    read: async (which) => (which === "current" ? (current === undefined ? undefined : keep.get(current)) : keep.get(which.version)),
    stage: async (version, secret) => void keep.set(version, secret),
    async promote(version, over) {
      if (current !== version && current !== over) throw new AdapterError("foreign", "promote: another version is current");
      current = version;
    },
    discard: async (version) => void (version === current || keep.delete(version)),
  };
}

function instantConsumer(): Consumer {
  return {
    preflight: async () => [],
    reload: async () => ({ holds: "expected" }),
    prove: async () => ({ result: "proven", grade: "value", detail: {} }),
    describe: () => ({ reload: "", prove: "" }),
  };
}
