import { createHash } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";

/** Of RFC 6455. */
const WEBSOCKET_ID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

export interface EchoServer {
  readonly port: number;
  /** Connections that ended in a request or a WebSocket. */
  readonly hits: string[];
  close(): Promise<void>;
}

/** Answers every request with `{"ok":true}`, and every WebSocket message of less than 126 bytes with itself. */
export async function startEchoServer(tls?: { readonly key: string; readonly cert: string }): Promise<EchoServer> {
  const hits: string[] = [];
  const answer = (request: IncomingMessage, response: { end(text: string): unknown; setHeader(name: string, value: string): unknown }) => {
    hits.push(`${request.method} ${request.url}`);
    response.setHeader("content-type", "application/json");
    response.end('{"ok":true}');
  };
  const server = tls === undefined ? createServer(answer) : createTlsServer(tls, answer);
  const open = new Set<Socket>();
  server.on("connection", (socket: Socket) => open.add(socket.once("close", () => open.delete(socket))));
  server.on("upgrade", (request: IncomingMessage, socket: Duplex) => {
    hits.push(`WebSocket ${request.url}`);
    const accept = createHash("sha1").update(`${request.headers["sec-websocket-key"]}${WEBSOCKET_ID}`).digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.on("data", (frame: Buffer) => socket.write(echo(frame)));
    socket.on("error", () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    hits,
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A client's frame is masked; a server's is not. */
function echo(frame: Buffer): Buffer {
  const [first = 0, second = 0] = frame;
  const length = second & 0x7f;
  const mask = frame.subarray(2, 6);
  const payload = frame.subarray(6, 6 + length).map((byte, index) => byte ^ (mask[index % 4] ?? 0));
  return Buffer.concat([Buffer.from([first, length]), payload]);
}
