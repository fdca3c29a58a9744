import { openai } from "../../providers/openai.ts";
import { type FakeOpenAi, startFakeOpenAi } from "../fakes/openai.ts";
import { type TestWorld, testWorld } from "../support/world.ts";

export const adminKey = { credential: "admin" };

/** OpenAI's fake, and the provider in front of it. */
export interface OpenAiBench {
  readonly fake: FakeOpenAi;
  /** Its admin keys: `admin`, `reader` and `nobody`. */
  readonly world: TestWorld;
  /** The provider with these settings. */
  connect(settings: Readonly<Record<string, unknown>>): ReturnType<typeof openai.connect>;
  /** The paths below the project that were asked for with this method. */
  requests(method: string): string[];
  close(): Promise<void>;
}

export async function openAiBench(): Promise<OpenAiBench> {
  const fake = await startFakeOpenAi();
  const world = await testWorld({ secrets: { admin: fake.admin.secret, reader: fake.reader.secret, nobody: "sk-admin-canary-nobody" } });
  return {
    fake,
    world,
    connect: (settings) =>
      openai.connect(openai.settings.parse({ project: fake.vendor.project, adminKey, baseUrl: fake.url, ...settings }), world),
    requests: (method) =>
      fake.log.filter((seen) => seen.method === method).map((seen) => seen.path.replace("/v1/organization/projects/proj_fake", "")),
    async close() {
      await world.close();
      await fake.close();
    },
  };
}
