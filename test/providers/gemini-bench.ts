import { gemini } from "../../providers/gemini.ts";
import { type FakeGemini, startFakeGemini } from "../fakes/gemini.ts";
import { type TestWorld, testWorld } from "../support/world.ts";

export const serviceAccount = "keys@fake-project.iam.gserviceaccount.com";
export const good = { project: "fake-project", adminKey: { credential: "admin" }, serviceAccount };

/** Google's fake, and the provider in front of it. */
export interface GeminiBench {
  readonly fake: FakeGemini;
  /** Its admin keys: `admin`, `reader`, `stranger`, `broken` and `literal`. */
  readonly world: TestWorld;
  /** The provider with these settings beside the good ones. */
  connect(settings: Readonly<Record<string, unknown>>, overrides?: Partial<TestWorld>): ReturnType<typeof gemini.connect>;
  /** A label that no key has yet. */
  newLabel(): string;
  /** Method and path of each request. */
  requests(): string[];
  close(): Promise<void>;
}

export async function geminiBench(): Promise<GeminiBench> {
  const fake = await startFakeGemini("fake-project");
  const stranger = { ...JSON.parse(fake.admin), client_email: "nobody@fake-project.iam.gserviceaccount.com" };
  const broken = { ...JSON.parse(fake.admin), private_key: "canary-no-pem" };
  const secrets = { admin: fake.admin, reader: fake.reader, stranger: JSON.stringify(stranger), broken: JSON.stringify(broken) };
  const world = await testWorld({ secrets: { ...secrets, literal: "canary-not-json" } });
  const addresses = { baseUrl: fake.url, inferenceUrl: fake.url, tokenUrl: `${fake.url}/token` };
  let labels = 0;
  return {
    fake,
    world,
    connect: (settings, overrides = {}) =>
      gemini.connect(gemini.settings.parse({ ...good, ...addresses, ...settings }), { ...world, ...overrides }),
    newLabel: () => `rotated-gemini-${++labels}`,
    requests: () => fake.log.map(({ method, path }) => `${method} ${path}`),
    async close() {
      await world.close();
      await fake.close();
    },
  };
}
