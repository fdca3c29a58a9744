import type { KnownText } from "../../adapters/vault/refusals.ts";

/** What refusals of the calls about secret-ids and tokens mean. */
export const ROLE_TEXTS: readonly KnownText[] = [
  {
    statuses: [400, 404, 500],
    text: /role .* does not exist/,
    means: { code: "misconfigured", why: "there is no such role", cure: "look at role, mount and namespace" },
  },
  // The status is that of an outage, or of a bad request: the text says that the thing is gone.
  { statuses: [404, 500], text: /failed to find accessor entry/, means: { code: "notFound", why: "there is no such secret-id" } },
  { statuses: [400, 403, 404, 500], text: /invalid accessor/, means: { code: "notFound", why: "there is no such token" } },
];

/** A login: only this text says that there is no such secret-id. Vault locks a role out for some time with a bare 403. */
export const LOGIN_TEXTS: readonly KnownText[] = [
  { statuses: [400], text: /^invalid (role or )?secret.id$/i, means: { code: "unauthorized", why: "no such secret-id" } },
  {
    statuses: [400],
    text: /unauthorized (by|through) CIDR/i,
    means: { code: "forbidden", why: "not from this address", cure: "look at the CIDR lists of the role and of its secret-ids" },
  },
  { statuses: [403], text: /./, means: { code: "inconclusive", why: "which does not say that there is no such secret-id" } },
];
