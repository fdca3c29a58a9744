import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { OpenClawConfig } from "./config.ts";
import { RpcRefusal } from "./handshake.ts";
import type { Runs } from "./runs.ts";
import { type Secrets, StrictFailure } from "./secrets.ts";
import type { Store } from "./store.ts";

export interface Inside {
  readonly config: OpenClawConfig;
  readonly path: string;
  readonly secrets: Secrets;
  readonly runs: Runs;
  readonly store: Store;
  readonly lines: readonly string[];
  log(line: string): void;
  approve(requestId: string): boolean;
}

interface Method {
  readonly scope: "operator.read" | "operator.write" | "operator.admin";
  readonly params: z.ZodType;
  /** `early` sends a first answer under the same id. */
  run(inside: Inside, params: never, early: (payload: unknown) => void): unknown;
}

function method<Params>(
  scope: Method["scope"],
  params: z.ZodType<Params>,
  run: (inside: Inside, params: Params, early: (payload: unknown) => void) => unknown,
): Method {
  return { scope, params, run: run as Method["run"] };
}

const none = z.strictObject({});
/** The real gateway writes its log after it has answered. */
const LOG_LAG_MS = 50;
const BLACK = "__OPENCLAW_REDACTED__";
const TARGETS = [
  ...["apiKey", "headers.*", "request.headers.*", "request.auth.token", "request.auth.value"].map((field) => `models.providers.*.${field}`),
  ...["memory.search.remote.apiKey", "tts.providers.*.apiKey", "tts.personas.*.providers.*.apiKey"].flatMap((field) => [
    field,
    `agents.entries.*.${field}`,
  ]),
  ...["talk.providers.*.apiKey", "talk.realtime.providers.*.apiKey", "skills.entries.*.apiKey"],
  ...["plugins.entries.exa.config.webSearch.apiKey", "gateway.auth.token", "gateway.remote.token"],
];

/** Every method that the fake knows; any other is refused, and so is a parameter that is not listed here. */
export const METHODS: Readonly<Record<string, Method>> = {
  "secrets.reload": method("operator.admin", none, async ({ secrets, log }) => {
    try {
      return { ok: true, warningCount: (await secrets.reload()) > 0 ? 1 : 0 };
    } catch (error) {
      if (!(error instanceof StrictFailure)) throw error;
      setTimeout(log, LOG_LAG_MS, `secrets.reload failed: ${error.message}`);
      throw new RpcRefusal("UNAVAILABLE", "secrets.reload failed");
    }
  }),

  "secrets.resolve": method(
    "operator.admin",
    z.strictObject({ commandName: z.string().min(1), targetIds: z.array(z.string()), allowedPaths: z.array(z.string()).optional() }),
    ({ secrets }, { targetIds, allowedPaths }) => {
      const unknown = targetIds.find((id) => !TARGETS.includes(id));
      if (unknown !== undefined) throw new RpcRefusal("INVALID_REQUEST", `invalid secrets.resolve params: unknown target id "${unknown}"`);
      const name = String.raw`(\.[^.[\]]+|\["[^"]+"\])`;
      const patterns = targetIds.map(
        (id) =>
          new RegExp(
            `^${id
              .split(".*")
              .map((part) => part.replaceAll(".", "\\."))
              .join(name)}$`,
          ),
      );
      const paths = secrets
        .paths()
        .filter((path) => patterns.some((pattern) => pattern.test(path)) && (allowedPaths?.includes(path) ?? true));
      const assignments = paths.flatMap((path) => {
        const value = secrets.active(path);
        return value === undefined ? [] : [{ path, pathSegments: path.split("."), value }];
      });
      return { ok: true, assignments, diagnostics: [], inactiveRefPaths: [] };
    },
  ),

  "secrets.store.list": method("operator.admin", none, ({ store }) => ({ entries: store.list() })),

  "secrets.store.set": method(
    "operator.admin",
    z.strictObject({
      name: z.string(),
      value: z.string(),
      kind: z.enum(["secret", "env"]),
      allowedHosts: z.array(z.string()).max(128).optional(),
    }),
    async (inside, { name, value, kind }) => {
      inside.store.set(name, value, kind, "gateway-client");
      return { ok: true, ...(await afterWrite(inside, name, "saved")) };
    },
  ),

  "secrets.store.delete": method("operator.admin", z.strictObject({ name: z.string() }), async (inside, { name }) => {
    inside.store.remove(name);
    return { ok: true, ...(await afterWrite(inside, name, "deleted")) };
  }),

  status: method("operator.read", none, ({ secrets }) => ({ runtimeVersion: "2026.9.6", degradedSecretOwners: secrets.degraded() })),
  health: method("operator.read", none, () => ({ ok: true })),

  "models.probe": method(
    "operator.admin",
    z.strictObject({ provider: z.string(), agentId: z.string().optional(), timeoutMs: z.number().min(5000).max(60_000).optional() }),
    ({ runs }, { provider, agentId }) => runs.probe(chosen(runs, agentId), provider),
  ),

  agent: method(
    "operator.write",
    z.strictObject({
      agentId: z.string(),
      sessionId: z.string(),
      sessionKey: z.string(),
      message: z.string().min(1),
      provider: z.string(),
      model: z.string(),
      modelRun: z.literal(true),
      promptMode: z.literal("none"),
      cleanupBundleMcpOnRunEnd: z.boolean(),
      idempotencyKey: z.string().min(1),
    }),
    async ({ runs, config }, { agentId, provider, model, message }, early) => {
      chosen(runs, agentId);
      const allowed = config.agents.defaults.models;
      if (allowed !== undefined && !(`${provider}/${model}` in allowed)) {
        throw new RpcRefusal("INVALID_REQUEST", `Model override "${provider}/${model}" is not allowed for agent "${agentId}"`);
      }
      early({ status: "accepted", runId: randomUUID() });
      const end = await runs.run({ agent: agentId, provider, model, prompt: message });
      if (!end.ok) throw new RpcRefusal("UNAVAILABLE", end.message);
      const target = { provider, model };
      const agentMeta = {
        ...target,
        promptTokens: 75,
        credentialSource: { kind: end.credential, evidence: "provider-config", authorization: "declared" },
        terminalReceipt: { requested: target, effective: target, rerouted: false },
      };
      return { status: "ok", result: { payloads: [{ text: end.text }], meta: { agentMeta, executionTrace: { fallbackUsed: false } } } };
    },
  ),

  "agents.list": method("operator.read", none, ({ runs }) => ({ defaultId: "main", agents: runs.agents() })),

  "sessions.list": method(
    "operator.read",
    z.strictObject({
      limit: z.int().min(1).optional(),
      offset: z.int().min(0).optional(),
      activeOnly: z.boolean().optional(),
      archived: z.union([z.boolean(), z.literal("all")]).optional(),
      includeGlobal: z.boolean().optional(),
      includeUnknown: z.boolean().optional(),
    }),
    ({ runs }, { limit = 50, offset = 0, activeOnly = false, archived = false, includeGlobal = false, includeUnknown = false }) => {
      const listed = runs.sessions.filter(
        (session) =>
          (includeGlobal || session.key !== "global") &&
          (includeUnknown || session.key !== "unknown") &&
          (archived === "all" || archived === (session.archived ?? false)) &&
          (!activeOnly || session.hasActiveRun),
      );
      const more = offset + limit < listed.length;
      return { sessions: listed.slice(offset, offset + limit), hasMore: more, nextOffset: more ? offset + limit : null };
    },
  ),

  "config.get": method("operator.read", none, ({ config, path }) => ({ path, exists: true, valid: true, config: blacken(config, []) })),

  "logs.tail": method("operator.read", z.strictObject({ limit: z.int().min(1).optional() }), ({ lines }, { limit = 500 }) => ({
    lines: lines.slice(-limit),
  })),

  "device.pair.approve": method("operator.admin", z.strictObject({ requestId: z.string() }), ({ approve }, { requestId }) => {
    if (!approve(requestId)) throw new RpcRefusal("INVALID_REQUEST", "unknown requestId");
    return { ok: true };
  }),
};

