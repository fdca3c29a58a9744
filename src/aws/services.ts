import type { IAMClient } from "@aws-sdk/client-iam";
import type { STSClient } from "@aws-sdk/client-sts";
import type { AwsService } from "./client.ts";
import { type AwsRefusal, saysUnauthorized } from "./failures.ts";

type IamSdk = typeof import("@aws-sdk/client-iam");
type StsSdk = typeof import("@aws-sdk/client-sts");

/** IAM, for what manages the keys of its users. */
export const IAM: AwsService<IamSdk, IAMClient> = {
  who: "aws iam",
  load: () => import("@aws-sdk/client-iam"),
  open: (sdk, config) => new sdk.IAMClient({ ...config, region: homeOfIam(config.region) }),
  refusal: (word) => CURES[word],
};

/**
 * IAM is one for all regions of a partition, and takes signatures for its home alone. The SDK knows that of AWS's own addresses,
 * but signs for the region that it is told where `endpoint` names another.
 */
function homeOfIam(region: string): string {
  if (region.startsWith("cn-")) return "cn-north-1";
  return region.startsWith("us-gov-") ? "us-gov-west-1" : "us-east-1";
}

const CLOCK = "set this host's clock: AWS takes no request that is minutes off";

const CURES: Readonly<Record<string, NonNullable<ReturnType<AwsRefusal>>>> = {
  AccessDenied: { code: "forbidden", cure: "give who signs the rights that the example policy of this provider names" },
  InvalidClientTokenId: { code: "unauthorized", cure: "put an access key that is active where accessKey points" },
  // Only a third key of a user is more than IAM takes, and one of two can go.
  LimitExceededException: { code: "full", cure: "delete a key of this user that nobody uses: IAM takes two" },
  RequestExpired: { code: "unauthorized", cure: CLOCK },
  SignatureDoesNotMatch: { code: "unauthorized", cure: "look at the secret half of the access key, and at this host's clock" },
};

/** The service that says whose a key is: here it is asked by the very key that is in question. */
export const STS: AwsService<StsSdk, STSClient> = {
  who: "aws sts",
  load: () => import("@aws-sdk/client-sts"),
  open: (sdk, config) => new sdk.STSClient(config),
  refusal: (word, status) => VERDICTS[word] ?? (saysUnauthorized(word) || status === 401 || status === 403 ? INCONCLUSIVE : undefined),
};

const INCONCLUSIVE = { code: "inconclusive", cure: "is there something between here and AWS that answers in its place?" } as const;

/** Of a key that is switched off AWS says the same as of one that was never there. */
const VERDICTS: Readonly<Record<string, NonNullable<ReturnType<AwsRefusal>>>> = {
  InvalidClientTokenId: { code: "unauthorized" },
  AccessDenied: { code: "forbidden" },
  OptInRequired: { code: "forbidden" },
  RequestExpired: { code: "inconclusive", cure: CLOCK },
  SignatureDoesNotMatch: { code: "inconclusive", cure: "look at the secret half of the key, and at this host's clock" },
};
