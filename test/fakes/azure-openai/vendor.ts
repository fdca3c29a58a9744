import { createHash, randomBytes } from "node:crypto";

export type SlotName = "Key1" | "Key2";

/** One value that a slot holds or held. All times are Unix milliseconds. */
export interface FakeValue {
  readonly slot: SlotName;
  /** What rotated calls it. */
  readonly id: string;
  readonly secret: string;
  readonly madeAt: number;
  /** When its slot was regenerated. */
  goneAt: number | null;
}

/** What the vendor would do otherwise, or later. */
export interface Rules {
  /** The account takes no keys any more. */
  localAuthDisabled: boolean;
  /** How long a new value is refused, and an old one still taken: not documented. */
  newLagMs: number;
  goneLagMs: number;
}

const TODAYS_RULES: Readonly<Rules> = { localAuthDisabled: false, newLagMs: 0, goneLagMs: 0 };

export type Vendor = ReturnType<typeof makeVendor>;

/** The state of one account and its two slots; no HTTP. */
export function makeVendor() {
  const values: FakeValue[] = [];
  const rules: Rules = { ...TODAYS_RULES };

  function put(slot: SlotName, madeAt = Date.now()): FakeValue {
    const secret = `canary${randomBytes(39).toString("hex")}`;
    const id = `${slot}:${createHash("sha256").update(secret).digest("hex").slice(0, 12)}`;
    const value: FakeValue = { slot, id, secret, madeAt, goneAt: null };
    values.push(value);
    return value;
  }

  const vendor = {
    subscription: "11111111-1111-4111-8111-111111111111",
    resourceGroup: "fake-group",
    account: "fake-account",
    rules,

    /** The value that a slot holds now. */
    slot(name: SlotName): FakeValue {
      const found = values.findLast(({ slot }) => slot === name);
      if (found === undefined) throw new Error(`no ${name}`);
      return found;
    },
    /** The values of both slots, in their order. */
    both: (): readonly [FakeValue, FakeValue] => [vendor.slot("Key1"), vendor.slot("Key2")],

    /** What a person does in the portal, or the API for whoever may. */
    regenerate(name: SlotName): FakeValue {
      vendor.slot(name).goneAt = Date.now();
      return put(name);
    },

    /** Whether a request signed with this secret is let through. */
    accepts(secret: string): boolean {
      const now = Date.now();
      return values.some(({ secret: own, madeAt, goneAt }) => {
        if (own !== secret) return false;
        return goneAt === null ? now >= madeAt + rules.newLagMs : now < goneAt + rules.goneLagMs;
      });
    },
    /** Every value that there ever was, oldest first. */
    every: (): readonly FakeValue[] => values,
    reset: (): void => void Object.assign(rules, TODAYS_RULES),
  };
  const aDayAgo = Date.now() - 86_400_000;
  put("Key1", aDayAgo);
  put("Key2", aDayAgo);
  return vendor;
}
