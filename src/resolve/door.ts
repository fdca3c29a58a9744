import type { Config } from "../config/config.ts";
import { AdapterError } from "../contract/errors.ts";
import type { UnixServer } from "../unix-server.ts";

/** The socket for those who are granted something: while nobody is, it is not there. */
export interface Door {
  /** Opens or closes it, as the configuration wants it. Throws `AdapterError` when it cannot be opened. */
  adjust(config: Pick<Config, "credentials">): Promise<void>;
  close(): Promise<void>;
}

export function makeDoor(open: () => Promise<UnixServer>): Door {
  let server: UnixServer | undefined;
  const close = async () => {
    const closing = server?.close();
    server = undefined;
    await closing;
  };
  return {
    async adjust({ credentials }) {
      const wanted = Object.values(credentials).some(({ resolve }) => resolve.length > 0);
      if (!wanted) await close();
      else server ??= await open().catch(explain);
    },
    close,
  };
}

function explain(cause: unknown): never {
  if (!(cause instanceof Error)) throw cause;
  const cure = "its directory must be there and belong to the account of the daemon; `resolveSocket:` is its path";
  throw new AdapterError("misconfigured", cause.message, { cause, cure });
}
