import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { FAKE_VENDORS } from "../fakes/index.ts";
import { PlugHost } from "../kill/plug-host.ts";
import { PLUG_STORES, type PlugStoreName } from "../kill/plug-stores.ts";

const PRELOAD = fileURLToPath(new URL("../tools/log-modules.mjs", import.meta.url));

/** What costs memory and start-up, and serves one kind of plug only. */
const LIBRARIES = ["@aws-sdk", "@azure", "google-auth-library", "node-vault"];

/** Packages that the daemon loaded for a rotation, by their first part: `@aws-sdk/client-iam` is `@aws-sdk`. */
async function loadedFor(store: PlugStoreName): Promise<ReadonlySet<string>> {
  const vendor = await FAKE_VENDORS.openai();
  const log = (env: Readonly<Record<string, string>>, to: string) => ({ ...env, NODE_OPTIONS: `--import=${PRELOAD}`, MODULES_TO: to });
  const host = await PlugHost.make({
    provider: "openai",
    vendor,
    watched: [],
    store: async (on) => {
      const kept = await PLUG_STORES[store](on);
      return { ...kept, env: log(kept.env, on.path("modules")) };
    },
  });
  try {
    await host.open(undefined);
    const { id } = await host.host.rotate("main");
    expect((await host.host.settled(id)).outcome).toBe("done");
    const modules = host.host.read("modules").split("\n").flatMap(partsOf);
    return new Set(modules.flatMap((module) => /node_modules\/([^/]+)\//.exec(module)?.[1] ?? []));
  } finally {
    await host.close();
    await vendor.close();
  }
}

/** A module as it was loaded, and what was built into it: the build writes the path of each part above it. */
function partsOf(url: string): readonly string[] {
  if (!url.includes("/dist/")) return [url];
  return [...readFileSync(fileURLToPath(url), "utf8").matchAll(/^\/\/ (\S+)$/gm)].map(([, part = ""]) => part);
}

describe("a library is loaded only where the configuration needs it", () => {
  test.each<[PlugStoreName, readonly string[]]>([
    ["file", []],
    ["vault", ["node-vault"]],
    ["aws-secrets-manager", ["@aws-sdk"]],
  ])("store %s: %j", async (store, needed) => {
    const loaded = await loadedFor(store);
    expect(loaded, "the list says what was loaded").toContain("zod");
    expect(LIBRARIES.filter((name) => loaded.has(name))).toEqual(needed);
  });
});
