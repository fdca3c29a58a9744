import { z } from "zod";
import type { ConsumerDefinition } from "../contract/consumer.ts";
import type { ProviderDefinition } from "../contract/provider.ts";
import { httpUrl, type Rule, withRules } from "../contract/settings.ts";
import type { StoreDefinition } from "../contract/store.ts";
import { absolutePath, byName, cronExpression, length, name, someLength, timeOfDay, timeZone } from "./pieces.ts";
import { timing } from "./timing-schema.ts";

/** Everything that a `type:` may name. */
export interface Plugs {
  readonly providers: Readonly<Record<string, ProviderDefinition>>;
  readonly stores: Readonly<Record<string, StoreDefinition>>;
  readonly consumers: Readonly<Record<string, ConsumerDefinition>>;
}

/**
 * What one file calls its providers, stores and consumers. The value is the `type:` as it stands there, right or wrong:
 * a reference to an entry with a wrong type is no second mistake.
 */
export interface Names {
  readonly providers: ReadonlyMap<string, unknown>;
  readonly stores: ReadonlyMap<string, unknown>;
  readonly consumers: ReadonlyMap<string, unknown>;
}

const account = (error: string) => z.union([z.string().min(1), z.int().min(0)], { error }).describe(error);
const user = z.strictObject({ user: account("a user, by name or number") });
const group = z.strictObject({ group: account("a group, by name or number") });
const caller = z.union([user, group], { error: "a caller is given as { user: NAME } or { group: NAME }" });

const control = z.strictObject({
  act: z.array(caller).prefault([]).describe("who may read and act; while both lists are empty: root and the account of the daemon"),
  read: z.array(caller).prefault([]).describe("who may only read; to connect they need the group of the socket, too"),
});

const network = z.strictObject({
  proxy: httpUrl().optional().describe("the proxy of every outbound connection, WebSockets included; no user name or password in it"),
  noProxy: z.array(z.string().min(1)).prefault([]).describe("hosts that are reached without the proxy"),
  ca: z.array(absolutePath()).prefault([]).describe("PEM files with further certificate authorities"),
  allowHttp: z.boolean().prefault(false).describe("allows plain http and ws off loopback: whoever is on the way can read the keys"),
});

const window = withRules(
  z.strictObject({
    from: timeOfDay().describe("when it opens"),
    to: timeOfDay().describe("when it closes; earlier than `from` means the next day"),
    zone: timeZone(),
  }),
  [
    {
      broken: ({ from, to }) => typeof from === "string" && from === to,
      at: "to",
      message: "a window of no length",
      hint: "let it be a minute long at least; for the whole day leave the window out",
    },
  ],
);

/** The whole file. Without `names` a credential may refer to any name: that is what an editor can know. */
export function fileSchema(plugs: Plugs, names?: Names) {
  return z.strictObject({
    stateDirectory: absolutePath()
      .prefault("/var/lib/rotated")
      .describe("the daemon's own directory: database, HMAC key, device identities"),
    socket: absolutePath().prefault("/run/rotated/control.sock").describe("the control socket, which `rotatectl` talks to"),
    resolveSocket: absolutePath()
      .optional()
      .describe(
        "the socket of `rotatectl resolve`, there while a credential has `resolve`; `resolve.sock` beside the control socket if left out",
      ),
    providers: byName(entry(plugs.providers, providerSettings)).prefault({}).describe("the accounts at vendors, by a name of your choice"),
    stores: byName(entry(plugs.stores, (store) => store.settings))
      .prefault({})
      .describe("where consumers find their keys"),
    consumers: byName(entry(plugs.consumers, consumerSettings)).prefault({}).describe("the programs that call a vendor with a key"),
    credentials: byName(credential(plugs, names)).prefault({}).describe("what is rotated: each has one live key at its provider"),
    control: control.prefault({}).describe("who may use the control socket"),
    network: network.prefault({}).describe("how outbound connections are made"),
    timing: timing.prefault({}).describe("every number of a rotation; the defaults are cautious"),
  });
}

function providerSettings({ settings, lastUsed }: ProviderDefinition): z.ZodObject {
  const more = settings.safeExtend({
    listLag: length()
      .optional()
      .describe("how long a new key may be missing from the vendor's list; overrides what is known of the vendor"),
    revokeLag: length()
      .optional()
      .describe("how long a revoked key may still be accepted by a part of the vendor; overrides what is known of the vendor"),
  });
  if (lastUsed === undefined) return more;
  return more.safeExtend({
    lastUsedLag: length().optional().describe("how late the vendor tells that a key was used; overrides what is known of the vendor"),
    lastUsedPrecision: length().optional().describe("how exact that time is; overrides what is known of the vendor"),
  });
}

