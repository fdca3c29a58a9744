import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

/** The server's side of one WebSocket connection (RFC 6455): text frames only, no extensions. */
export interface Peer {
  send(text: string): void;
  /** Says why, then hangs up. */
  close(code: number, reason: string): void;
}

export interface PeerEvents {
  onText(text: string): void;
  onClose(): void;
}

const OPCODE = { more: 0, text: 1, close: 8, ping: 9, pong: 10 } as const;
const MAX_BYTES = 4 << 20;

/** Answers an upgrade request. */
export function acceptWebSocket(request: IncomingMessage, socket: Duplex, head: Buffer, events: PeerEvents): Peer | undefined {
  const key = request.headers["sec-websocket-key"];
  if (key === undefined || request.headers["sec-websocket-version"] !== "13") {
    socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    return undefined;
  }
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);

  let buffer = head;
  let message: Buffer[] = [];
  let open = true;
  const hangUp = (code: number, reason: string) => {
    if (!open) return;
    open = false;
    const body = Buffer.alloc(2);
    body.writeUInt16BE(code);
    socket.end(encode(OPCODE.close, Buffer.concat([body, Buffer.from(reason)])));
  };
  const read = () => {
    for (let frame = decode(buffer); frame !== undefined && open; frame = decode(buffer)) {
      buffer = buffer.subarray(frame.size);
      if (!frame.masked) return hangUp(1002, "frames of a client are masked");
      if (frame.opcode === OPCODE.close) return hangUp(1000, "");
      if (frame.opcode === OPCODE.ping) socket.write(encode(OPCODE.pong, frame.payload));
      if (frame.opcode !== OPCODE.text && frame.opcode !== OPCODE.more) continue;
      message.push(frame.payload);
      if (!frame.last) continue;
      const text = Buffer.concat(message).toString("utf8");
      message = [];
      events.onText(text);
    }
    if (buffer.length > MAX_BYTES) hangUp(1009, "too big");
  };
  socket.on("data", (chunk: Buffer) => {
    buffer = Buffer.concat([buffer, chunk]);
    read();
  });
  socket.on("error", () => socket.destroy());
  socket.on("close", () => {
    open = false;
    events.onClose();
  });
  read();
  return {
    send: (text) => {
      if (open) socket.write(encode(OPCODE.text, Buffer.from(text)));
    },
    close: hangUp,
  };
}

function encode(opcode: number, payload: Buffer): Buffer {
  const long = payload.length > 0xffff;
  const head = Buffer.alloc(payload.length < 126 ? 2 : long ? 10 : 4);
  head[0] = 0x80 | opcode;
  if (head.length === 2) head[1] = payload.length;
  else if (long) {
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(payload.length), 2);
  } else {
    head[1] = 126;
    head.writeUInt16BE(payload.length, 2);
  }
  return Buffer.concat([head, payload]);
}

/** The first whole frame of `buffer`; `undefined` while there is none. */
function decode(buffer: Buffer) {
  if (buffer.length < 2) return undefined;
  const [first, second] = [buffer.readUInt8(0), buffer.readUInt8(1)];
  const masked = (second & 0x80) !== 0;
  const short = second & 0x7f;
  const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
  const start = 2 + lengthBytes + (masked ? 4 : 0);
  if (buffer.length < start) return undefined;
  const length = lengthBytes === 0 ? short : lengthBytes === 2 ? buffer.readUInt16BE(2) : Number(buffer.readBigUInt64BE(2));
  const size = start + length;
  if (buffer.length < size) return undefined;
  const payload = Buffer.from(buffer.subarray(start, size));
  const mask = buffer.subarray(start - 4, start);
  if (masked) for (let i = 0; i < payload.length; i++) payload[i] = (payload[i] ?? 0) ^ (mask[i % 4] ?? 0);
  return { last: (first & 0x80) !== 0, opcode: first & 0x0f, masked, payload, size };
}
