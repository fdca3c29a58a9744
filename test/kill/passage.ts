import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A request leaves the daemon; the other side has answered it, and the answer has not arrived yet. */
export type Phase = "before" | "handled";

/** A way to a server of this host that tells of each request; it goes on, and its answer comes back, only if that says so. */
export interface Passage {
  readonly url: string;
  close(): Promise<void>;
}

/** One request: its method and path, with ids masked, and all that left of it first, with its head. */
export interface Asked {
  readonly what: string;
  readonly text: string;
}

/** Gets the same object when the request leaves and when it was answered, or the daemon gave it up: others may leave in between. */
export type Tell = (asked: Asked, phase: Phase | "givenUp") => boolean;

const REQUEST_LINE = /^([A-Z]+) (\S+) HTTP\/1\.1\r\n/;

/** One connection carries one request at a time. */
async function openPassage(target: URL, tell: Tell): Promise<Passage> {
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    let unanswered: Asked | undefined;
    for (const socket of [client, upstream]) {
      open.add(socket.once("close", () => open.delete(socket)));
      socket.on("error", () => {});
    }
    client.on("close", () => {
      if (unanswered !== undefined) tell(unanswered, "givenUp");
      upstream.destroy();
    });
    upstream.on("close", () => client.end());
    client.on("data", (chunk) => {
      const text = chunk.toString("latin1");
      const [, method, path] = REQUEST_LINE.exec(text) ?? [];
      if (method !== undefined && path !== undefined) {
        unanswered = { what: `${method} ${masked(path)}${awsAction(text)}`, text };
        if (!tell(unanswered, "before")) {
          unanswered = undefined;
          return void client.destroy();
        }
      }
      upstream.write(chunk);
    });
    upstream.on("data", (chunk) => {
      const answered = unanswered;
      unanswered = undefined;
      if (answered !== undefined && !tell(answered, "handled")) return void client.destroy();
      client.write(chunk);
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** What is asked of AWS, whose requests all have one path. */
function awsAction(text: string): string {
  const [, action = ""] = /^x-amz-target: \S*\.(\w+)/im.exec(text) ?? /(?:^|&)Action=(\w+)/m.exec(text) ?? [];
  return action;
}

/** The path without its query, and with `:id` in the place of what is another text in each run. */
function masked(path: string): string {
  const [plain = ""] = path.split("?");
  return plain.replace(/[^/:]*(?:\d[^/:]*){2,}/g, ":id");
}

/** Settings in which every address of this host leads through a passage of its own, and the passages. */
export async function throughPassages(
  settings: unknown,
  tell: Tell,
): Promise<{ readonly settings: unknown; readonly passages: readonly Passage[] }> {
  const passages = new Map<string, Passage>();
  async function walk(value: unknown): Promise<unknown> {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      const entries = Object.entries(value).map(async ([name, inner]) => [name, await walk(inner)] as const);
      return Object.fromEntries(await Promise.all(entries));
    }
    const origin = typeof value === "string" ? /^http:\/\/127\.0\.0\.1:\d+/.exec(value)?.[0] : undefined;
    if (typeof value !== "string" || origin === undefined) return value;
    const passage = passages.get(origin) ?? (await openPassage(new URL(origin), tell));
    passages.set(origin, passage);
    return value.replace(origin, passage.url);
  }
  return { settings: await walk(settings), passages: [...passages.values()] };
}
