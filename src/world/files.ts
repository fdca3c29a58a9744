import { randomBytes } from "node:crypto";
import { constants, type Stats } from "node:fs";
import { type FileHandle, lstat, open, readdir, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { errnoOf } from "../contract/file-errors.ts";
import { temporaryName } from "../contract/temporary.ts";
import type { FileFacts, Files } from "../contract/world.ts";

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

/** The files of this machine. What a write or a removal has answered survives a power cut. */
export const realFiles: Files = {
  async read(path) {
    const bytes = await unlessMissing(readBytes(path));
    // Bytes that are no text must not come back as replacement characters; a byte order mark is part of the text.
    return bytes === undefined ? undefined : new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  },

  async replace(path, content, { mode = 0o600, owner, last } = {}) {
    const replaced = await unlessMissing(lstat(path));
    const temporary = join(dirname(path), temporaryName(basename(path), randomBytes(8).toString("hex")));
    const handle = await open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      try {
        await handle.writeFile(content);
        // The mode first: once the file is another user's, we may no longer change it.
        await handle.chmod(mode);
        await own(handle, replaced ?? owner);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await last?.();
      await rename(temporary, path);
    } catch (error) {
      await unlessMissing(unlink(temporary)).catch(() => undefined); // the first error is the one to tell
      throw error;
    }
    await syncDirectory(dirname(path));
  },

  async remove(path) {
    // A read-only file system refuses even the removal of what is not there.
    if ((await unlessMissing(lstat(path))) !== undefined) await unlessMissing(unlink(path));
    // Also when it was gone already: a crash may have come between the removal and its fsync.
    await unlessMissing(syncDirectory(dirname(path)));
  },

  async list(directory) {
    return (await unlessMissing(readdir(directory))) ?? [];
  },

  async stat(path) {
    const stats = await unlessMissing(lstat(path));
    return stats === undefined ? undefined : facts(stats);
  },
};

/**
 * Somebody may have put a pipe there since we looked, and its reader waits for a writer: each such wait holds one of the few
 * threads that all work on files and names shares.
 */
async function readBytes(path: string): Promise<Uint8Array> {
  const handle = await open(path, O_RDONLY | O_NONBLOCK);
  try {
    const stats = await handle.stat();
    if (!stats.isFile() && !stats.isDirectory()) throw Object.assign(new Error("no regular file"), { code: "ERR_NO_REGULAR_FILE" });
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

async function own(handle: FileHandle, wanted: { uid: number; gid: number } | undefined): Promise<void> {
  if (wanted === undefined) return;
  const { uid, gid } = await handle.stat();
  if (uid !== wanted.uid || gid !== wanted.gid) await handle.chown(wanted.uid, wanted.gid);
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, O_RDONLY | O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function facts(stats: Stats): FileFacts {
  const kind = stats.isFile() ? "file" : stats.isDirectory() ? "directory" : stats.isSymbolicLink() ? "symlink" : "other";
  return { uid: stats.uid, gid: stats.gid, mode: stats.mode & 0o7777, links: stats.nlink, kind };
}

async function unlessMissing<T>(operation: Promise<T>): Promise<T | undefined> {
  try {
    return await operation;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
