import {
  APIConnectionError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  type OpenAI,
  PermissionDeniedError,
  RateLimitError,
} from "openai";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { openAiSdk } from "../support/openai-sdk.ts";
import { type FakeOpenAi, startFakeOpenAi } from "./openai.ts";

let fake: FakeOpenAi;
let client: OpenAI;
const messages = [{ role: "user" as const, content: "ping" }];
const clientOf = (apiKey: string, adminAPIKey?: string) => openAiSdk(fake, apiKey, adminAPIKey);

beforeAll(async () => {
  fake = await startFakeOpenAi();
  client = openAiSdk(fake);
});
afterEach(() => fake.reset());
afterAll(() => fake.close());

describe("inference API", () => {
  it("lists models and answers", async () => {
    expect((await client.models.list()).data.map(({ id }) => id)).toContain("fake-1");
    const chat = await client.chat.completions.create({ model: "fake-1", messages });
    expect(chat.choices[0]?.message.content).toBe("pong");
    const response = await client.responses.create({ model: "fake-1", input: "ping", max_output_tokens: 16, store: false });
    expect(response.output_text).toBe("pong");
  });

  it("streams, with usage at the end", async () => {
    Object.assign(fake.pace, { chunks: 3, chunkMs: 1 });
    const stream = await client.chat.completions.create({
      model: "fake-1",
      messages,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = "";
    let tokens: number | undefined;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      tokens = chunk.usage?.total_tokens;
    }
    expect([text, tokens]).toEqual(["pong pong pong", 6]);
  });

  it("says who used what, and never a secret", async () => {
    const key = fake.vendor.addKey(fake.account, "counted");
    const uses = clientOf(key.secret);
    await uses.models.list();
    await uses.models.list();
    fake.vendor.deleteKey(key.id);
    await expect(uses.models.list()).rejects.toMatchObject({ status: 401, code: "invalid_api_key", type: "invalid_request_error" });
    expect([key.uses.length, key.refusals.length]).toEqual([2, 1]);
    expect(fake.log.map(({ keyId, status }) => [keyId, status])).toEqual([200, 200, 401].map((status) => [key.id, status]));
    expect(JSON.stringify(fake.log)).not.toContain("canary");
  });

  it("refuses unknown fields and models, an admin key, and a key out of quota", async () => {
    const odd = { model: "fake-1", messages, colour: "red" };
    await expect(client.chat.completions.create(odd)).rejects.toThrow(BadRequestError);
    await expect(client.chat.completions.create({ model: "gpt-0", messages })).rejects.toThrow(NotFoundError);
    await expect(client.responses.create({ model: "fake-1", input: "ping", max_output_tokens: 1 })).rejects.toThrow(BadRequestError);
    await expect(clientOf(fake.admin.secret).models.list()).rejects.toThrow(PermissionDeniedError);
    const key = fake.vendor.addKey(fake.account, "poor");
    key.outOfQuota = true;
    await expect(clientOf(key.secret).models.list()).rejects.toMatchObject({ status: 429, code: "insufficient_quota" });
  });
});

describe("faults", () => {
  it("meet the requests they are made for, in order", async () => {
    fake.faults.add({ path: "/models$", skip: 1, times: 1, fault: { do: "rateLimit", retryAfter: "3" } });
    await client.models.list();
    await client.responses.create({ model: "fake-1", input: "ping" });
    const limited: unknown = await client.models.list().catch((error: unknown) => error);
    expect(limited).toBeInstanceOf(RateLimitError);
    expect((limited as RateLimitError).headers.get("retry-after")).toBe("3");
    await client.models.list();
    fake.faults.add({ times: 1, fault: { do: "reply", status: 500 } });
    await expect(client.models.list()).rejects.toThrow(InternalServerError);
  });

  it("lose a reply after the work, or drop the request before it", async () => {
    const { serviceAccounts } = client.admin.organization.projects;
    const names = () => fake.vendor.listedAccounts().map(({ name }) => name);
    fake.faults.add({ times: 1, fault: { do: "loseReply" } });
    await expect(serviceAccounts.create(fake.vendor.project, { name: "lost" })).rejects.toThrow(APIConnectionError);
    fake.faults.add({ times: 1, fault: { do: "dropBefore" } });
    await expect(serviceAccounts.create(fake.vendor.project, { name: "dropped" })).rejects.toThrow(APIConnectionError);
    expect(names()).toContain("lost");
    expect(names()).not.toContain("dropped");
  });

  it("make a flapping vendor say yes and no in turn", async () => {
    Object.assign(fake.vendor.lags, { newKeyMs: 60_000, flaps: true, listMs: 60_000 });
    const key = fake.vendor.addKey(fake.account, "new");
    const uses = clientOf(key.secret);
    const answers: boolean[] = [];
    for (let n = 0; n < 4; n++)
      answers.push(
        await uses.models.list().then(
          () => true,
          () => false,
        ),
      );
    expect(answers.filter(Boolean)).toHaveLength(2);
    expect(fake.vendor.listed()).not.toContain(key);
  });

  it("can be driven by hooks and from another process", async () => {
    const phases: string[] = [];
    fake.onRequest = (seen, phase) => void phases.push(`${seen.n} ${phase}`);
    await client.models.list();
    expect(phases).toEqual(["1 before", "1 handled", "1 replied"]);
    fake.onRequest = undefined;

    const control = (path: string, method = "GET", body?: object) =>
      fetch(new URL(`/__fake${path}`, fake.url), { method, ...(body && { body: JSON.stringify(body) }) }).then((answer) => answer.text());
    await control("/faults", "POST", { times: 1, fault: { do: "html", status: 502 } });
    await control("/set", "POST", { lags: { newKeyMs: 5 }, rules: { keysArePermanent: true } });
    expect([fake.vendor.lags.newKeyMs, fake.vendor.rules.keysArePermanent]).toEqual([5, true]);
    await expect(client.models.list()).rejects.toThrow(InternalServerError);
    const state = `${await control("/state")}${await control("/log")}`;
    expect(state).toContain(fake.key.id);
    expect(state).not.toContain("canary");
    await control("/reset", "POST");
    expect(fake.vendor.rules.keysArePermanent).toBe(false);
  });
});
