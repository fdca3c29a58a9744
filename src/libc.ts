import { createRequire } from "node:module";
import type Koffi from "koffi";

/** The few calls of the C library that Node does not offer. Linux only. */
export interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  sendto(fd: number, data: Uint8Array, length: number, flags: number, address: Uint8Array, addressLength: number): number;
  /** Writes into `value`, and its length into `length[0]`. */
  getsockopt(fd: number, level: number, option: number, value: Uint8Array, length: Uint32Array): number;
}

let loaded: Libc | undefined;
let koffi: typeof Koffi | undefined;

/** Loaded when first used, which is not before the first step of a rotation that goes on after a crash. */
export function libc(): Libc {
  if (loaded === undefined) {
    koffi = createRequire(import.meta.url)("koffi") as typeof Koffi;
    const library = koffi.load(null);
    loaded = {
      socket: library.func("int socket(int, int, int)"),
      sendto: library.func("int64_t sendto(int, const void *, size_t, int, const void *, uint32_t)"),
      getsockopt: library.func("int getsockopt(int, int, int, void *, uint32_t *)"),
    };
  }
  return loaded;
}

/** The error of the last call as a number, `ERANGE` for one. */
export function errno(): number {
  return koffi?.errno() ?? 0;
}
