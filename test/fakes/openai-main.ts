/**
 * The OpenAI fake as a process of its own: `node test/fakes/openai-main.ts [--port 0] [--project proj_fake]`.
 * Prints one line of JSON with its address and its seeded keys, then serves until it is told to stop.
 * What another process may ask of it: openai/control.ts.
 */
import { parseArgs } from "node:util";
import { startFakeOpenAi } from "./openai.ts";

const { values } = parseArgs({ options: { port: { type: "string", default: "0" }, project: { type: "string", default: "proj_fake" } } });
const fake = await startFakeOpenAi({ port: Number(values.port), project: values.project });
const { url, admin, account, key } = fake;
const control = new URL("/__fake", url).href;
console.log(
  JSON.stringify({
    url,
    control,
    project: values.project,
    adminKey: admin.secret,
    serviceAccount: account.id,
    key: { id: key.id, secret: key.secret },
  }),
);
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    void fake.close();
  });
}
