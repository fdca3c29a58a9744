import type { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import type { AwsService } from "../../../src/aws/client.ts";

type Sdk = typeof import("@aws-sdk/client-secrets-manager");

export const SECRETS_MANAGER: AwsService<Sdk, SecretsManagerClient> = {
  who: "aws secrets manager",
  load: () => import("@aws-sdk/client-secrets-manager"),
  open: (sdk, config) => new sdk.SecretsManagerClient(config),
};
