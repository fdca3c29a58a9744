import { createHmac } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";

/** Sends the action and what came on stdin, and prints the answer. Bash does it without a start of Node, of which a rotation has many. */
const CLIENT = 'exec 3<>"/dev/tcp/127.0.0.1/$1"; printf "%s %s" "$2" "$(cat)" >&3; printf "\\n" >&3; cat <&3';

/** A program that uses a key, in this process, and the two commands that the consumer `command` is given for it. */
export interface LineConsumer {
  readonly reload: readonly [string, ...string[]];
  readonly validate: readonly [string, ...string[]];
  /** The key that it uses. */
  readonly held: string;
  /** Makes a request to the vendor with that key. */
  serves(): Promise<boolean>;
  stop(): Promise<void>;
}

/** Where the program has its key from, and what it does with it. */
export interface KeyUse {
  /** Called at start and at a reload, and never else. */
  read(): string | Promise<string>;
  /** Makes a request with a key; whether it was served. */
  use(key: string): Promise<boolean>;
}

export async function startLineConsumer({ read, use }: KeyUse): Promise<LineConsumer> {
  let held = await read();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    answer(socket).catch(() => socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  // What a daemon gives as stdin is a socket: without --norc bash takes itself for a remote shell, and runs ~/.bashrc.
  const client = (action: string) => ["/bin/bash", "--norc", "-c", CLIENT, "client", String(port), action] as const;

  async function answer(socket: Socket): Promise<void> {
    const line = await firstLine(socket);
    const asked = line.slice(line.indexOf(" ") + 1);
    socket.end(JSON.stringify(line.startsWith("reload ") ? await reload() : await validate(JSON.parse(asked) as { nonce: string })));
  }

  async function reload() {
    held = await read();
    return { ok: true };
  }

  async function validate({ nonce }: { readonly nonce: string }) {
    const key = held;
    return (await use(key)) ? { ok: true, hmac: createHmac("sha256", key).update(nonce).digest("hex") } : { ok: false };
  }

  return {
    reload: client("reload"),
    validate: client("validate"),
    get held() {
      return held;
    },
    serves: () => use(held),
    async stop() {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** To leave a loop over a socket would close it, before the answer. */
async function firstLine(socket: Socket): Promise<string> {
  const lines = createInterface({ input: socket });
  const [line] = await once(lines, "line");
  return String(line);
}