/** Runs one method for a connection with these scopes. */
export async function callMethod(
  inside: Inside,
  name: string,
  params: unknown,
  scopes: readonly string[],
  early: (payload: unknown) => void,
): Promise<unknown> {
  const known = METHODS[name];
  if (known === undefined) throw new RpcRefusal("INVALID_REQUEST", `unknown method: ${name}`);
  if (!scopes.includes("operator.admin") && !scopes.includes(known.scope))
    throw new RpcRefusal("FORBIDDEN", `missing scope: ${known.scope}`);
  const read = known.params.safeParse(params);
  if (!read.success) throw new RpcRefusal("INVALID_REQUEST", `invalid ${name} params: ${read.error.issues[0]?.path.join(".") ?? ""}`);
  return known.run(inside, read.data as never, early);
}

/** The entry is written already: what can still fail is that the gateway takes it up. */
async function afterWrite({ secrets, log }: Inside, name: string, what: "saved" | "deleted") {
  try {
    return await secrets.reloadEntry(name);
  } catch (error) {
    if (!(error instanceof StrictFailure)) throw error;
    setTimeout(log, LOG_LAG_MS, `secrets.store runtime refresh failed: ${error.message}`);
    throw new RpcRefusal("UNAVAILABLE", `Secret store entry was ${what}, but post-write runtime refresh failed.`);
  }
}

/** Methods that may be called thirty times a minute only. */
export const LIMITED: readonly string[] = ["secrets.store.set", "secrets.store.delete"];

function chosen(runs: Runs, agentId: string | undefined): string {
  const agents = runs.agents();
  if (agentId === undefined && agents.length > 1) {
    throw new RpcRefusal(
      "INVALID_REQUEST",
      "Multiple agents are configured, but model auth has no explicit owner. Pass agentId to select a configured agent.",
    );
  }
  const id = agentId ?? agents[0]?.id;
  if (agents.every((agent) => agent.id !== id)) throw new RpcRefusal("INVALID_REQUEST", `unknown agent id "${id}"`);
  return id ?? "";
}

/** Values, the ids of references and everything of a source are blacked out. */
function blacken(value: unknown, path: readonly string[]): unknown {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, blacken(inner, [...path, name])]));
  }
  const last = path.at(-1) ?? "";
  const isSource = path[0] === "secrets";
  const isSecret = ["apiKey", "token"].includes(last) || (last === "id" && path.at(-2) !== "models");
  return typeof value === "string" && (isSource || isSecret) && !path.includes("agents") ? BLACK : value;
}
