import { chmod, type FileHandle, open, rm } from "node:fs/promises";
import { resolve } from "node:path";
import { errnoOf } from "../contract/file-errors.ts";
import { realFiles } from "../world/files.ts";
import { UsageError } from "./cli.ts";

/** Its group may read it: that of the daemon. */
const MODE = 0o640;

/** Writes a file of one's own. Throws `UsageError` where one is there already and `force` does not say that it may go. */
export async function writeNew(path: string, text: string, force: boolean): Promise<void> {
  try {
    if (force) return await realFiles.replace(resolve(path), text, { mode: MODE });
    await using handle = await open(path, "wx", MODE);
    await fill(path, handle, text);
  } catch (error) {
    const code = errnoOf(error);
    if (code === "EEXIST") throw new UsageError(`${path} is there already`, "give another path, or --force to replace it");
    throw new UsageError(
      `${path} cannot be written: ${code ?? "unknown error"}`,
      "look at its directory, its owner and its mode, and at the space left",
    );
  }
}

/** A file that could not be written whole is taken away again: half of one would pass for ours. */
async function fill(path: string, handle: FileHandle, text: string): Promise<void> {
  try {
    await handle.writeFile(text);
    await chmod(path, MODE);
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}
