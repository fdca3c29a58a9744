import { z } from "zod";
import { awsCalls, awsSettings } from "../../src/aws/client.ts";
import { AdapterError } from "../../src/contract/errors.ts";
import { Secret } from "../../src/contract/secret.ts";
import { defineStore, type Store } from "../../src/contract/store.ts";
import { inTurn } from "../../src/contract/turns.ts";
import type { World } from "../../src/contract/world.ts";
import { jsonDocument, parsePointer, wholeDocument } from "./aws-secrets-manager/document.ts";
import { isOurs, keepLabel, MAX_LABELS, requestToken } from "./aws-secrets-manager/labels.ts";
import { SECRETS_MANAGER } from "./aws-secrets-manager/service.ts";

const settings = z.strictObject({
  region: z.string().min(1).describe("the region of the secrets, such as eu-central-1"),
  ...awsSettings,
});

const place = z.strictObject({
  path: z.string().min(1).max(2048).describe("the name or the ARN of the secret; it must be there"),
  field: z
    .string()
    .regex(/^(\/([^~/]|~[01])*)+$/, 'a JSON pointer, such as "/openai/apiKey"')
    .optional()
    .describe("where the value stands in a JSON secret; without it the value is the whole string"),
});

type Labels = ReadonlyMap<string, string>;

/** AWS Secrets Manager, with its keep in staging labels of our own. */
export const awsSecretsManager = defineStore({
  title: "AWS Secrets Manager, a secret or a field of a JSON secret",
  settings,
  place,
  cell: ({ region, endpoint = "" }, { path, field }) =>
    JSON.stringify([endpoint, region, nameOf(path), field === undefined ? null : parsePointer(field)]),
  connect: (settings, place, { credential }, world) => connect(settings, place, credential, world),
  describe: () => ["a secret without any version gets a placeholder first, because AWS makes the first version current"],
});

/** An ARN ends with the name and six characters that AWS adds. */
const nameOf = (path: string) => path.replace(/^arn:[^:]*:secretsmanager:[^:]*:[^:]*:secret:(.+)-[A-Za-z0-9]{6}$/, "$1");

