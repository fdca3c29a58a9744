import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";

/** A forward proxy that counts; whatever host it is asked for, it connects to one port of loopback. */
export interface TestProxy {
  readonly url: string;
  /** Targets of CONNECT. */
  readonly tunnels: string[];
  /** Addresses of forwarded plain requests. */
  readonly forwarded: string[];
  /** What clients showed as `Proxy-Authorization`. */
  readonly authorizations: (string | undefined)[];
  close(): Promise<void>;
}

interface ProxyOptions {
  readonly toPort: number;
  /** Answers everything with this status. */
  readonly refuse?: number;
  /** `name:password`, as it stands in the address. */
  readonly user?: string;
  /** Speaks TLS to its clients. */
  readonly tls?: { readonly key: string; readonly cert: string };
}

export async function startProxy(options: ProxyOptions): Promise<TestProxy> {
  const tunnels: string[] = [];
  const forwarded: string[] = [];
  const authorizations: (string | undefined)[] = [];
  const forward = (request: IncomingMessage, response: ServerResponse) => {
    forwarded.push(request.url ?? "");
    authorizations.push(request.headers["proxy-authorization"]);
    if (options.refuse !== undefined) return void response.writeHead(options.refuse).end();
    const { pathname } = new URL(request.url ?? "");
    const onward = httpRequest({ port: options.toPort, path: pathname, method: request.method, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onward);
  };
  const server = options.tls === undefined ? createServer(forward) : createTlsServer(options.tls, forward);
  server.on("connect", (request: IncomingMessage, client: Duplex) => {
    tunnels.push(request.url ?? "");
    authorizations.push(request.headers["proxy-authorization"]);
    if (options.refuse !== undefined) return void client.end(`HTTP/1.1 ${options.refuse} No\r\n\r\n`);
    const upstream = connect(options.toPort, "127.0.0.1", () => {
      client.write("HTTP/1.1 200 OK\r\n\r\n");
      upstream.pipe(client).pipe(upstream);
    });
    for (const [one, other] of [[upstream, client] as const, [client, upstream] as const]) one.on("error", () => other.destroy());
  });
  const open = new Set<Socket>();
  server.on("connection", (socket: Socket) => open.add(socket.once("close", () => open.delete(socket))));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const user = options.user === undefined ? "" : `${options.user}@`;
  return {
    url: options.tls === undefined ? `http://${user}127.0.0.1:${port}` : `https://${user}localhost:${port}`,
    tunnels,
    forwarded,
    authorizations,
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