function consumerSettings({ settings }: ConsumerDefinition): z.ZodObject {
  return settings.safeExtend({
    acceptAnswered: z
      .boolean()
      .prefault(false)
      .describe("takes a request that succeeded as evidence, where the vendor also shows the old key idle"),
  });
}

/** `{ type, …settings }`: one shape for each definition. */
function entry<Definition>(definitions: Readonly<Record<string, Definition>>, settings: (definition: Definition) => z.ZodObject) {
  const shapes = Object.entries(definitions).map(([type, definition]) =>
    settings(definition).safeExtend({ type: z.literal(type).describe("what kind it is") }),
  );
  return choice("type", shapes) as z.ZodType<{ readonly type: string } & Readonly<Record<string, unknown>>>;
}

/** `{ use, …settings }`: the shape hangs on the type of what is used. */
function use<Definition>(
  definitions: Readonly<Record<string, Definition>>,
  names: ReadonlyMap<string, unknown> | undefined,
  settings: (definition: Definition) => z.ZodObject,
) {
  type Use = z.ZodType<{ readonly use: string } & Readonly<Record<string, unknown>>>;
  if (names === undefined) {
    const shapes = Object.values(definitions).map((definition) => settings(definition).safeExtend({ use: name().describe("its name") }));
    const [first = z.looseObject({ use: name() }), ...rest] = shapes;
    return (rest.length === 0 ? first : z.union([first, ...rest])) as unknown as Use;
  }
  const shapes = [...names].map(([used, type]) => {
    const definition = typeof type === "string" && Object.hasOwn(definitions, type) ? definitions[type] : undefined;
    return (definition === undefined ? z.looseObject({}) : settings(definition)).safeExtend({ use: z.literal(used) });
  });
  return choice("use", shapes) as Use;
}

function choice(key: "type" | "use", shapes: readonly z.ZodObject[]): unknown {
  const [first, ...rest] = shapes;
  if (first !== undefined) return z.discriminatedUnion(key, [first, ...rest]);
  return z.looseObject({ [key]: z.string().refine(() => false, { params: { discriminator: key } }) });
}

const SCHEDULE_RULES: readonly Rule[] = [
  {
    broken: ({ every, cron }) => every !== undefined && cron !== undefined,
    at: "cron",
    message: "two schedules: `every` and `cron`",
    hint: "remove one of the two",
  },
  {
    broken: ({ cron, zone }) => cron !== undefined && zone === undefined,
    at: "cron",
    message: "a cron expression without a time zone",
    hint: "add the zone that it is meant in, such as zone: Europe/Berlin or zone: UTC",
  },
  {
    broken: ({ cron, zone }) => cron === undefined && zone !== undefined,
    at: "zone",
    message: "a time zone without a cron expression",
    hint: "remove it, or say with cron when rotations begin; a window has a zone of its own",
  },
];

function credential(plugs: Plugs, names: Names | undefined) {
  const known = names?.providers;
  const provider = name().describe("the name of one of `providers`");
  const shape = z.strictObject({
    provider: known === undefined ? provider : provider.refine((used) => known.has(used), { params: { names: "providers" } }),
    store: use(plugs.stores, names?.stores, (store) => store.place).describe("where its key is kept: `use` names one of `stores`"),
    mirrors: z
      .array(use(plugs.stores, names?.stores, (store) => store.place))
      .prefault([])
      .describe("further places that get a copy of the key, after the store: `use` names one of `stores`"),
    consumers: z
      .array(use(plugs.consumers, names?.consumers, (consumer) => consumer.use))
      .prefault([])
      .describe("who uses it: `use` names one of `consumers`; none is needed where only rotated itself does, by `{ store: NAME }`"),
    resolve: z
      .array(user)
      .prefault([])
      .describe("the accounts that get its current value by `rotatectl resolve`, such as the gateway's: `[{ user: alice }]`"),
    every: someLength()
      .optional()
      .describe("how long after the last finished rotation the next one begins; without `every` and `cron` only by hand"),
    cron: cronExpression().optional().describe("when rotations begin, as a cron expression of five fields; needs `zone`"),
    zone: timeZone().optional().describe("the IANA time zone of `cron`, such as `Europe/Berlin`"),
    window: window.optional().describe("the part of the day in which rotations begin"),
    overlap: length().prefault("1h").describe("how long the old key stays good beside the new one"),
    jitter: length().prefault("0s").describe("up to this much is added to each planned time, different for each credential"),
    onIncident: z
      .enum(["mint-first", "revoke-first"])
      .optional()
      .describe("what an alert about a leaked key does first; has no effect until rotated receives alerts"),
  });
  return withRules(shape, SCHEDULE_RULES);
}

/** For editors: the file as it is written, with descriptions and defaults. */
export function jsonSchema(plugs: Plugs): Readonly<Record<string, unknown>> {
  return { title: "Configuration of rotated", ...z.toJSONSchema(fileSchema(plugs), { io: "input" }) };
}
