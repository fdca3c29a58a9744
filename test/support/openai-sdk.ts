import OpenAI from "openai";
import type { FakeOpenAi } from "../fakes/openai.ts";

/** The vendor's own client, which judges the fake: what it cannot read or sends otherwise, the fake has wrong. */
export function openAiSdk(fake: FakeOpenAi, apiKey = fake.key.secret, adminAPIKey = fake.admin.secret): OpenAI {
  return new OpenAI({ baseURL: fake.url, apiKey, adminAPIKey, maxRetries: 0, organization: null, project: null });
}
