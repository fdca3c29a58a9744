import { expect, test } from "vitest";
import { gemini } from "../../providers/gemini.ts";
import { startFakeGemini } from "../fakes/gemini.ts";
import { testWorld } from "../support/world.ts";

test.each([
  [400, { code: "unauthorized", hint: expect.stringMatching(/service account key in adminKey.*clock/) }],
  [401, { code: "unauthorized", hint: expect.stringMatching(/service account key in adminKey.*clock/) }],
  [404, { code: "malformed", hint: expect.stringContaining("tokenUrl") }],
])("a sign-in that is answered with %d says what to look at", async (status, expected) => {
  const fake = await startFakeGemini("fake-project");
  const world = await testWorld({ secrets: { admin: fake.admin } });
  const addresses = { baseUrl: fake.url, inferenceUrl: fake.url, tokenUrl: `${fake.url}/token` };
  const serviceAccount = "keys@fake-project.iam.gserviceaccount.com";
  const settings = gemini.settings.parse({ project: "fake-project", adminKey: { credential: "admin" }, serviceAccount, ...addresses });
  const exchange: typeof world.exchange = async () => ({ status, headers: {}, body: new Uint8Array() });
  try {
    const provider = gemini.connect(settings, { ...world, exchange });
    await expect(provider.list(AbortSignal.timeout(5000))).rejects.toMatchObject(expected);
  } finally {
    await world.close();
    await fake.close();
  }
});
