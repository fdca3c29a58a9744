import { type Discretion, FORM } from "./discretion.ts";
import { at } from "./mapping.ts";

/** An entry of `models.providers`, as far as it may be repeated. */
export interface ModelProvider {
  readonly name: string;
  readonly url: URL | undefined;
  /** It has an address, and one that cannot be repeated. */
  readonly hidden: boolean;
  readonly api: string | undefined;
  /** The first of its models. */
  readonly model: string | undefined;
}

/** Settings of a provider of rotated that OpenClaw's configuration tells. */
type Known = Readonly<Record<string, unknown>>;

export interface Vendor {
  /** The `type:` under rotated's `providers`, whether or not this version has it. */
  readonly type: string;
  /** The hosts of its API. */
  readonly host?: RegExp;
  /** What OpenClaw calls it, where there is no address, or one that says nothing. */
  readonly name: RegExp;
  readonly api?: RegExp;
  known?(found: ModelProvider): Known;
}

const withoutV1 = ({ url }: ModelProvider) => url && `${url.origin}${url.pathname}`.replace(/\/+(v1\/*)?$/, "");

/** The vendors that can be told by what OpenClaw has of them. A gateway of one's own is known by its name only. */
const VENDORS: readonly Vendor[] = [
  { type: "openai", host: /^api\.openai\.com$/, name: /^openai$/ },
  { type: "openrouter", host: /^openrouter\.ai$/, name: /^openrouter$/ },
  { type: "anthropic", host: /^api\.anthropic\.com$/, name: /^anthropic$/ },
  { type: "gemini", host: /^generativelanguage\.googleapis\.com$/, name: /^(google|gemini)$/, api: /^google-generative-ai$/ },
  {
    type: "azure-openai",
    host: /\.(openai\.azure|cognitiveservices\.azure|services\.ai\.azure)\.com$/,
    name: /^azure(-openai)?$/,
    known: ({ url }) => ({ account: url?.hostname.split(".")[0], inferenceUrl: url?.origin }),
  },
  {
    type: "aws-bedrock",
    host: /^bedrock(-runtime|-mantle)?\..*(amazonaws\.com|\.api\.aws)$/,
    name: /^(amazon-|aws-)?bedrock$/,
    api: /^bedrock-/,
    known: ({ url }) => ({ region: /^bedrock[a-z-]*\.([a-z]+(?:-[a-z]+)+-\d+)\./.exec(url?.hostname ?? "")?.[1] }),
  },
  { type: "litellm", name: /litellm/i, known: (found) => ({ baseUrl: withoutV1(found) }) },
  {
    type: "any-llm",
    name: /any-?llm/i,
    known: (found) => ({ baseUrl: withoutV1(found), verify: { model: found.model } }),
  },
];

export function readModelProvider(name: string, entry: unknown, { tell }: Discretion): ModelProvider {
  const given = at(entry, "baseUrl");
  const address = tell(given, FORM.address);
  const url = address !== undefined && URL.canParse(address) ? new URL(address) : undefined;
  const models = at(entry, "models");
  return {
    name,
    url,
    hidden: url === undefined && given !== undefined,
    api: tell(at(entry, "api"), FORM.word),
    model: tell(at(Array.isArray(models) ? models[0] : undefined, "id"), FORM.model),
  };
}

/** Whose keys these are; `undefined` when nothing tells it. An address says more than a name. */
export function vendorOf(found: ModelProvider): Vendor | undefined {
  const { name, url, hidden, api } = found;
  if (hidden) return undefined;
  if (url === undefined) return VENDORS.find((vendor) => vendor.name.test(name) || (api !== undefined && vendor.api?.test(api)));
  return (
    VENDORS.find(({ host }) => host?.test(url.hostname)) ?? VENDORS.find((vendor) => vendor.host === undefined && vendor.name.test(name))
  );
}
