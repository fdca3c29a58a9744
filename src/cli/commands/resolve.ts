import type { Command } from "commander";
import { RESOLVE, type ResolveReply } from "../../resolve/protocol.ts";
import { type Cli, examples, UsageError } from "../cli.ts";
import { send } from "../client.ts";
import { Unreachable } from "../unreachable.ts";

const DEFAULT_SOCKET = "/run/rotated/resolve.sock";
const NOTE = `OpenClaw calls it: an exec provider's request on stdin, the values on stdout. What could not be given is told on stderr.
Each account gets the credentials whose 'resolve' names it. --socket is that of the daemon's 'resolveSocket' (default: ${DEFAULT_SOCKET}).
Exit code 0 when the daemon answered, also where it did not give everything.`;
const BY_HAND = `echo '{"protocolVersion":1,"ids":["prod-openai"]}' | rotatectl resolve`;

export function define(command: Command, cli: Cli): void {
  command
    .option("--install <path>", "write the program that openclaw.json names; run it as the account of the gateway")
    .addHelpText("after", `\n${NOTE}\n${examples("rotatectl resolve --install ~/.openclaw/rotated-resolve", BY_HAND)}`)
    .action(async ({ install }: { readonly install?: string }) => {
      const socket = cli.socket() ?? DEFAULT_SOCKET;
      if (install === undefined) return resolve(cli, socket);
      const { installWrapper } = await import("../install-wrapper.ts");
      await installWrapper(cli.io, install, socket);
    });
}

async function resolve({ io }: Cli, socket: string): Promise<void> {
  const request = await io.readInput(RESOLVE.bodyLimit);
  if (request === undefined || request.trim() === "") {
    throw new UsageError("no request on stdin, or one that is too long", `OpenClaw pipes one in; by hand: ${BY_HAND}`);
  }
  const { method, path, readTimeoutMs } = RESOLVE;
  const reply = await send(socket, { method, path, body: request, timeoutMs: readTimeoutMs + 500 }).catch((error: unknown) => {
    throw error instanceof Unreachable
      ? new Unreachable(error.message, error.how === "unsent" ? NOBODY_THERE : BROKE_OFF, error.how)
      : error;
  });
  io.out(JSON.stringify(reply));
  for (const [id, { message }] of Object.entries((reply as ResolveReply).errors)) io.err(`rotatectl: warning: ${id}: ${message}`);
}

const NOBODY_THERE =
  "systemctl status rotated; it listens there while a credential of its configuration has `resolve`; another socket is given with --socket";
const BROKE_OFF = "ask again; the daemon's log may say more: journalctl -u rotated";
