import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** The least of a vendor: one call that accepts some keys and refuses the others. */
export interface KeyVendor {
  readonly url: string;
  readonly accepted: Set<string>;
  /** Every request gets this status in place of an answer. */
  outage: number | undefined;
  /** The keys of all requests so far, in order. */
  readonly seen: string[];
  stop(): Promise<void>;
}

export async function startKeyVendor(): Promise<KeyVendor> {
  const accepted = new Set<string>();
  const seen: string[] = [];
  const server = createServer((request, response) => {
    const key = (request.headers.authorization ?? "").replace(/^Bearer /, "");
    seen.push(key);
    const status = vendor.outage ?? (accepted.has(key) ? 200 : 401);
    request.resume().on("end", () => response.writeHead(status, { "content-type": "application/json" }).end("{}"));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const vendor: KeyVendor = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    accepted,
    outage: undefined,
    seen,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return vendor;
}
