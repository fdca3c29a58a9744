import { shaped } from "../adapters/vault/session.ts";
import { AdapterError } from "../src/contract/errors.ts";
import type { Finding } from "../src/contract/finding.ts";
import { defineProvider, type Provider } from "../src/contract/provider.ts";
import { verdictOn } from "../src/contract/verdict.ts";
import type { World } from "../src/contract/world.ts";
import { created, roleId as roleIdReply, role as roleReply, type SecretIdRow, toKey } from "./vault-approle/replies.ts";
import { openRole, unlessGone } from "./vault-approle/role.ts";
import { type Settings, settings } from "./vault-approle/settings.ts";

/** The secret-ids of one AppRole at Vault or OpenBao. A key's id is the accessor. */
export const vaultApprole = defineProvider({
  title: "HashiCorp Vault or OpenBao (secret-ids of an AppRole)",
  apiDocs: "https://developer.hashicorp.com/vault/api-docs/auth/approle",
  supply: "create",
  listLagMs: 10_000,
  settings,
  describe: ({ role, expiresIn }) => ({
    create: `makes a secret-id of the role ${role}, with its label in the metadata`,
    revoke: `destroys the old secret-id of the role ${role}, and revokes every token that carries its label`,
    afterRevoke: "a token of a secret-id that was adopted without a label of ours lives to its own end, unless rotated itself held it",
    ...(expiresIn !== undefined && { keyLifetimeMs: expiresIn }),
  }),
  connect: connectAppRole,
});

/** Labels that we gave. A person's own may be on secret-ids that are not ours. */
const OUR_LABEL = /^rotated-/;
/** Looks for tokens of a secret-id before it counts as one that goes on making them. */
const MOST_LOOKS = 5;

function connectAppRole(settings: Settings, world: World): Provider {
  const { role: name } = settings;
  const role = openRole(settings, world);

  /** Ends when a look finds no token any more: that is the proof that those before are refused. */
  async function revokeTokensOf(label: string, signal: AbortSignal): Promise<void> {
    for (let look = 0; look < MOST_LOOKS; look += 1) {
      const tokens = await role.tokensOf(label, signal);
      if (tokens.length === 0) return;
      for (const token of tokens) await role.revokeToken(token, signal);
    }
    throw new AdapterError("inconclusive", `vault-approle: revoke the tokens of ${label}: there are new ones at each look`);
  }

  return {
    keepSession: role.keepSession,

    async preflight(signal) {
      const does = "look at the role";
      const reply = await unlessGone(role.ask({ does, method: "GET", path: role.role, signal }));
      if (reply === undefined) return [finding("noRole", `there is no role ${name}`, "look at role, mount and namespace")];
      const { data } = shaped(roleReply, `vault-approle: ${does}`, reply);
      const idReply = await role.ask({ does, method: "GET", path: `${role.role}/role-id`, signal });
      const { role_id } = shaped(roleIdReply, `vault-approle: ${does}`, idReply).data;
      return [
        ...(role_id === settings.roleId ? [] : [finding("otherRole", `roleId is not the id of the role ${name}`, "correct roleId")]),
        ...(data.bind_secret_id
          ? []
          : [finding("noSecretId", `the role ${name} takes a login without a secret-id`, "set bind_secret_id on the role")]),
        ...(data.secret_id_num_uses === 0 ? [] : [finding("limitedUses", `secret-ids of the role ${name} ${FEW_USES}`, UNLIMITED)]),
        ...(data.token_type?.includes("batch")
          ? [finding("batchTokens", `tokens of the role ${name} are batch tokens, which nobody can revoke`, "set token_type=service on it")]
          : []),
      ];
    },

    async create({ label, like }, signal) {
      const before = like === undefined ? undefined : await role.byAccessor(like.id, signal);
      if (before !== undefined && before.secret_id_num_uses > 0)
        throw new AdapterError("misconfigured", `vault-approle: make a secret-id: the one before ${FEW_USES}`, { cure: UNLIMITED });
      const does = "make a secret-id";
      const body = bodyOf(label, before, settings);
      const reply = await role.ask({ does, method: "POST", path: `${role.role}/secret-id`, body, signal });
      const { secret_id: secret, secret_id_accessor: id, secret_id_ttl: ttl } = shaped(created, `vault-approle: ${does}`, reply).data;
      const createdAt = new Date(world.clock.now());
      return { id, label, createdAt, enabled: true, secret, ...(ttl > 0 && { expiresAt: new Date(createdAt.getTime() + ttl * 1000) }) };
    },

    async list(signal) {
      const now = world.clock.now();
      return (await role.secretIds(signal)).map((row) => toKey(row, now));
    },

    async identify(secret, signal) {
      const row = await role.bySecret(secret, signal);
      return row === undefined ? undefined : toKey(row, world.clock.now());
    },

    async verify(secret, signal) {
      return verdictOn(() => role.tryOut(secret, signal));
    },

    /** The secret-id first: after it is gone no further token can be born of it. */
    async revoke(keyId, signal, label) {
      const does = "destroy a secret-id";
      const made = label !== undefined && OUR_LABEL.test(label) ? label : (await role.byAccessor(keyId, signal))?.metadata?.["label"];
      const path = `${role.role}/secret-id-accessor/destroy`;
      await unlessGone(role.ask({ does, method: "POST", path, body: { secret_id_accessor: keyId }, signal }));
      if (made !== undefined && OUR_LABEL.test(made)) await revokeTokensOf(made, signal);
    },
  };
}

const FEW_USES = "may be used a few times only, and each proof is a login";
const UNLIMITED = "set secret_id_num_uses=0 on the role, and make a secret-id without num_uses";

function finding(code: string, message: string, cure: string): Finding {
  return { code, message: `vault-approle: ${message}`, cure };
}

/** What the one before could do, and no more. */
function bodyOf(label: string, before: SecretIdRow | undefined, { expiresIn }: Settings): object {
  const ttl = expiresIn === undefined ? (before?.secret_id_ttl ?? 0) : Math.floor(expiresIn / 1000);
  const [cidrs, tokenCidrs] = [before?.cidr_list ?? [], before?.token_bound_cidrs ?? []];
  return {
    metadata: JSON.stringify({ ...before?.metadata, label }),
    ...(ttl > 0 && { ttl: `${ttl}s` }),
    ...(cidrs.length > 0 && { cidr_list: cidrs.join(",") }),
    ...(tokenCidrs.length > 0 && { token_bound_cidrs: tokenCidrs.join(",") }),
  };
}
