import { isIP } from "node:net";

/**
 * Whether an address is this very host, so that plain text and a way around the proxy are fine. Of names only `localhost` is: what
 * stands below it, such as `llm.localhost`, is led elsewhere by some resolvers.
 */
export function isLoopback(url: URL): boolean {
  const host = bareHost(url.hostname);
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

/** A host without the brackets of an IPv6 address, and without the dot that may end a name. */
export function bareHost(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1").replace(/(?<=.)\.$/, "");
}
