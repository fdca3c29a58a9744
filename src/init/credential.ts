import type { KeyPlace } from "./keys.ts";
import type { Setting } from "./proposal.ts";
import type { Surroundings } from "./surroundings.ts";

/** Where rotated keeps keys that stand in no store of the gateway's: its own directory, which the unit makes. */
const OWN_FILE = "/var/lib/rotated/secrets/openclaw.json";

/** The stores that a credential can use, by the names that the file gives them. */
export const STORE = { local: "local", vault: "vault", openclaw: "openclaw-store" } as const;
export type StoreName = (typeof STORE)[keyof typeof STORE];

/** Where the key of a credential is kept, and how the gateway gets it. */
export interface Keeping {
  readonly settings: readonly Setting[];
  readonly stores: readonly StoreName[];
  readonly comment: readonly string[];
  /** The key is not where rotated can replace it. */
  readonly mustMove: boolean;
}

/** What a credential of this name needs for a key at this place; a reason where it cannot be. */
export function keepingOf(
  place: KeyPlace,
  name: string,
  setting: string,
  { account, plugs }: Surroundings,
): Keeping | { readonly why: string } {
  const local = { name: "store", value: { use: STORE.local, path: OWN_FILE, field: `/${name}/apiKey` } };
  const resolve = { name: "resolve", value: [{ user: account }] };
  switch (place.is) {
    case "file": {
      const { path, field } = place;
      const value = { use: STORE.local, path, ...(field !== undefined && { field }) };
      return keeping([{ name: "store", value }], [STORE.local], `${setting} refers to this file.`);
    }
    case "vault": {
      const value = { use: STORE.vault, path: place.path, field: place.field };
      return keeping([{ name: "store", value }], [STORE.vault], `${setting} is read from Vault by OpenClaw's plugin.`);
    }
    case "resolve":
      return keeping(
        [local, resolve],
        [STORE.local],
        `${setting} is given by \`rotatectl resolve\` already: a configuration of rotated has this credential, and its store is the right one.`,
      );
    case "plain":
      return moving(
        [local, resolve],
        `${setting} has its key in plain text (or the name of an auth profile): it must move, as said at the end.`,
      );
    case "environment":
      return moving(
        [local, resolve],
        `${setting} has its key from the variable ${place.variable}, which a running gateway never reads again: it must move, as said at the end, and the variable must go.`,
      );
    case "own store": {
      if (!Object.hasOwn(plugs.stores, "openclaw-secrets")) {
        return {
          why: `is the entry ${place.entry} of OpenClaw's own store, which this version of rotated cannot write; let it refer to an exec source`,
        };
      }
      const mirror = { name: "mirrors", value: [{ use: STORE.openclaw, path: place.entry }] };
      return keeping(
        [local, mirror],
        [STORE.local, STORE.openclaw],
        `${setting} is an entry of OpenClaw's own store, which gets a copy of each new key. The present one must be written into this file, too, before \`rotatectl adopt ${name}\`.`,
      );
    }
    case "absent":
      return {
        why: "has no value: the key comes from an auth profile or the environment, where no reload finds a new one; give it a reference",
      };
    case "unclear":
      return { why: `cannot be followed: ${place.why}` };
  }
}

function keeping(settings: readonly Setting[], stores: readonly StoreName[], comment: string): Keeping {
  return { settings, stores, comment: [comment], mustMove: false };
}

function moving(settings: readonly Setting[], comment: string): Keeping {
  return { settings, stores: [STORE.local], comment: [comment], mustMove: true };
}

/** How a person moves the keys of these credentials. */
export function movingSteps(names: readonly string[]): readonly string[] {
  return [
    `To move a key (NAME is one of: ${names.join(", ")}) to where rotated can replace it:`,
    `1. Write it into ${OWN_FILE}, mode 0600, owned by the account of rotated: {"NAME":{"apiKey":"…"}}`,
    "2. Fill in this file and start rotated. `resolve` must name the account of the gateway, which then says:",
    "   rotatectl resolve --install ~/.openclaw/rotated-resolve; that prints what belongs under secrets.providers in openclaw.json.",
    '3. In openclaw.json put {"source":"exec","provider":"rotated","id":"NAME"} in the place of the key, and "auth":"api-key" beside it.',
    "4. Then: openclaw secrets reload, rotatectl adopt NAME, and soon rotatectl rotate NAME: copies of the old key, such as in",
    "   openclaw.json.bak, are worth nothing from then on.",
  ];
}
