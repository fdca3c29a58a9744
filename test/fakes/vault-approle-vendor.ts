import { startOpenBao } from "../support/openbao.ts";
import { startFaultProxy } from "./fault-proxy.ts";
import type { FakeVendor } from "./index.ts";

const ROLE = "auth/approle/role/rotated";
/** A list of accessors has no pages, and each is looked at by itself. */
const MOST_STRANGERS = 20;

/** A role at a real OpenBao, behind a proxy that makes faults, as the contract suite wants it. */
export async function vaultApproleVendor(): Promise<FakeVendor> {
  const bao = await startOpenBao();
  const proxy = await startFaultProxy(bao.url, (text) => ({ errors: [text] }));
  await bao.call("POST", "sys/auth/approle", { type: "approle" });
  await bao.call("POST", ROLE, { token_ttl: "1h", token_policies: ["default"] });
  const roleId: string = (await bao.call("GET", `${ROLE}/role-id`)).body.data.role_id;
  const basics = { url: proxy.url, role: "rotated", roleId, auth: { token: { credential: "root" } } };
  return {
    variants: { "without an end": basics, "with an end": { ...basics, expiresIn: "90d" } },
    secrets: { root: bao.rootToken },
    async use(secret) {
      const { status, body } = await bao.call("POST", "auth/approle/login", { role_id: roleId, secret_id: secret });
      if (status === 200) await bao.call("POST", "auth/token/revoke", { token: body.auth.client_token });
      return status;
    },
    async liveKeys() {
      const { status, body } = await bao.call("LIST", `${ROLE}/secret-id`);
      return status === 404 ? [] : [...body.data.keys].sort();
    },
    async addStrangers(count) {
      for (let n = 0; n < Math.min(count, MOST_STRANGERS); n++) await bao.call("POST", `${ROLE}/secret-id`, {});
    },
    /** The role lets nobody in from here, until the next test. */
    async exhaust() {
      await bao.call("POST", ROLE, { secret_id_bound_cidrs: "10.0.0.0/8" });
    },
    async makeRoom() {
      await bao.call("POST", ROLE, { secret_id_bound_cidrs: "" });
    },
    createCall: { method: "POST", path: "/secret-id$" },
    revokeCall: { method: "POST", path: "/destroy$" },
    addFault: (rule) => proxy.faults.add(rule),
    requests: () => proxy.log.length,
    connections: () => proxy.connections,
    reset() {
      proxy.faults.clear();
      proxy.log.length = 0;
    },
    async close() {
      await proxy.close();
      await bao.close();
    },
  };
}
