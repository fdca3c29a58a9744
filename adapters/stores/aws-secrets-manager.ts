import { parsePointer } from "../../src/contract/json-pointer.ts";
import { defineStore, type Mirror, type Store } from "../../src/contract/store.ts";
import type { World } from "../../src/contract/world.ts";
import { copyLabel, keepLabel, requestToken } from "./aws-secrets-manager/labels.ts";
import { openSecret } from "./aws-secrets-manager/secret.ts";
import { nameOf, type Place, place, type Settings, settings } from "./aws-secrets-manager/settings.ts";

/** AWS Secrets Manager, with its keep in staging labels of our own. */
export const awsSecretsManager = defineStore({
  title: "AWS Secrets Manager, a secret or a field of a JSON secret",
  keep: "versions of the same secret, held by staging labels of our own",
  settings,
  place,
  cell: ({ region, endpoint = "" }, { path, field }) =>
    JSON.stringify([endpoint, region, nameOf(path), field === undefined ? null : parsePointer(field)]),
  connect: (settings, place, { credential }, world) => connect(settings, place, credential, world),
  mirror: (settings, place, { credential }, world) => mirror(settings, place, credential, world),
  describe: () => ["a secret without any version gets a placeholder first, because AWS makes the first version current"],
});

function connect(config: Settings, at: Place, credential: string, world: World): Store {
  const cell = openSecret(config, at, world);
  const { document, describe, find, put, move, keep, unpend, valueIn, refuseForeignPending, fail, inTurn } = cell;

  return {
    preflight: cell.preflight,

    async read(which, signal) {
      const label = which === "current" ? "AWSCURRENT" : keepLabel(credential, which.version);
      const { labels } = await describe(signal);
      return valueIn((await find(label, labels, signal))?.text);
    },

    stage(version, secret, signal) {
      return inTurn(signal, async () => {
        if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(version)) throw fail("invalid", "keep a version: not a name for a version");
        if (!/^[^\r\n]+$/.test(secret.reveal())) throw fail("invalid", "keep a version: the secret is empty or holds a line end");
        const label = keepLabel(credential, version);
        const { labels } = await describe(signal);
        const before = await find(label, labels, signal);
        if (before !== undefined) {
          if (valueIn(before.text)?.equals(secret)) return;
          throw fail("invalid", `keep version ${version}: another value is kept under this name`);
        }
        refuseForeignPending(labels);
        const current = await find("AWSCURRENT", labels, signal);
        if (current === undefined) await put(requestToken("placeholder", document.empty), document.empty, ["AWSCURRENT"], signal);
        await keep(label, document.set(current?.text ?? document.empty, secret.reveal()), signal);
      });
    },

    promote(version, over, signal) {
      return inTurn(signal, async () => {
        const label = keepLabel(credential, version);
        const { labels } = await describe(signal);
        const target = await find(label, labels, signal);
        const wanted = valueIn(target?.text);
        if (target === undefined || wanted === undefined) throw fail("notFound", `promote: version ${version} is not in the keep`);
        const current = await find("AWSCURRENT", labels, signal);
        const found = valueIn(current?.text);
        if (found?.equals(wanted)) return unpend(target.id, labels, signal);
        const old = over === undefined ? undefined : valueIn((await find(keepLabel(credential, over), labels, signal))?.text);
        const expected = over === undefined ? found === undefined : old !== undefined && found?.equals(old) === true;
        if (!expected) throw fail("foreign", `promote version ${version}: found another value than ${over ?? "none"}`);
        const text = document.set(current?.text, wanted.reveal());
        const merged = text !== target.text;
        if (merged) refuseForeignPending(labels);
        const id = merged ? await keep(label, text, signal) : target.id;
        await move("AWSCURRENT", current?.id, id, signal);
        await unpend(id, merged ? new Map([["AWSPENDING", id]]) : labels, signal);
      });
    },

    discard(version, signal) {
      return inTurn(signal, async () => {
        const label = keepLabel(credential, version);
        const { labels } = await describe(signal);
        await cell.drop(label, labels, signal);
      });
    },
  };
}

/** A copy has no keep: its new version has a label of ours until it is the current one. */
function mirror(config: Settings, at: Place, credential: string, world: World): Mirror {
  const cell = openSecret(config, at, world);
  const { document, describe, find, move, keep, drop, valueIn, refuseForeignPending, fail, inTurn } = cell;
  const label = copyLabel(credential);

  return {
    preflight: cell.preflight,
    read: cell.current,
    write(value, over, signal) {
      return inTurn(signal, async () => {
        const { labels } = await describe(signal);
        const current = await find("AWSCURRENT", labels, signal);
        const found = valueIn(current?.text);
        // A crash may have come before the label was taken off.
        if (found?.equals(value)) return drop(label, labels, signal);
        const expected = over === undefined ? found === undefined : found?.equals(over) === true;
        if (!expected) throw fail("foreign", `write a copy: found another value than ${over === undefined ? "none" : "the one before"}`);
        refuseForeignPending(labels);
        const id = await keep(label, document.set(current?.text ?? document.empty, value.reveal()), signal);
        const kept = await describe(signal);
        // AWS makes the first version of a secret current by itself.
        if (kept.labels.get("AWSCURRENT") !== id) await move("AWSCURRENT", current?.id, id, signal);
        await drop(label, kept.labels, signal);
      });
    },
  };
}
