import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";

/** Below the ports that Linux gives to outgoing connections: none of those takes it before the server that it is meant for has started. */
const [LOWEST, HIGHEST] = [10_000, 32_000];

/** A port of 127.0.0.1 that was free just now, for servers that cannot be given port 0. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(LOWEST, HIGHEST);
    const server = createServer();
    const free = await once(server.listen(port, "127.0.0.1"), "listening").then(
      () => true,
      () => false,
    );
    if (!free) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}
