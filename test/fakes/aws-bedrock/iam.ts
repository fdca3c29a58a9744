import { AwsRefused, actionAnswer, checkParameters, elements, type XmlAnswer } from "../aws/query.ts";
import { ACCOUNT, type FakeCredential, type Vendor } from "./vendor.ts";

const SERVICE = "bedrock.amazonaws.com";
const PLACES = 2;

const USER = /^[\w+=,.@-]{1,64}$/;
/** AWS says 20 characters at least; an id that never was is refused here like one that was deleted. */
const ID = /^\w{1,128}$/;
const MARKER = /^[\u0020-\u00ff]+$/;

interface Caller {
  readonly readOnly: boolean;
}

type Action = (vendor: Vendor, form: URLSearchParams, pageSize: number) => string | undefined;

/** The actions of IAM that have to do with keys of a service, with their parameters. */
const ACTIONS: Readonly<Record<string, { parameters: Readonly<Record<string, RegExp>>; changes: boolean; run: Action }>> = {
  CreateServiceSpecificCredential: {
    parameters: { UserName: USER, ServiceName: /./, CredentialAgeDays: /^\d{1,5}$/ },
    changes: true,
    run(vendor, form) {
      const user = userOf(vendor, form);
      checkService(form);
      const age = form.has("CredentialAgeDays") ? Number(form.get("CredentialAgeDays")) : undefined;
      if (age !== undefined && (age < 1 || age > 36_600)) throw new AwsRefused("ValidationError", "CredentialAgeDays out of range");
      if (vendor.of(user).length >= PLACES) throw new AwsRefused("LimitExceeded", "Cannot exceed quota for ServiceSpecificCredentials: 2");
      const made = vendor.addKey(user, age);
      const secret = elements({ ServiceCredentialSecret: made.secret });
      return `<ServiceSpecificCredential>${shown(vendor, made)}${secret}</ServiceSpecificCredential>`;
    },
  },
  ListServiceSpecificCredentials: {
    parameters: { UserName: USER, ServiceName: /./, AllUsers: /^(true|false)$/, Marker: MARKER, MaxItems: /^[1-9]\d{0,2}$|^1000$/ },
    changes: false,
    run(vendor, form, pageSize) {
      if (form.has("ServiceName")) checkService(form);
      const all = vendor.of(userOf(vendor, form));
      const from = form.has("Marker") ? all.findIndex(({ id }) => id === form.get("Marker")) : 0;
      if (from < 0) throw new AwsRefused("ValidationError", "Invalid Marker");
      const size = Math.min(pageSize, Number(form.get("MaxItems") ?? 100));
      const members = all.slice(from, from + size).map((one) => `<member>${shown(vendor, one)}</member>`);
      const next = all[from + size]?.id;
      const rest = elements({ IsTruncated: String(next !== undefined), Marker: next });
      return `<ServiceSpecificCredentials>${members.join("")}</ServiceSpecificCredentials>${rest}`;
    },
  },
  UpdateServiceSpecificCredential: {
    parameters: { UserName: USER, ServiceSpecificCredentialId: ID, Status: /^(Active|Inactive)$/ },
    changes: true,
    run(vendor, form) {
      vendor.setActive(credentialOf(vendor, form), required(form, "Status") === "Active");
      return undefined;
    },
  },
  DeleteServiceSpecificCredential: {
    parameters: { UserName: USER, ServiceSpecificCredentialId: ID },
    changes: true,
    run(vendor, form) {
      credentialOf(vendor, form).deletedAt = Date.now();
      return undefined;
    },
  },
};

/** Does one action of IAM for a caller; throws its refusals. */
export function iamAction(vendor: Vendor, caller: Caller, form: URLSearchParams, pageSize: number): XmlAnswer {
  const name = required(form, "Action");
  const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
  if (action === undefined || form.get("Version") !== "2010-05-08")
    throw new AwsRefused("InvalidAction", `Could not find operation ${name} for this version`);
  checkParameters(form, action.parameters);
  if (caller.readOnly && action.changes) throw new AwsRefused("AccessDenied", `User is not authorized to perform: iam:${name}`);
  return actionAnswer(name, action.run(vendor, form, pageSize));
}

function required(form: URLSearchParams, name: string): string {
  const value = form.get(name);
  if (value === null) throw new AwsRefused("ValidationError", `Value null at '${name}' failed to satisfy constraint`);
  return value;
}

function userOf(vendor: Vendor, form: URLSearchParams): string {
  const user = required(form, "UserName");
  if (!vendor.knowsUser(user)) throw new AwsRefused("NoSuchEntity", `The user with name ${user} cannot be found.`);
  return user;
}

function credentialOf(vendor: Vendor, form: URLSearchParams): FakeCredential {
  const user = userOf(vendor, form);
  const id = required(form, "ServiceSpecificCredentialId");
  const found = vendor.of(user).find((credential) => credential.id === id);
  if (found === undefined) throw new AwsRefused("NoSuchEntity", `No such credential ${id} exists`);
  return found;
}

function checkService(form: URLSearchParams): void {
  const service = required(form, "ServiceName");
  if (service !== SERVICE) throw new AwsRefused("NotSupportedService", `Service ${service} does not support service specific credentials`);
}

function shown(vendor: Vendor, credential: FakeCredential): string {
  return elements({
    UserName: credential.user,
    Status: vendor.statusOf(credential),
    ServiceCredentialAlias: credential.alias,
    CreateDate: dateOf(credential.createdAt),
    ExpirationDate: credential.expiresAt === null ? undefined : dateOf(credential.expiresAt),
    ServiceSpecificCredentialId: credential.id,
    ServiceName: SERVICE,
  });
}

const dateOf = (at: number) => new Date(at).toISOString().replace(/\.\d+Z$/, "Z");

/** What Bedrock says to a user whose policy denies the use of keys. */
export const deniedSentence = (user: string) =>
  `User: arn:aws:iam::${ACCOUNT}:user/${user} is not authorized to perform: bedrock:CallWithBearerToken with an explicit deny in an identity-based policy`;
