import { z } from "zod";
import { AdapterError } from "../src/contract/errors.ts";
import type { HttpRequest } from "../src/contract/http.ts";
import { defineProvider, type Provider, type VendorKey } from "../src/contract/provider.ts";
import { signedIn } from "../src/contract/signed-in.ts";
import { verdictOn } from "../src/contract/verdict.ts";
import type { World } from "../src/contract/world.ts";
import { armRefusal, verifyRefusal } from "./azure-openai/refusals.ts";
import { type Settings, settings } from "./azure-openai/settings.ts";
import { makeSignIn } from "./azure-openai/sign-in.ts";
import { bothSlots, type Slot } from "./azure-openai/slots.ts";

/** The version of Azure Resource Manager's API whose replies are known here. */
const API_VERSION = "2025-09-01";

/** The two keys of one Azure OpenAI or Foundry account. */
export const azureOpenAi = defineProvider({
  title: "Azure OpenAI and Foundry",
  apiDocs: "https://learn.microsoft.com/azure/ai-services/rotate-keys",
  supply: "dual-slot",
  unlabelled: ({ exclusive }) => ({ exclusive }),
  account: ["baseUrl", "subscription"],
  listLagMs: 120_000,
  keyForm: { pattern: /^([0-9a-f]{32}|[0-9A-Za-z]{84})$/, hint: "a key has 32 or 84 letters and digits" },
  settings,
  describe({ account }) {
    return {
      create: `regenerates the one of the two keys of ${account} that does not serve: whoever uses it nevertheless is refused at once`,
      revoke: "regenerates the old key in its slot, where a value is left that nobody has",
    };
  },
  connect: connectAzureOpenAi,
});

function connectAzureOpenAi(settings: Settings, world: World): Provider & Required<Pick<Provider, "create" | "recover" | "preflight">> {
  const path = [settings.subscription, "resourceGroups", settings.resourceGroup].map(encodeURIComponent).join("/");
  const account = `${settings.baseUrl}/subscriptions/${path}/providers/Microsoft.CognitiveServices/accounts/${encodeURIComponent(settings.account)}`;
  const signIn = makeSignIn(settings, world);

  async function ask(what: "listKeys" | "regenerateKey", request: Pick<HttpRequest<unknown>, "action" | "body" | "signal">) {
    const call = { ...request, method: "POST", reply: bothSlots, refusal: armRefusal } as const;
    const url = `${account}/${what}?api-version=${API_VERSION}`;
    return signedIn(signIn, request.signal, (bearer) => world.http(url, { ...call, bearer }));
  }

  const look = (signal: AbortSignal) => ask("listKeys", { action: "azure-openai: list keys", signal });

  /** Makes the value in a slot useless, at once, and gives what stands there now. Never asked again without looking first. */
  async function regenerate({ name, id }: Slot, signal: AbortSignal): Promise<Slot> {
    const action = "azure-openai: regenerate key";
    const slots = await ask("regenerateKey", { action, body: { keyName: name }, signal });
    const now = slots.find((slot) => slot.name === name);
    if (now === undefined || now.id === id) throw new AdapterError("malformed", `${action}: ${name} holds what it held before`);
    return now;
  }

  /** Azure tells neither when a value was made nor when it was used. */
  const toKey = ({ id }: Slot): VendorKey => ({ id, label: "", createdAt: new Date(world.clock.now()), enabled: true });

  return {
    async preflight() {
      if (settings.exclusive) return [];
      const message = `azure-openai: the idle key of ${settings.account} may be in use by others, and a rotation regenerates it`;
      return [{ code: "notExclusive", message, cure: "see to it that nobody else uses the account's two keys, then set exclusive: true" }];
    },

    async create({ like }, signal) {
      const slots = await look(signal);
      const idle = slots.filter(({ id }) => id !== like?.id);
      const [slot] = idle;
      if (slot === undefined || idle.length !== 1) {
        const why = like === undefined ? "it is not known which of the two serves" : `neither slot holds ${like.id}`;
        throw new AdapterError("misconfigured", `azure-openai: regenerate key: ${why}`);
      }
      const made = await regenerate(slot, signal);
      return { ...toKey(made), secret: made.secret };
    },

    async list(signal) {
      return (await look(signal)).map(toKey);
    },

    async recover(keyId, signal) {
      const slot = (await look(signal)).find(({ id }) => id === keyId);
      if (slot === undefined) throw new AdapterError("notFound", `azure-openai: read key: neither slot holds ${keyId}`);
      return slot.secret;
    },

    async identify(secret, signal) {
      const slot = (await look(signal)).find((candidate) => candidate.secret.equals(secret));
      return slot === undefined ? undefined : toKey(slot);
    },

    async verify(secret, signal) {
      const { apiVersion } = settings.verify;
      const models = apiVersion === undefined ? "v1/models" : `models?api-version=${apiVersion}`;
      const headers = { "api-key": secret };
      const request = {
        action: "azure-openai: verify key",
        method: "GET",
        headers,
        reply: modelList,
        refusal: verifyRefusal,
        signal,
      } as const;
      return verdictOn(() => world.http(`${settings.inferenceUrl}/openai/${models}`, request));
    },

    async revoke(keyId, signal) {
      // A slot that holds another value by now is not regenerated: that one is somebody's.
      const slot = (await look(signal)).find(({ id }) => id === keyId);
      if (slot !== undefined) await regenerate(slot, signal);
    },
  };
}

const modelList = z.looseObject({ data: z.array(z.unknown()) });
