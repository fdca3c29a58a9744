import type { Socket } from "node:net";
import { accountId, nameOfUser } from "./accounts.ts";
import type { Access } from "./api.ts";
import type { Caller } from "./config/config.ts";
import { errno, libc } from "./libc.ts";

/** The process at the other end of a Unix socket, as the kernel knew it when it connected. */
export interface Peer {
  /** 0 when it lives in a pid namespace that we cannot see. */
  readonly pid: number;
  readonly uid: number;
  /** The primary group and all others. */
  readonly gids: readonly number[];
}

const [SOL_SOCKET, SO_PEERCRED, SO_PEERGROUPS, ERANGE] = [1, 17, 59, 34] as const;
/** The kernel's -1: no identity was set. */
const NOBODY = 0xffffffff;

/** Who is at the other end. Call it when the connection is new: a closed socket has no peer. Throws when the kernel does not tell. */
export function peerOf(socket: Socket): Peer {
  const fd = (socket as { _handle?: { fd?: number } })._handle?.fd;
  if (fd === undefined || fd < 0) throw new Error("read the caller's identity: the connection is closed");
  const [pid = 0, uid = NOBODY, gid = NOBODY] = socketOption(fd, SO_PEERCRED, 3);
  if (uid === NOBODY) throw new Error("read the caller's identity: the kernel does not know it");
  return { pid, uid, gids: [...new Set([gid, ...socketOption(fd, SO_PEERGROUPS, 64)])] };
}

/** An option that is an array of 32-bit numbers; `room` is a first guess of how many. */
function socketOption(fd: number, option: number, room: number): readonly number[] {
  const value = Buffer.alloc(room * 4);
  const length = new Uint32Array([value.length]);
  if (libc().getsockopt(fd, SOL_SOCKET, option, value, length) === 0) {
    return Array.from({ length: (length[0] ?? 0) / 4 }, (_, index) => value.readUInt32LE(index * 4));
  }
  const needed = (length[0] ?? 0) / 4;
  if (errno() === ERANGE && needed > room) return socketOption(fd, option, needed);
  throw new Error(`read the caller's identity: error ${errno()} of option ${option}`);
}

/**
 * What this caller may do; to act includes to read. Without any rule, root and our own user may act.
 * A name counts if it stands in /etc/passwd or /etc/group now; accounts that come from elsewhere are given by number.
 */
export function rightsOf(peer: Peer, control: { readonly act: readonly Caller[]; readonly read: readonly Caller[] }): ReadonlySet<Access> {
  if (control.act.length + control.read.length === 0) {
    return new Set(peer.uid === 0 || peer.uid === process.geteuid?.() ? ["act", "read"] : []);
  }
  if (control.act.some((caller) => isCaller(peer, caller))) return new Set(["act", "read"]);
  return new Set(control.read.some((caller) => isCaller(peer, caller)) ? ["read"] : []);
}

/** Whether a rule of the configuration means this caller. */
export function isCaller(peer: Peer, caller: Caller): boolean {
  if ("user" in caller) return peer.uid === accountId("user", caller.user);
  const gid = accountId("group", caller.group);
  return gid !== undefined && peer.gids.includes(gid);
}

/** A caller for the records: `alice (uid 1000)`. */
export function actorOf(peer: Peer): string {
  const name = userName(peer);
  return name === undefined ? `uid ${peer.uid}` : `${name} (uid ${peer.uid})`;
}

/** The caller's user name, where /etc/passwd has one. */
export function userName(peer: Peer): string | undefined {
  return nameOfUser(peer.uid);
}
