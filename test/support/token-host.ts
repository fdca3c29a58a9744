import type { RotationView } from "../../src/api-views.ts";
import { openClient } from "../../src/cli/client.ts";
import type { OpenClawFile } from "../fakes/gateway/config.ts";
import { Host, QUICK_TIMING } from "./host.ts";
import { GATEWAY_TOKEN, openclawJson } from "./openclaw.ts";

/** Where a gateway has its own token from: a file of its own, or its own store, into which rotated copies it. */
export type Kept = "file" | "own store";

export const TOKEN_ENTRY = "OPENCLAW_GATEWAY_TOKEN";

/** An openclaw.json with the gateway's own token at `path`, or in its own store. */
export function tokenJson(kept: Kept, path: string, more: { vendor?: string; port?: number } = {}): OpenClawFile {
  const { vendor = "http://127.0.0.1:9/v1", port = 0 } = more;
  const token =
    kept === "file"
      ? ({ source: "file", provider: "token", id: "value" } as const)
      : ({ source: "store", provider: "default", id: TOKEN_ENTRY } as const);
  const file = openclawJson({ vendor, secretFile: "/dev/null", port, token });
  const { openai } = file.models.providers;
  if (openai === undefined) throw new Error("no provider");
  return {
    ...file,
    secrets: { providers: kept === "file" ? { token: { source: "file", path, mode: "singleValue" } } : {} },
    models: { providers: { openai: { ...openai, apiKey: "sk-canary-plain" } } },
  };
}

/** A host on which `main` is a gateway's own token; the file `token` in `folder` holds it. */
export function makeTokenHost(options: { kept: Kept; folder: string; url: string; timing?: object }): Host {
  const { kept, folder, url, timing } = options;
  const host = new Host(() => ({ config: {} }));
  host.folder(folder);
  host.write(`${folder}/token`, GATEWAY_TOKEN);
  const path = host.path(`${folder}/token`);
  host.configure({
    providers: { "gateway-token": { type: "openclaw-token", consumer: "gateway", alsoUsedBy: ["the laptop in the kitchen"] } },
    stores: { local: { type: "file" }, own: { type: "openclaw-secrets", consumer: "gateway" } },
    consumers: { gateway: { type: "openclaw", url, token: { file: path } } },
    credentials: {
      main: {
        provider: "gateway-token",
        store: { use: "local", path },
        mirrors: kept === "file" ? [] : [{ use: "own", path: TOKEN_ENTRY }],
        consumers: [{ use: "gateway", path: "gateway.auth.token" }],
        every: "30d",
      },
    },
    timing: { ...QUICK_TIMING, ...timing },
  });
  return host;
}

/** Starts the daemon, known to the gateway, with its token under management. */
export async function adoptToken(host: Host): Promise<void> {
  await host.start();
  await host.client.call("pair", { consumer: "gateway" });
  await host.client.call("adopt", { name: "main" });
}

/** The rotation that a person asks for under this key, however often they ask. */
export async function rotateToken(host: Host, key: string): Promise<RotationView> {
  const { rotations } = await openClient(host.socket, key).call("rotate", { name: "main", now: true });
  const [first] = rotations;
  if (first === undefined) throw new Error("no rotation was started");
  return first.rotation;
}
