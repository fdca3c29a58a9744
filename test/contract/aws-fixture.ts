import { randomUUID } from "node:crypto";
import { awsSecretsManager } from "../../adapters/stores/aws-secrets-manager.ts";
import { startAwsStrict } from "../fakes/aws-strict.ts";
import { moto } from "../support/moto.ts";
import { testWorld } from "../support/world.ts";
import { failingExchange } from "./failing.ts";
import type { MirrorFixture, OpenMirror } from "./mirror-fixture.ts";
import type { Cell, OpenStore, StoreFixture } from "./store-fixture.ts";

const FIELDS = { first: "/openai/apiKey", second: "/anthropic/apiKey" } as const;
const PLACEHOLDER = "rotated: no value yet";

/** Both shapes of the store: a secret per value, and two fields of one JSON secret. */
export const awsFixtures: readonly StoreFixture[] = [
  { name: "aws-secrets-manager (whole string)", open: () => open(false) },
  { name: "aws-secrets-manager (fields of one JSON secret)", open: () => open(true) },
];

export const awsMirrorFixtures: readonly MirrorFixture[] = awsFixtures.map(({ name }, index) => ({
  name,
  openMirror: () => open(index === 1),
}));

async function open(json: boolean): Promise<OpenStore & OpenMirror> {
  const { SecretsManager } = await import("@aws-sdk/client-secrets-manager");
  process.env["AWS_ACCESS_KEY_ID"] = "AKIACANARY";
  process.env["AWS_SECRET_ACCESS_KEY"] = "canary-of-aws";
  const aws = await startAwsStrict(await moto());
  const world = await testWorld();
  const direct = new SecretsManager({ region: "eu-central-1", endpoint: aws.url, maxAttempts: 1 });
  const name = `prod/${randomUUID()}`;
  const path = (cell: Cell) => (json ? name : `${name}/${cell}`);
  if (json) await direct.createSecret({ Name: name, SecretString: '{ "rest":   [1,2, 3], "id": 12345678901234567890 }' });
  else for (const cell of ["first", "second"] as const) await direct.createSecret({ Name: path(cell) });
  const settings = awsSecretsManager.settings.parse({ region: "eu-central-1", endpoint: aws.url });
  const asked = (cell: Cell) =>
    [settings, awsSecretsManager.place.parse({ path: path(cell), ...(json && { field: FIELDS[cell] }) }), { credential: cell }] as const;

  const labelled = async (cell: Cell, VersionStage: string) =>
    (await direct.getSecretValue({ SecretId: path(cell), VersionStage })).SecretString ?? "";

  async function current(cell: Cell): Promise<string | undefined> {
    const { VersionIdsToStages = {} } = await direct.describeSecret({ SecretId: path(cell) });
    return Object.values(VersionIdsToStages).flat().includes("AWSCURRENT") ? labelled(cell, "AWSCURRENT") : undefined;
  }

  return {
    connect: (cell) => awsSecretsManager.connect(...asked(cell), world),
    connectMirror: (cell) => awsSecretsManager.mirror(...asked(cell), world),
    connectFailing(cell, at, when) {
      const { exchange, failed } = failingExchange(world.exchange, at, when);
      return { store: awsSecretsManager.connect(...asked(cell), { ...world, exchange }), failed };
    },
    connectFailingMirror(cell, at, when) {
      const { exchange, failed } = failingExchange(world.exchange, at, when);
      return { mirror: awsSecretsManager.mirror(...asked(cell), { ...world, exchange }), failed };
    },
    async seen(cell) {
      const text = await current(cell);
      if (!json) return text === PLACEHOLDER ? undefined : text;
      const document = JSON.parse(text ?? "{}") as Record<string, { apiKey?: string } | undefined>;
      return document[cell === "first" ? "openai" : "anthropic"]?.apiKey;
    },
    async strangerWrites(cell, value) {
      const text = json
        ? JSON.stringify({ ...JSON.parse((await current(cell)) ?? "{}"), [cell === "first" ? "openai" : "anthropic"]: { apiKey: value } })
        : value;
      await direct.putSecretValue({ SecretId: path(cell), SecretString: text, VersionStages: ["AWSCURRENT"] });
    },
    /** AWSPREVIOUS is AWS's own to move, and AWSPENDING says only that something is under way. */
    async snapshot() {
      const labels: unknown[] = [];
      for (const cell of ["first", "second"] as const) {
        const { VersionIdsToStages = {} } = await direct.describeSecret({ SecretId: path(cell) });
        const names = Object.values(VersionIdsToStages).flat().sort();
        for (const label of names) if (!/^AWSP/.test(label)) labels.push([cell, label, await labelled(cell, label)]);
      }
      return labels;
    },
    async close() {
      direct.destroy();
      await aws.close();
      await world.close();
    },
  };
}
