import { z } from "zod";
import { AdapterError } from "../../src/contract/errors.ts";
import type { Secret } from "../../src/contract/secret.ts";
import { defineStore, type Mirror } from "../../src/contract/store.ts";
import { type Access, accessThrough } from "../openclaw/access.ts";
import { activeValues, readSettings } from "../openclaw/active.ts";
import { type Gateway, openGateway } from "../openclaw/gateway.ts";
import { referencePath, settingPath } from "../openclaw/paths.ts";

const settings = z.strictObject({
  consumer: z.string().describe("the consumer of type `openclaw` whose gateway it is: the mirror goes by its address and its pairing"),
});

const place = z.strictObject({
  path: z
    .string()
    .regex(/^[A-Z][A-Z0-9_]{0,127}$/, "the name of an entry: capital letters, digits and underscores, such as OPENAI_API_KEY")
    .describe("the name of the entry"),
  reference: settingPath()
    .optional()
    .describe("where openclaw.json refers to the entry; if left out, where the credential's use of the consumer says"),
});
type Place = z.output<typeof place>;

/** OpenClaw's own secret store: https://docs.openclaw.ai/gateway/secrets. It keeps one value, and shows it to nobody but its gateway. */
export const openclawSecrets = defineStore({
  title: "OpenClaw's own secret store, as a mirror",
  settings,
  place,
  through: { setting: "consumer", type: "openclaw" },
  cell: ({ consumer }, { path }) => `${consumer} ${path}`,
  describe: (_, { path }) => [
    `writing ${path} is the reload: the gateway uses the new value from then on`,
    "it lies unencrypted in the gateway's database, which the gateway's account can read",
  ],
  mirror: (_, place, { consumer }, world) =>
    connect(accessThrough(consumer, world), place, place.reference ?? referencePath(consumer?.use ?? {})),
});

const written = z.object({ reloaded: z.boolean() });
const listed = z.object({ entries: z.array(z.object({ name: z.string(), kind: z.string() })) });

/** There is no call that reads an entry back. What is seen of it is the value that the gateway uses at `reference`. */
function connect(access: Access, { path }: Place, reference: string): Mirror {
  const { name } = access;
  const cure = `${reference} in openclaw.json must be { "source": "store", "provider": "default", "id": "${path}" }`;

  async function entry(gateway: Gateway): Promise<{ readonly kind: string } | undefined> {
    return (await gateway.call("secrets.store.list", {}, listed)).entries.find((one) => one.name === path);
  }

  async function active(gateway: Gateway): Promise<Secret | undefined> {
    const [found] = await activeValues(gateway, [reference]);
    if (found !== undefined || (await entry(gateway)) === undefined) return found?.value;
    // Nobody can tell what is in it.
    throw new AdapterError("unavailable", `${name}: read ${path}: the gateway has this entry, but no value at ${reference}`, {
      cure: `${reference} in openclaw.json must refer to it; if it does, run: openclaw secrets reload`,
    });
  }

  return {
    async preflight(signal) {
      signal.throwIfAborted();
      using gateway = await openGateway(access, signal);
      const setting = (await readSettings(gateway)).at(reference);
      if (setting.is !== "reference" || setting.source !== "store") {
        const why = setting.is === "reference" ? `refers to the source "${setting.source}"` : "is no reference";
        throw new AdapterError("misconfigured", `${name}: ${reference} ${why}, not to OpenClaw's own store`, { cure });
      }
      const known = await entry(gateway);
      if (known === undefined && (await activeValues(gateway, [reference])).length > 0) {
        throw new AdapterError("misconfigured", `${name}: ${reference} has its value from another entry: there is no ${path}`, { cure });
      }
      if (known?.kind === "env") {
        throw new AdapterError("misconfigured", `${name}: ${path} is an entry that agents can read`, {
          cure: `keep it from them: openclaw secrets store set ${path} --kind secret, then: openclaw secrets reload`,
        });
      }
    },

    async read(signal) {
      signal.throwIfAborted();
      using gateway = await openGateway(access, signal);
      return await active(gateway);
    },

    async write(secret, over, signal) {
      signal.throwIfAborted();
      using gateway = await openGateway(access, signal);
      const found = await active(gateway);
      if (found?.equals(secret)) return;
      if (over === undefined ? found !== undefined : found?.equals(over) !== true) throw foreign(found, over);
      const { reloaded } = await gateway.call("secrets.store.set", { name: path, value: secret.reveal(), kind: "secret" }, written);
      if (reloaded) return;
      throw new AdapterError("misconfigured", `${name}: write ${path}: no reference names this entry, so nothing uses it`, { cure });
    },
  };

  function foreign(found: Secret | undefined, over: Secret | undefined): AdapterError {
    const [is, due] = [found === undefined ? "nothing" : "another value", over === undefined ? "nothing" : "the old value"];
    return new AdapterError("foreign", `${name}: write ${path}: the gateway uses ${is} where ${due} should be`, {
      cure: `somebody else wrote it: put the old value back with: openclaw secrets store set ${path}, then: openclaw secrets reload`,
    });
  }
}
