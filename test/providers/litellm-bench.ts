import { litellm } from "../../providers/litellm.ts";
import type { VendorKey } from "../../src/contract/provider.ts";
import { Secret } from "../../src/contract/secret.ts";
import { type FakeLiteLlm, startFakeLiteLlm } from "../fakes/litellm.ts";
import { type TestWorld, testWorld } from "../support/world.ts";

export const good = { baseUrl: "http://127.0.0.1:1", adminKey: { credential: "master" } };

/** LiteLLM's fake, and the provider in front of it. */
export interface LiteLlmBench {
  readonly fake: FakeLiteLlm;
  /** Its admin keys: `master`, `ordinary` and `wrong`. */
  readonly world: TestWorld;
  readonly provider: ReturnType<typeof litellm.connect>;
  /** The provider with these settings beside the good ones. */
  connect(settings?: Readonly<Record<string, unknown>>): ReturnType<typeof litellm.connect>;
  /** A secret of the form that the proxy takes. */
  newSecret(): Secret;
  /** The key as the provider lists it. */
  listed(token: string): Promise<VendorKey>;
  /** Throws where a line of the log holds a secret. */
  close(): Promise<void>;
}

export async function liteLlmBench(): Promise<LiteLlmBench> {
  const fake = await startFakeLiteLlm();
  const ordinary = fake.vendor.addKey("ordinary");
  const world = await testWorld({
    secrets: { master: fake.vendor.masterKey, ordinary: ordinary.secret, wrong: "sk-canary-wrong-master" },
  });
  const connect: LiteLlmBench["connect"] = (settings = {}) =>
    litellm.connect(litellm.settings.parse({ ...good, baseUrl: fake.url, ...settings }), world);
  const provider = connect();
  return {
    fake,
    world,
    provider,
    connect,
    newSecret: () => new Secret(`sk-canary-${Buffer.from(world.random(16)).toString("hex")}`),
    listed: async (token) => (await provider.list(new AbortController().signal)).find(({ id }) => id === token) ?? never(),
    async close() {
      await world.close();
      await fake.close();
      if (world.logged.join("\n").includes("canary")) throw new Error("a secret of the proxy was logged");
    },
  };
}

export function never(): never {
  throw new Error("the proxy does not have the key");
}
