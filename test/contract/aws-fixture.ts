import { randomUUID } from "node:crypto";
import { awsSecretsManager } from "../../adapters/stores/aws-secrets-manager.ts";
import { AdapterError } from "../../src/contract/errors.ts";
import type { Exchange } from "../../src/contract/http.ts";
import { startAwsStrict } from "../fakes/aws-strict.ts";
import { moto } from "../support/moto.ts";
import { testWorld } from "../support/world.ts";
import type { Cell, OpenStore, StoreFixture } from "./store-fixture.ts";

const FIELDS = { first: "/openai/apiKey", second: "/anthropic/apiKey" } as const;
const PLACEHOLDER = "rotated: no value yet";

/** Both shapes of the store: a secret per value, and two fields of one JSON secret. */
export const awsFixtures: readonly StoreFixture[] = [
  { name: "aws-secrets-manager (whole string)", open: () => open(false) },
  { name: "aws-secrets-manager (fields of one JSON secret)", open: () => open(true) },
];

async function open(json: boolean): Promise<OpenStore> {
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
  const connect = (cell: Cell, exchange: Exchange = world.exchange) =>
    awsSecretsManager.connect(
      settings,
      awsSecretsManager.place.parse({ path: path(cell), ...(json && { field: FIELDS[cell] }) }),
      { credential: cell },
      { ...world, exchange },
    );

  const labelled = async (cell: Cell, VersionStage: string) =>
    (await direct.getSecretValue({ SecretId: path(cell), VersionStage })).SecretString ?? "";

  async function current(cell: Cell): Promise<string | undefined> {
    const { VersionIdsToStages = {} } = await direct.describeSecret({ SecretId: path(cell) });
    return Object.values(VersionIdsToStages).flat().includes("AWSCURRENT") ? labelled(cell, "AWSCURRENT") : undefined;
  }

  return {
    connect: (cell) => connect(cell),
    connectFailing(cell, at, when) {
      let count = 0;
      const died = () => new AdapterError("unavailable", "the process died here");
      const exchange: Exchange = async (request) => {
        count += 1;
        if (count === at && when === "after") await world.exchange(request);
        if (count >= at) throw died();
        return world.exchange(request);
      };
      return { store: connect(cell, exchange), failed: () => count >= at };
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
