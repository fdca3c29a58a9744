import { createServer, request as httpRequest } from "node:http";
import { type AddressInfo, connect } from "node:net";

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

export async function startProxy(options: { toPort: number; refuse?: number; user?: string }): Promise<TestProxy> {
  const tunnels: string[] = [];
  const forwarded: string[] = [];
  const authorizations: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    forwarded.push(request.url ?? "");
    authorizations.push(request.headers["proxy-authorization"]);
    if (options.refuse !== undefined) return void response.writeHead(options.refuse).end();
    const { pathname } = new URL(request.url ?? "");
    const onward = httpRequest({ port: options.toPort, path: pathname, method: request.method, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onward);
  });
  server.on("connect", (request, client) => {
    tunnels.push(request.url ?? "");
    authorizations.push(request.headers["proxy-authorization"]);
    if (options.refuse !== undefined) return void client.end(`HTTP/1.1 ${options.refuse} No\r\n\r\n`);
    const upstream = connect(options.toPort, "127.0.0.1", () => {
      client.write("HTTP/1.1 200 OK\r\n\r\n");
      upstream.pipe(client).pipe(upstream);
    });
    for (const [one, other] of [[upstream, client] as const, [client, upstream] as const]) one.on("error", () => other.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://${options.user === undefined ? "" : `${options.user}@`}127.0.0.1:${(server.address() as AddressInfo).port}`,
    tunnels,
    forwarded,
    authorizations,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
