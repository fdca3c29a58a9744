import { z } from "zod";
import { accessThrough, isOnThisHost } from "../adapters/openclaw/access.ts";
import { activeValues } from "../adapters/openclaw/active.ts";
import { markOf } from "../adapters/openclaw/device.ts";
import { openGateway } from "../adapters/openclaw/gateway.ts";
import { knock } from "../adapters/openclaw/knock.ts";
import { OWN_TOKEN } from "../adapters/openclaw/paths.ts";
import { AdapterError } from "../src/contract/errors.ts";
import { defineProvider, type Provider, type VendorKey } from "../src/contract/provider.ts";
import { Secret } from "../src/contract/secret.ts";
import type { ThroughConsumer } from "../src/contract/through.ts";
import type { World } from "../src/contract/world.ts";

const BYTES = 32;

const settings = z.strictObject({
  consumer: z.string().describe("the consumer of type `openclaw` whose gateway it is: its address and its pairing are used"),
  alsoUsedBy: z
    .array(z.string().min(1))
    .prefault([])
    .describe("who else holds the token and must be given the new one, for people: a laptop's command line, a node, a browser"),
});
type Settings = z.output<typeof settings>;

/** The token of an OpenClaw gateway itself (`gateway.auth.token`), which we make, and of which it knows one at a time. */
export const openclawToken = defineProvider({
  title: "OpenClaw gateway, its own token",
  apiDocs: "https://docs.openclaw.ai/gateway/authentication",
  supply: "in-place",
  listLagMs: 0,
  makeSecret: (random) => new Secret(Buffer.from(random(BYTES)).toString("base64url")),
  through: { setting: "consumer", type: "openclaw" },
  settings,
  describe: ({ alsoUsedBy }) => ({
    create: `makes a random token of ${BYTES} bytes; the gateway hears nothing of it yet`,
    revoke: "nothing is called: by the reload the new token takes the old one's place",
    notes: [
      "paired devices, rotated among them, keep their own tokens and stay connected",
      alsoUsedBy.length === 0
        ? "nobody is named under alsoUsedBy; command lines on other hosts, nodes and browsers that use the token must be given the new one"
        : `must be given the new token: ${alsoUsedBy.join(", ")}`,
    ],
  }),
  connect: connectOpenclawToken,
});

function connectOpenclawToken(_: Settings, world: World, consumer?: ThroughConsumer): Provider & Required<Pick<Provider, "create">> {
  const access = accessThrough(consumer, world);
  const { name } = access;

  /** The gateway tells neither when a token was made nor what it is called: it counts from when it is looked at. */
  async function asKey(secret: Secret): Promise<VendorKey> {
    return { id: await markOf(access, secret), label: "", createdAt: new Date(world.clock.now()), enabled: true };
  }

  /** The token that is in use, as the gateway itself shows it. */
  async function live(signal: AbortSignal): Promise<Secret | undefined> {
    signal.throwIfAborted();
    using gateway = await openGateway(access, signal);
    return (await activeValues(gateway, [OWN_TOKEN]))[0]?.value;
  }

  return {
    ...(isOnThisHost(access) ? {} : { refusalsToDead: 1 }),

    /** Nobody is told: it is the gateway's token once the gateway has loaded it. */
    async create({ label, secret }, signal) {
      signal.throwIfAborted();
      if (secret === undefined) throw new Error("the gateway makes no token: it is made first");
      return { ...(await asKey(secret)), label, secret };
    },

    async list(signal) {
      const secret = await live(signal);
      return secret === undefined ? [] : [await asKey(secret)];
    },

    async identify(secret, signal) {
      return (await live(signal))?.equals(secret) ? asKey(secret) : undefined;
    },

    verify: (secret, signal) => knock(access, secret, signal),

    /** A token is gone when another one is in its place. */
    async revoke(keyId, signal) {
      const secret = await live(signal);
      if (secret === undefined || (await markOf(access, secret)) !== keyId) return;
      throw new AdapterError("undeletable", `${name}: revoke ${keyId}: it is the gateway's token, and no other one is in its place`, {
        cure: "rotate the credential: the new token replaces it",
      });
    },
  };
}
