import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { createServer } from "node:tls";

/** What stands before a gateway on another host: it ends TLS and passes everything on to a port of this host. */
export interface TlsFront {
  readonly port: number;
  close(): void;
}

export async function startTlsFront(port: number, tls: { readonly key: string; readonly cert: string }): Promise<TlsFront> {
  const server = createServer(tls, (client) => {
    const upstream = connect(port, "127.0.0.1");
    client.pipe(upstream).pipe(client);
    client.on("error", () => upstream.destroy());
    upstream.on("error", () => client.destroy());
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return { port: (server.address() as AddressInfo).port, close: () => void server.close() };
}
