import type { StoreName } from "./credential.ts";
import { type Discretion, FORM } from "./discretion.ts";
import { GATEWAY } from "./gateway.ts";
import { type Mapping, variableIn } from "./mapping.ts";
import type { Entry, Setting } from "./proposal.ts";

/** A store that credentials of the proposal use. */
export function proposeStore(name: StoreName, config: Mapping, discretion: Discretion, readsFiles: boolean): Entry {
  switch (name) {
    case "local": {
      const comment =
        "OpenClaw reads a file of keys only when its own account owns it, so rotated must run as that account. Its agents could then read rotated's admin credentials: `rotatectl resolve` hands a key over from an account of rotated's own.";
      return { name, comment: readsFiles ? [comment] : [], settings: [{ name: "type", value: "file" }] };
    }
    case "openclaw-store":
      return {
        name,
        comment: [],
        settings: [
          { name: "type", value: "openclaw-secrets" },
          { name: "consumer", value: GATEWAY },
        ],
      };
    case "vault":
      return {
        name,
        comment: ["Its document must let rotated write, which the plugin's token need not."],
        settings: vault(config, discretion),
      };
  }
}

/** OpenClaw's plugin is set by variables of the gateway's environment. A configuration can name some of them. */
function vault(config: Mapping, { tell }: Discretion): readonly Setting[] {
  const url = tell(variableIn(config, "VAULT_ADDR"), FORM.address);
  // Vault's own tools take these two with slashes at their ends.
  const path = (name: string) => tell(String(variableIn(config, name) ?? "").replace(/^\/+|\/+$/g, ""), FORM.vault);
  const namespace = path("VAULT_NAMESPACE");
  const mount = path("OPENCLAW_VAULT_KV_MOUNT");
  return [
    { name: "type", value: "vault" },
    url === undefined || !/^https?:/.test(url)
      ? { name: "url", comment: "VAULT_ADDR of the gateway's environment" }
      : { name: "url", value: url },
    ...(namespace === undefined ? [] : [{ name: "namespace", value: namespace }]),
    ...(mount === undefined
      ? [{ name: "mount", value: "secret", comment: "OPENCLAW_VAULT_KV_MOUNT of the gateway's environment, where it is set" }]
      : [{ name: "mount", value: mount }]),
    {
      name: "auth",
      comment:
        "how rotated logs in, such as { appRole: { roleId: rotated, secretId: { credential: vault-secret-id } } }; examples/vault-policy.hcl has the rights",
    },
  ];
}
