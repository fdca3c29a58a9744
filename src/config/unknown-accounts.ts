import type { Caller } from "./config.ts";
import type { Document, Path } from "./document.ts";
import type { Problem } from "./error.ts";
import { pathText } from "./explain.ts";
import type { Parsed } from "./parsed.ts";

/** Whether this host has an account of this name. */
export type HasAccount = (kind: "user" | "group", name: string) => boolean;

/**
 * Names that stand for nobody on this host. No mistake of the file: the same file may be checked elsewhere, and an account that is
 * taken away must not keep the daemon from starting.
 */
export function unknownAccounts(file: Parsed, document: Document, hasAccount: HasAccount): readonly Problem[] {
  const lists: readonly (readonly [Path, readonly Caller[]])[] = [
    [["control", "act"], file.control.act],
    [["control", "read"], file.control.read],
    ...Object.entries(file.credentials).map(([name, { resolve }]) => [["credentials", name, "resolve"], resolve] as const),
  ];
  return lists.flatMap(([list, callers]) =>
    callers.flatMap((caller, index) => {
      const [kind, account] = "user" in caller ? (["user", caller.user] as const) : (["group", caller.group] as const);
      if (typeof account === "number" || hasAccount(kind, account)) return [];
      const path = [...list, index, kind];
      const hint = `is it misspelled? one that /etc/${kind === "user" ? "passwd" : "group"} does not have is given by its number`;
      return [
        { path: pathText(path), ...document.valueAt(path), message: `no ${kind} of this name on this host: it lets nobody in`, hint },
      ];
    }),
  );
}
