import { createHmac } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";

/** Sends the action and what came on stdin, and prints the answer. Bash does it without a start of Node, of which a rotation has many. */
const CLIENT = 'exec 3<>"/dev/tcp/127.0.0.1/$1"; printf "%s %s" "$2" "$(cat)" >&3; printf "\\n" >&3; cat <&3';

/** A program that uses a key, in this process, and the two commands that the consumer `command` is given for it. */
export interface LineConsumer {
  readonly reload: readonly [string, ...string[]];
  readonly validate: readonly [string, ...string[]];
  /** Makes a request to the vendor with the key that it holds. */
  serves(): Promise<boolean>;
  stop(): Promise<void>;
}

/** `use` makes a request with a key. The key is read at start and at a reload, and never else. */
export async function startLineConsumer(secretFile: string, use: (key: string) => Promise<boolean>): Promise<LineConsumer> {
  const read = () => readFileSync(secretFile, "utf8").trimEnd();
  let held = read();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    answer(socket).catch(() => socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const client = (action: string) => ["/bin/bash", "-c", CLIENT, "client", String(port), action] as const;

  async function answer(socket: Socket): Promise<void> {
    const line = await firstLine(socket);
    const asked = line.slice(line.indexOf(" ") + 1);
    socket.end(JSON.stringify(line.startsWith("reload ") ? reload() : await validate(JSON.parse(asked) as { nonce: string })));
  }

  function reload() {
    held = read();
    return { ok: true };
  }

  async function validate({ nonce }: { readonly nonce: string }) {
    const key = held;
    return (await use(key)) ? { ok: true, hmac: createHmac("sha256", key).update(nonce).digest("hex") } : { ok: false };
  }

  return {
    reload: client("reload"),
    validate: client("validate"),
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
