import { randomBytes, randomUUID } from "node:crypto";
import { type Fields, Refusal } from "./replies.ts";

/** A key as the fake knows it. All times are Unix milliseconds. */
export interface FakeKey {
  /** The last part of its name. */
  readonly id: string;
  readonly uid: string;
  readonly displayName: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly restrictions: Fields;
  /** Empty: a standard key, which Gemini takes no longer. */
  readonly serviceAccountEmail: string;
  readonly createdAt: number;
  /** Only for tests that play the consumer. */
  readonly secret: string;
  deletedAt: number | null;
  /** Known, but refused everywhere: its restrictions forbid the API. */
  blocked: boolean;
  /** The bound account lacks the role: models are listed, and nothing else works. */
  roleless: boolean;
}

export interface FakeOperation {
  readonly name: string;
  /** How many looks it takes until it is done. */
  looksLeft: number;
  readonly result: () => object;
}

/** What Google would do otherwise, or later. */
export interface Rules {
  /** How many looks an operation takes until it is done; 0 for done at once. */
  looks: number;
  /** What a second delete answers; not documented. */
  deletedAgain: "FAILED_PRECONDITION" | "NOT_FOUND";
  /** What the look-up of a string that is nobody's answers; not documented. */
  lookupOfUnknown: "NOT_FOUND" | "PERMISSION_DENIED";
  /** The organization's default policy, under which no key may be bound. */
  bindingForbidden: boolean;
  /** A `google.rpc.Code` that the next operations end with, having done nothing. */
  operationsFailWith: number | null;
}

// biome-ignore format: one line is enough
const TODAYS_RULES: Readonly<Rules> = { looks: 1, deletedAgain: "FAILED_PRECONDITION", lookupOfUnknown: "NOT_FOUND", bindingForbidden: false, operationsFailWith: null };

export type Vendor = ReturnType<typeof makeVendor>;

/** The state of one Google Cloud project and its keys; no HTTP. */
export function makeVendor(project: string) {
  /** Google names keys by the project's number, whatever they were asked for by. */
  const projectNumber = "123456789012";
  const keys = new Map<string, FakeKey>();
  const operations = new Map<string, FakeOperation>();
  const rules: Rules = { ...TODAYS_RULES };

  function addKey(id: string | undefined, displayName: string, more: Partial<FakeKey> = {}): FakeKey {
    const uid = randomUUID();
    const key: FakeKey = {
      id: id ?? uid,
      uid,
      displayName,
      annotations: {},
      restrictions: { apiTargets: [{ service: "generativelanguage.googleapis.com" }] },
      serviceAccountEmail: `keys@${project}.iam.gserviceaccount.com`,
      createdAt: Date.now(),
      secret: `AQ.canary-${randomBytes(30).toString("base64url")}`,
      deletedAt: null,
      blocked: false,
      roleless: false,
      ...more,
    };
    keys.set(key.id, key);
    return key;
  }

  function key(id: string): FakeKey {
    const found = keys.get(id);
    if (found === undefined) throw new Refusal("NOT_FOUND", "Requested entity was not found.");
    return found;
  }

  /** Starts an operation: the work is done at once, its result is shown later. */
  function start(work: () => () => object): FakeOperation {
    const fails = rules.operationsFailWith;
    const result = fails === null ? { response: work() } : { error: { code: fails, message: "made to fail" } };
    const shown = () => ("response" in result ? { response: result.response() } : result);
    const name = `operations/akmf.p7-${projectNumber}-${randomUUID()}`;
    const operation: FakeOperation = { name, looksLeft: rules.looks, result: shown };
    operations.set(name, operation);
    return operation;
  }

  return {
    project,
    projectNumber,
    rules,
    operations,
    addKey,
    key,
    start,
    knows: (id: string): boolean => keys.has(id),
    isProject: (name: string | undefined): boolean => name === project || name === projectNumber,
    findBySecret: (secret: string): FakeKey | undefined => [...keys.values()].find((candidate) => candidate.secret === secret),
    /** Every key that is not purged, oldest first. */
    everyKey: (): readonly FakeKey[] => [...keys.values()],
    reset: (): void => void Object.assign(rules, TODAYS_RULES),
  };
}
