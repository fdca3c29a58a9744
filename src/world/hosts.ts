import { isIP } from "node:net";
import { bareHost, isLoopback } from "../contract/loopback.ts";

/** Where every cloud tells a machine who it is: link-local, plain http only, and answered by the machine's own host. */
const MACHINE_METADATA = "169.254.169.254";

/** Whether a request stays with this host and the one that it runs on: no proxy can pass it on, and plain text is fine. */
export function staysHere(url: URL): boolean {
  return isLoopback(url) || bareHost(url.hostname) === MACHINE_METADATA;
}

/**
 * Whether a `noProxy` list names the address: `*` names all, `example.org` and `.example.org` that host and all below it,
 * an IP address itself; `:8443` behind any of them narrows it to that port.
 */
export function isExempt(url: URL, noProxy: readonly string[]): boolean {
  const host = bareHost(url.hostname);
  const port = url.port || defaultPort(url.protocol);
  return noProxy.some((entry) => {
    const rule = split(entry.trim().toLowerCase());
    if (rule.port !== undefined && rule.port !== port) return false;
    if (rule.host === "*" || rule.host === host) return true;
    return rule.host !== "" && isIP(host) === 0 && host.endsWith(`.${rule.host}`);
  });
}

function split(entry: string): { host: string; port: string | undefined } {
  // An IPv6 address is full of colons: a port behind it needs brackets.
  const [, host = entry, port] = isIP(entry) === 6 ? [] : (/^(\[.*\]|[^:]*)(?::(\d+))?$/.exec(entry) ?? []);
  return { host: bareHost(host).replace(/^(\*?\.)(?=.)/, ""), port };
}

function defaultPort(protocol: string): string {
  return protocol === "https:" || protocol === "wss:" ? "443" : "80";
}
