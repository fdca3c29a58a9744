import { execFile } from "node:child_process";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { CredentialConfig, UserCaller } from "../../src/config/config.ts";
import { Secret } from "../../src/contract/secret.ts";
import type { Store } from "../../src/contract/store.ts";
import { openLog } from "../../src/log.ts";
import { startResolveServer } from "../../src/resolve/resolve-server.ts";
import { resolving } from "../../src/resolve/resolving.ts";
import { realClock } from "../../src/world/clock.ts";

const http = process.getBuiltinModule("node:http");

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server says is judged by the test
  readonly body: any;
}

type Read = (signal: AbortSignal) => Promise<Secret | undefined>;

const ASK_AS = `
import os, socket, sys
uid, path, body = int(sys.argv[1]), sys.argv[2], sys.argv[3]
os.setgroups([]); os.setgid(uid); os.setuid(uid)
s = socket.socket(socket.AF_UNIX); s.connect(path)
s.sendall(f"POST /v1/resolve HTTP/1.1\\r\\nhost: x\\r\\nconnection: close\\r\\ncontent-length: {len(body)}\\r\\n\\r\\n{body}".encode())
while (b := s.recv(65536)): sys.stdout.write(b.decode())
`;

/** The resolve socket over stores in memory. What a credential holds, and whom it is granted to, is the test's to say. */
export async function openBench() {
  const directory = await mkdtemp(join(tmpdir(), "rotated-resolve-"));
  await chmod(directory, 0o755);
  const path = join(directory, "resolve.sock");
  const logged: string[] = [];
  const log = openLog("info", { write: (line) => void logged.push(line) });
  const credentials: Record<string, CredentialConfig> = {};
  const reads = new Map<string, Read>();
  const clock = { ...realClock, deadline: (ms: number) => realClock.deadline(Math.min(ms, 300)) };
  const resolve = resolving({
    config: () => ({ credentials }),
    plugs: () => ({ store: ({ name }) => storeOf(reads.get(name)) }),
    clock,
    log,
  });
  const server = await startResolveServer({ path, resolve, clock, log });
  return {
    directory,
    path,
    logged,
    server,
    /** A credential whose store answers so, granted to these. */
    hold(name: string, resolve: readonly UserCaller[], read: Read | string | undefined) {
      const [store, settings] = [
        { use: "memory", place: {} },
        { schedule: undefined, window: undefined, overlapMs: 0, jitterMs: 0 },
      ];
      credentials[name] = { name, provider: "p", store, mirrors: [], consumers: [], resolve, ...settings };
      const value = typeof read === "string" ? new Secret(read) : undefined;
      reads.set(name, typeof read === "function" ? read : async () => value);
    },
    send(body: string, { method = "POST", url = "/v1/resolve", signal }: { method?: string; url?: string; signal?: AbortSignal } = {}) {
      const { promise, resolve: settle, reject } = Promise.withResolvers<Answer>();
      const request = http.request({ socketPath: path, method, path: url, agent: false, ...(signal && { signal }) }, async (response) => {
        settle({ status: response.statusCode ?? 0, body: JSON.parse((await response.toArray()).join("")) });
      });
      request.once("error", reject);
      request.end(body);
      return promise;
    },
    ask(...ids: readonly string[]) {
      return this.send(JSON.stringify({ protocolVersion: 1, provider: "rotated", ids }));
    },
    /** The same by another account, which needs root. */
    async askAs(uid: number, ...ids: readonly string[]): Promise<Answer> {
      const body = JSON.stringify({ protocolVersion: 1, provider: "rotated", ids });
      const { stdout } = await promisify(execFile)("python3", ["-c", ASK_AS, String(uid), path, body]);
      const [head = "", text = ""] = stdout.split("\r\n\r\n", 2);
      return { status: Number(head.split(" ")[1]), body: JSON.parse(text) };
    },
    async [Symbol.asyncDispose]() {
      await server.close(100);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function storeOf(read: Read | undefined): Store {
  const never = () => Promise.reject(new Error("only its current value is read"));
  return {
    preflight: never,
    stage: never,
    promote: never,
    discard: never,
    read: (which, signal) => (which === "current" && read !== undefined ? read(signal) : never()),
  };
}