function connect(config: z.output<typeof settings>, { path, field }: z.output<typeof place>, credential: string, world: World): Store {
  const call = awsCalls(SECRETS_MANAGER, config, world);
  const document = field === undefined ? wholeDocument : jsonDocument(field, path);
  const turn = JSON.stringify([config.endpoint, config.region, nameOf(path)]);
  const fail = (code: "foreign" | "inconclusive" | "invalid" | "misconfigured" | "notFound", why: string, cure?: string) =>
    new AdapterError(code, `aws secrets manager: ${path}: ${why}`, cure === undefined ? {} : { cure });

  async function describe(signal: AbortSignal) {
    const facts = await call(`describe ${path}`, signal, (client, sdk) =>
      client.send(new sdk.DescribeSecretCommand({ SecretId: path }), { abortSignal: signal }),
    );
    const labels = new Map<string, string>();
    for (const [id, names] of Object.entries(facts.VersionIdsToStages ?? {})) for (const name of names) labels.set(name, id);
    return { deleted: facts.DeletedDate !== undefined, rotates: facts.RotationEnabled === true, labels };
  }

  async function get(label: string, signal: AbortSignal): Promise<{ id: string; text: string }> {
    const reply = await call(`read ${path}`, signal, (client, sdk) =>
      client.send(new sdk.GetSecretValueCommand({ SecretId: path, VersionStage: label }), { abortSignal: signal }),
    );
    if (reply.SecretString === undefined || reply.VersionId === undefined) throw fail("foreign", "the secret holds no string");
    return { id: reply.VersionId, text: reply.SecretString };
  }

  async function put(token: string, text: string, stages: string[], signal: AbortSignal): Promise<void> {
    const input = { SecretId: path, ClientRequestToken: token, SecretString: text, VersionStages: stages };
    await call(`write a version of ${path}`, signal, (client, sdk) =>
      client.send(new sdk.PutSecretValueCommand(input), { abortSignal: signal }),
    );
  }

  async function move(label: string, from: string | undefined, to: string | undefined, signal: AbortSignal): Promise<void> {
    const input = {
      SecretId: path,
      VersionStage: label,
      ...(from !== undefined && { RemoveFromVersionId: from }),
      ...(to !== undefined && { MoveToVersionId: to }),
    };
    try {
      await call(`move a label of ${path}`, signal, (client, sdk) =>
        client.send(new sdk.UpdateSecretVersionStageCommand(input), { abortSignal: signal }),
      );
    } catch (error) {
      if (!(error instanceof AdapterError) || error.code !== "invalid") throw error;
      throw fail("inconclusive", "a label was moved by somebody else meanwhile");
    }
  }

  const valueIn = (text: string | undefined): Secret | undefined => {
    const value = document.get(text);
    return value === undefined ? undefined : new Secret(value);
  };

  async function find(label: string, labels: Labels, signal: AbortSignal) {
    return labels.has(label) ? get(label, signal) : undefined;
  }

  function refuseForeignPending(labels: Labels): void {
    const id = labels.get("AWSPENDING");
    if (id === undefined || id === labels.get("AWSCURRENT")) return;
    if ([...labels].some(([label, at]) => at === id && isOurs(label))) return;
    throw fail("misconfigured", "AWSPENDING is on a version that rotated did not write", "end the other rotation of this secret first");
  }

  /** Writes a version under our label; the same token again is no write at AWS, so a lost label is put back by hand. */
  async function keep(label: string, text: string, signal: AbortSignal): Promise<string> {
    const token = requestToken(label, text);
    await put(token, text, [label, "AWSPENDING"], signal);
    const { labels } = await describe(signal);
    if (labels.get(label) !== token) await move(label, labels.get(label), token, signal);
    if (labels.get("AWSPENDING") !== token) await move("AWSPENDING", labels.get("AWSPENDING"), token, signal);
    return token;
  }

  async function unpend(id: string | undefined, labels: Labels, signal: AbortSignal): Promise<void> {
    if (id !== undefined && labels.get("AWSPENDING") === id) await move("AWSPENDING", id, undefined, signal);
  }

  return {
    async preflight(signal) {
      const { deleted, rotates, labels } = await describe(signal);
      if (deleted) throw fail("misconfigured", "the secret is scheduled for deletion", "restore it: aws secretsmanager restore-secret");
      if (rotates) throw fail("misconfigured", "AWS's own rotation is on", "switch it off: aws secretsmanager cancel-rotate-secret");
      refuseForeignPending(labels);
      const later = new Set([...labels.keys(), "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"]);
      if (later.size >= MAX_LABELS) throw fail("misconfigured", `no room for a label: AWS allows ${MAX_LABELS}`);
      const current = await find("AWSCURRENT", labels, signal);
      if (current === undefined) return;
      document.set(current.text, document.get(current.text) ?? "");
      // The same version, value and labels again: AWS checks the right to write and does nothing.
      await put(current.id, current.text, ["AWSCURRENT"], signal);
    },

    async read(which, signal) {
      const label = which === "current" ? "AWSCURRENT" : keepLabel(credential, which.version);
      const { labels } = await describe(signal);
      return valueIn((await find(label, labels, signal))?.text);
    },

    stage(version, secret, signal) {
      return inTurn(turn, signal, async () => {
        if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(version)) throw fail("invalid", "keep a version: not a name for a version");
        if (!/^[^\r\n]+$/.test(secret.reveal())) throw fail("invalid", "keep a version: the secret is empty or holds a line end");
        const label = keepLabel(credential, version);
        const { labels } = await describe(signal);
        const before = await find(label, labels, signal);
        if (before !== undefined) {
          if (valueIn(before.text)?.equals(secret)) return;
          throw fail("invalid", `keep version ${version}: another value is kept under this name`);
        }
        refuseForeignPending(labels);
        const current = await find("AWSCURRENT", labels, signal);
        if (current === undefined) await put(requestToken("placeholder", document.empty), document.empty, ["AWSCURRENT"], signal);
        await keep(label, document.set(current?.text ?? document.empty, secret.reveal()), signal);
      });
    },

    promote(version, over, signal) {
      return inTurn(turn, signal, async () => {
        const label = keepLabel(credential, version);
        const { labels } = await describe(signal);
        const target = await find(label, labels, signal);
        const wanted = valueIn(target?.text);
        if (target === undefined || wanted === undefined) throw fail("notFound", `promote: version ${version} is not in the keep`);
        const current = await find("AWSCURRENT", labels, signal);
        const found = valueIn(current?.text);
        if (found?.equals(wanted)) return unpend(target.id, labels, signal);
        const old = over === undefined ? undefined : valueIn((await find(keepLabel(credential, over), labels, signal))?.text);
        const expected = over === undefined ? found === undefined : old !== undefined && found?.equals(old) === true;
        if (!expected) throw fail("foreign", `promote version ${version}: found another value than ${over ?? "none"}`);
        const text = document.set(current?.text, wanted.reveal());
        const merged = text !== target.text;
        const id = merged ? await keep(label, text, signal) : target.id;
        await move("AWSCURRENT", current?.id, id, signal);
        await unpend(id, merged ? new Map([["AWSPENDING", id]]) : labels, signal);
      });
    },

    discard(version, signal) {
      return inTurn(turn, signal, async () => {
        const label = keepLabel(credential, version);
        const { labels } = await describe(signal);
        const id = labels.get(label);
        if (id === undefined) return;
        // First, so that it is never the only label.
        await unpend(id, labels, signal);
        await move(label, id, undefined, signal);
      });
    },
  };
}
