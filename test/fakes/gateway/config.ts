import { z } from "zod";
import { ENTRY_NAME } from "./store.ts";

/** The part of openclaw.json that the fake understands; anything else in it is an error. The real gateway reads the same file. */

export const secretReference = z
  .strictObject({ source: z.enum(["file", "env", "exec", "store"]), provider: z.string(), id: z.string() })
  .refine(({ source, id }) => source !== "store" || ENTRY_NAME.test(id), "not the name of an entry of the store");
export type SecretReference = z.output<typeof secretReference>;

/** A path as OpenClaw writes it: what is no plain word stands in brackets. */
export const pathOf = (names: readonly string[]): string =>
  names.reduce(
    (path, name) => (/^[A-Za-z_$][\w$:-]*$/.test(name) ? [path, name].filter(Boolean).join(".") : `${path}[${JSON.stringify(name)}]`),
    "",
  );

const secretInput = z.union([z.string(), secretReference]);
const model = z.union([
  z.string().transform((primary) => ({ primary, fallbacks: [] as string[] })),
  z.strictObject({ primary: z.string(), fallbacks: z.array(z.string()).default([]) }),
]);

export const openclawConfig = z.strictObject({
  gateway: z.strictObject({
    mode: z.literal("local"),
    bind: z.enum(["loopback", "lan"]),
    port: z.int(),
    auth: z.strictObject({ mode: z.literal("token"), token: secretInput }),
    http: z.looseObject({}).optional(),
    controlUi: z.looseObject({}).optional(),
    remote: z.strictObject({ url: z.string().optional(), token: secretInput.optional() }).optional(),
  }),
  secrets: z.strictObject({
    providers: z.record(
      z.string(),
      z.discriminatedUnion("source", [
        z.strictObject({ source: z.literal("file"), path: z.string(), mode: z.enum(["json", "singleValue"]) }),
        z.strictObject({
          source: z.literal("exec"),
          command: z.string(),
          passEnv: z.array(z.string()).default([]),
          timeoutMs: z.number().default(5000),
        }),
      ]),
    ),
  }),
  models: z.strictObject({
    providers: z.record(
      z.string(),
      z.strictObject({
        baseUrl: z.url(),
        api: z.literal("openai-completions"),
        auth: z.literal("api-key").optional(),
        apiKey: secretInput.optional(),
        headers: z.record(z.string(), secretInput).optional(),
        models: z.array(z.strictObject({ id: z.string(), name: z.string() })).min(1),
      }),
    ),
  }),
  agents: z.strictObject({
    ownership: z.literal("explicit").optional(),
    defaults: z.strictObject({ model, models: z.record(z.string(), z.looseObject({})).optional() }),
    entries: z.record(z.string(), z.strictObject({ model: model.optional() })).optional(),
  }),
  talk: z
    .strictObject({ realtime: z.strictObject({ providers: z.record(z.string(), z.strictObject({ apiKey: secretInput })) }) })
    .optional(),
  plugins: z.strictObject({ enabled: z.literal(false), entries: z.record(z.string(), z.looseObject({})).optional() }),
});

export type OpenClawConfig = z.output<typeof openclawConfig>;
/** As it stands in the file. */
export type OpenClawFile = z.input<typeof openclawConfig>;
