import { z } from "zod";
import { type AdapterCode, AdapterError } from "../../src/contract/errors.ts";

interface Answer {
  readonly action: string;
  /** The file with the rights that the calls need. */
  readonly policy: string;
  /** What the caller knows of the texts of its own paths. */
  readonly texts: readonly KnownText[];
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** `undefined` when it is no JSON. */
  readonly body: unknown;
}

export interface Meaning {
  readonly code: AdapterCode;
  readonly why: string;
  readonly cure?: string;
}

const errorBody = z.looseObject({ errors: z.array(z.string()) });
/** Some answers about what is not there carry their text so. */
const errorInData = z.looseObject({ data: z.looseObject({ error: z.string() }) });
const deletedVersion = z.looseObject({ data: z.looseObject({ metadata: z.looseObject({}) }) });

/** What a text means that comes with one of some statuses. */
export interface KnownText {
  readonly statuses: readonly number[];
  readonly text: RegExp;
  readonly means: Meaning;
}

/** Vault gives no codes, so its texts decide where a status has several meanings. None of them is passed on. */
const TEXTS: readonly KnownText[] = [
  {
    statuses: [400],
    text: /check-and-set parameter did not match/,
    means: { code: "inconclusive", why: "another writer was faster", cure: "nothing was written; the next try looks at what is there now" },
  },
  {
    statuses: [404],
    text: /no handler for route/,
    means: { code: "misconfigured", why: "nothing is mounted there", cure: "look at url, namespace and mount" },
  },
  {
    statuses: [404],
    text: /namespace not found/,
    means: { code: "misconfigured", why: "there is no such namespace", cure: "look at namespace" },
  },
  {
    statuses: [503],
    text: /sealed/i,
    means: { code: "unavailable", why: "it is sealed", cure: "unseal it: bao operator unseal, or vault operator unseal" },
  },
];

const STATUSES: Readonly<Record<number, Meaning>> = {
  403: { code: "forbidden", why: "permission denied" },
  404: { code: "notFound", why: "there is no such thing" },
  405: { code: "misconfigured", why: "no such operation there", cure: "look at mount: it must be a KV engine, version 2" },
  412: { code: "unavailable", why: "this replica is behind" },
  429: { code: "rateLimited", why: "too many requests" },
  472: { code: "unavailable", why: "a replica that takes no requests" },
  473: { code: "unavailable", why: "a standby that takes no requests" },
};

/** What an answer refuses; `undefined` when it is none. A version that was deleted is an answer, though its status is 404. */
export function refusal({ action, policy, texts, status, headers, body }: Answer): AdapterError | undefined {
  if (status >= 200 && status < 300) {
    if (body !== undefined || status === 204) return undefined;
    return new AdapterError("malformed", `${action}: status ${status}, but the answer is no JSON`);
  }
  if (status === 404 && deletedVersion.safeParse(body).success) return undefined;
  const { code, why, cure = status === 403 ? rightsOf(policy) : undefined } = meaning(status, body, texts);
  const seconds = headers["retry-after"] ?? "";
  return new AdapterError(code, `${action}: status ${status}, ${why}`, {
    ...(cure !== undefined && { cure }),
    ...(/^\d+$/.test(seconds) && { retryAfterMs: Number(seconds) * 1000 }),
  });
}

function rightsOf(policy: string): string {
  return `give the token the rights of ${policy}, in the namespace of the settings`;
}

function meaning(status: number, body: unknown, own: readonly KnownText[]): Meaning {
  const inData = errorInData.safeParse(body).data?.data.error;
  const errors = errorBody.safeParse(body).data?.errors ?? (inData === undefined ? undefined : [inData]);
  const known = [...own, ...TEXTS].find((entry) => entry.statuses.includes(status) && errors?.some((text) => entry.text.test(text)));
  if (known !== undefined) return known.means;
  if (status < 400)
    return { code: "malformed", why: "and redirects are not followed", cure: "set url to the address that it redirects to" };
  if (status >= 500) return { code: "unavailable", why: "it could not answer" };
  if (errors === undefined) return { code: "malformed", why: "which is no answer of a Vault" };
  // Only a 404 without a text says that a document is not there: nobody may take another for an empty place.
  if (status === 404 && errors.length > 0)
    return { code: "misconfigured", why: "there is no such place", cure: "look at url, namespace and mount" };
  return STATUSES[status] ?? { code: "invalid", why: "refused as wrong" };
}
