import { awsCalls } from "../../../src/aws/client.ts";
import { AdapterError } from "../../../src/contract/errors.ts";
import { Secret } from "../../../src/contract/secret.ts";
import { inTurn } from "../../../src/contract/turns.ts";
import type { World } from "../../../src/contract/world.ts";
import { jsonDocument, wholeDocument } from "./document.ts";
import { isOurs, MAX_LABELS, requestToken } from "./labels.ts";
import { SECRETS_MANAGER } from "./service.ts";
import { nameOf, type Place, type Settings } from "./settings.ts";

type Labels = ReadonlyMap<string, string>;

/** One value of one secret: its versions by their labels, and the few calls that change them. */
export function openSecret(config: Settings, { path, field }: Place, world: World) {
  const call = awsCalls(SECRETS_MANAGER, config, world);
  const document = field === undefined ? wholeDocument : jsonDocument(field, path);
  const turn = JSON.stringify([config.endpoint, config.region, nameOf(path)]);
  const fail = (code: "foreign" | "inconclusive" | "invalid" | "misconfigured" | "notFound", why: string, cure?: string) =>
    new AdapterError(code, `aws secrets manager: ${path}: ${why}`, cure === undefined ? {} : { cure });

  async function describe(signal: AbortSignal) {
    const facts = await call(`describe ${path}`, signal, (client, sdk) =>
      client.send(new sdk.DescribeSecretCommand({ SecretId: path }), { abortSignal: signal }),
    );
    if (facts.DeletedDate !== undefined)
      throw fail("misconfigured", "the secret is scheduled for deletion", "restore it: aws secretsmanager restore-secret");
    const labels = new Map<string, string>();
    for (const [id, names] of Object.entries(facts.VersionIdsToStages ?? {})) for (const name of names) labels.set(name, id);
    return { rotates: facts.RotationEnabled === true, labels };
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

  /** Takes a label of ours off; AWSPENDING first, so that it is never the only one. */
  async function drop(label: string, labels: Labels, signal: AbortSignal): Promise<void> {
    const id = labels.get(label);
    if (id === undefined) return;
    await unpend(id, labels, signal);
    await move(label, id, undefined, signal);
  }

  async function preflight(signal: AbortSignal): Promise<void> {
    const { rotates, labels } = await describe(signal);
    if (rotates) throw fail("misconfigured", "AWS's own rotation is on", "switch it off: aws secretsmanager cancel-rotate-secret");
    refuseForeignPending(labels);
    const later = new Set([...labels.keys(), "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"]);
    if (later.size >= MAX_LABELS) throw fail("misconfigured", `no room for a label: AWS allows ${MAX_LABELS}`);
    const current = await find("AWSCURRENT", labels, signal);
    if (current === undefined) return;
    document.set(current.text, "any-value");
    // The same version, value and labels again: AWS checks the right to write and does nothing.
    await put(current.id, current.text, ["AWSCURRENT"], signal);
  }

  return {
    document,
    describe,
    find,
    put,
    move,
    keep,
    drop,
    unpend,
    valueIn,
    refuseForeignPending,
    fail,
    /** Does `work` when all others of this process that write the same secret have ended. */
    inTurn: (signal: AbortSignal, work: () => Promise<void>) => inTurn(turn, signal, work),
    preflight,

    async current(signal: AbortSignal): Promise<Secret | undefined> {
      const { labels } = await describe(signal);
      return valueIn((await find("AWSCURRENT", labels, signal))?.text);
    },
  };
}
