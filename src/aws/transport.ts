import { AdapterError } from "../contract/errors.ts";
import type { World } from "../contract/world.ts";

/** A request as the SDK words and signs it. */
interface WireRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly method: string;
  readonly query: Readonly<Record<string, string | string[] | null>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** What takes the place of the SDK's own HTTP: each request is one exchange by our own rules, and none is repeated. */
export async function awsTransport(world: Pick<World, "exchange" | "clock">, who: string) {
  const { HttpResponse } = await import("@smithy/core/protocols");
  return {
    async handle(request: WireRequest, options: { abortSignal?: unknown } = {}) {
      const { protocol, hostname, port, path, method, headers, body } = request;
      const url = new URL(`${protocol}//${hostname}${port === undefined ? "" : `:${port}`}${path}`);
      for (const [name, value] of Object.entries(request.query)) url.searchParams.set(name, String(value ?? ""));
      const signal = options.abortSignal instanceof AbortSignal ? options.abortSignal : world.clock.deadline(30_000);
      // Node's client counts and names these itself.
      const sent = Object.fromEntries(Object.entries(headers).filter(([name]) => !/^(host|content-length)$/i.test(name)));
      const reply = await world.exchange({
        action: who,
        url: url.href,
        method,
        headers: sent,
        ...(body !== undefined && { body }),
        signal,
      });
      if (reply.status < 300) refuseStrangePage(reply.body, who);
      return { response: new HttpResponse({ statusCode: reply.status, headers: { ...reply.headers }, body: reply.body }) };
    },
  };
}

/** Of a page of HTML the SDK makes an answer without content, which of a listing says "none", and of a deletion "done". */
function refuseStrangePage(body: Uint8Array, who: string): void {
  const start = Buffer.from(body.subarray(0, 512)).toString("utf8").trimStart();
  if (!start.startsWith("<") || /^(<\?xml[^>]*>\s*)?<\w+Response[\s>]/.test(start)) return;
  throw new AdapterError("malformed", `${who}: the answer is a page of something else`);
}
