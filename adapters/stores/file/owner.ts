import { AdapterError } from "../../../src/contract/errors.ts";
import type { World } from "../../../src/contract/world.ts";
import type { Owner } from "../on-disk/cell.ts";

/** The ids behind `owner`: `1000:1000`, or the name of an account. */
export async function findOwner(owner: string, { run }: World, signal: AbortSignal): Promise<Owner> {
  // Only the system's resolver knows every account: not all are in /etc/passwd.
  const entry = /^\d+:\d+$/.test(owner) ? `::${owner}` : (await run(["getent", "passwd", owner], { stdin: "", signal })).stdout;
  const [, , uid, gid] = entry.split("\n", 1).join("").split(":");
  if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  throw new AdapterError("misconfigured", `file store: no account "${owner}"`, {
    cure: "set owner to an account of this host, or to UID:GID",
  });
}
