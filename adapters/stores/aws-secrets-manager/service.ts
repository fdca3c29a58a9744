import type { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import type { AwsService } from "../../../src/aws/client.ts";
import type { AwsRefusal } from "../../../src/aws/failures.ts";

type Sdk = typeof import("@aws-sdk/client-secrets-manager");

export const SECRETS_MANAGER: AwsService<Sdk, SecretsManagerClient> = {
  who: "aws secrets manager",
  load: () => import("@aws-sdk/client-secrets-manager"),
  open: (sdk, config) => new sdk.SecretsManagerClient(config),
  refusal: (word) => CURES[word],
};

const RIGHTS = "give who signs the rights that the example policy of this store names, and those on the secret's KMS key";
const SIGN_IN = "put credentials that are valid where accessKey points, or where AWS's own chain looks: profile, role or environment";

const CURES: Readonly<Record<string, NonNullable<ReturnType<AwsRefusal>>>> = {
  AccessDeniedException: { code: "forbidden", cure: RIGHTS },
  DecryptionFailure: { code: "forbidden", cure: RIGHTS },
  EncryptionFailure: { code: "forbidden", cure: RIGHTS },
  ExpiredTokenException: { code: "unauthorized", cure: `the session that signs has expired: ${SIGN_IN}` },
  UnrecognizedClientException: { code: "unauthorized", cure: SIGN_IN },
  CredentialsProviderError: { code: "unauthorized", cure: SIGN_IN },
};
