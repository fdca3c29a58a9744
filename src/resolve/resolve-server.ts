import type { IncomingMessage, ServerResponse } from "node:http";
import { z } from "zod";
import { ControlError } from "../api-errors.ts";
import type { Clock } from "../contract/world.ts";
import type { Logger } from "../log.ts";
import { actorOf, type Peer } from "../peer.ts";
import { readBody } from "../routes.ts";
import { describeError, reply, replyError, startUnixServer, type UnixServer } from "../unix-server.ts";
import { makeLimiter } from "./limiter.ts";
import { OPENCLAW_ID, RESOLVE, type ResolveReply } from "./protocol.ts";
import type { Resolve } from "./resolving.ts";

export interface ResolveServerOptions {
  /** Where the socket is made; its directory must exist. */
  readonly path: string;
  readonly resolve: Resolve;
  readonly clock: Pick<Clock, "monotonic">;
  readonly log: Logger;
}

/** The grammar also keeps what is logged printable and short. */
const id = z.string().regex(OPENCLAW_ID, "not an id that OpenClaw would send");
const request = z.object({
  protocolVersion: z.literal(1, "this rotated speaks version 1 of the protocol"),
  ids: z.array(id).max(RESOLVE.mostIds),
});

/**
 * Serves secrets on a Unix socket of mode 0666: everybody may ask, and the uid of the caller alone decides what it gets. It has
 * one route, and neither group nor rights of the control socket mean anything here. Throws as {@link startUnixServer} does.
 */
export function startResolveServer(options: ResolveServerOptions): Promise<UnixServer> {
  const limiter = makeLimiter(options.clock);
  return startUnixServer({
    name: "resolve socket",
    path: options.path,
    mode: 0o666,
    maxConnections: 256,
    // Any account of the host can connect: none may keep the others out.
    maxPerUid: 16,
    log: options.log,
    answer: (incoming, response, peer, closing) => answer(incoming, response, peer, closing, { ...options, limiter }),
  });
}

async function answer(
  incoming: IncomingMessage,
  response: ServerResponse,
  peer: Peer | undefined,
  closing: AbortSignal,
  { resolve, limiter, log }: ResolveServerOptions & { readonly limiter: ReturnType<typeof makeLimiter> },
): Promise<void> {
  try {
    if (peer === undefined) throw new ControlError("notAllowed", "the caller is not known");
    if (incoming.method !== RESOLVE.method || incoming.url !== RESOLVE.path)
      throw new ControlError(
        "unknownRoute",
        "there is nothing else on this socket",
        "rotatectl resolve asks it; the control socket is another one",
      );
    if (!limiter.allows(peer.uid)) throw new ControlError("tooMany", `${actorOf(peer)} asks too often`, "ask again in some seconds");
    const { ids } = check(await readBody(incoming, RESOLVE.bodyLimit));
    if (closing.aborted) throw closing.reason;
    reply(response, inProtocol(await resolve(peer, ids, untilGone(response, closing))));
  } catch (error) {
    const body = describeError(error);
    if (body.code === "internal") log.error({ err: error }, "resolve failed");
    replyError(response, body);
  }
}

function check(body: object): z.output<typeof request> {
  const checked = request.safeParse(body);
  if (checked.success) return checked.data;
  const problems = checked.error.issues.map((issue) => [...issue.path, issue.message].join(": "));
  throw new ControlError(
    "invalid",
    `not a request of OpenClaw's exec protocol: ${problems.slice(0, 3).join("; ")}`,
    'such as {"protocolVersion":1,"ids":["prod-openai"]}',
  );
}

/** A caller that hangs up, or was killed after its time, wants nothing more. */
function untilGone(response: ServerResponse, closing: AbortSignal): AbortSignal {
  const gone = new AbortController();
  response.once("close", () => gone.abort(new ControlError("unavailable", "the caller hung up")));
  return AbortSignal.any([gone.signal, closing]);
}

/** The one place where secrets leave by this door. */
function inProtocol(resolved: Awaited<ReturnType<Resolve>>): ResolveReply {
  return {
    protocolVersion: 1,
    values: Object.fromEntries(resolved.flatMap((one) => ("secret" in one ? [[one.id, one.secret.reveal()]] : []))),
    errors: Object.fromEntries(resolved.flatMap((one) => ("error" in one ? [[one.id, one.error]] : []))),
  };
}
