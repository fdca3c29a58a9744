import { readFileSync } from "node:fs";

const FILES = { user: "/etc/passwd", group: "/etc/group" } as const;
export type AccountKind = keyof typeof FILES;

/** The number of an account of this host; `undefined` for a name that stands in /etc/passwd or /etc/group no more, or not yet. */
export function accountId(kind: AccountKind, account: string | number): number | undefined {
  return typeof account === "number" ? account : accounts(FILES[kind]).find(({ name }) => name === account)?.id;
}

export function nameOfUser(uid: number): string | undefined {
  return accounts(FILES.user).find(({ id }) => id === uid)?.name;
}

/** Both files begin their lines `name:x:id:`. They are small and may change at any time, so they are read anew. */
function accounts(file: string): readonly { readonly name: string; readonly id: number }[] {
  try {
    const lines = readFileSync(file, "utf8").split("\n");
    return lines.flatMap((line) => {
      const [name, , id] = line.split(":");
      return name !== undefined && id !== undefined && /^\d+$/.test(id) ? [{ name, id: Number(id) }] : [];
    });
  } catch {
    return [];
  }
}
