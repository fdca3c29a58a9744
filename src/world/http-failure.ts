import { type AdapterCode, AdapterError } from "../contract/errors.ts";
import { errnoOf } from "../contract/file-errors.ts";

/** Errors of the system before a connection stands: nothing was sent. */
const NO_CONNECTION = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EAI_FAIL", "EAI_NODATA", "EADDRNOTAVAIL", "UND_ERR_CONNECT_TIMEOUT"];
const NO_ROUTE = ["ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "EACCES", "EPERM", "EHOSTDOWN"];
/** A proxy that refuses or drops the tunnel, as undici tells it. */
const NO_TUNNEL = ["UND_ERR_PRX_CONN", "UND_ERR_PRX_TLS"];
const NO_ANSWER = ["UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT"];
const NO_HTTP = ["HPE_", "UND_ERR_HEADERS_OVERFLOW"];
const NO_TLS = ["ERR_SSL_WRONG_VERSION_NUMBER", "ERR_SSL_PACKET_LENGTH_TOO_LONG"];
/** OpenSSL's reasons for not trusting a certificate, as Node names them. */
const NO_TRUST = /^(CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_|ERR_TLS_CERT_)/;

/**
 * What a request that got no usable answer ended with. An abort keeps its reason, but for a time-out, which is `timeout`.
 * `unreachable` is said only where nothing can have been sent; what may have reached the other side is `unavailable`.
 */
export function requestFailure(error: unknown, action: string, how: { readonly signal: AbortSignal; readonly viaProxy: boolean }): unknown {
  if (how.signal.aborted) return abortReason(how.signal, action);
  if (error instanceof AdapterError) return error;
  const code = errnoOf(error) ?? "no code";
  const fail = (kind: AdapterCode, why: string, cure?: string) =>
    new AdapterError(kind, `${action}: ${why} (${code})`, { cause: error, ...(cure && { cure }) });

  if (NO_TRUST.test(code)) {
    return fail("unreachable", "the certificate is not trusted", "name the PEM file of the authority that signed it under network.ca");
  }
  if (NO_TLS.includes(code)) {
    return fail("unreachable", "the other side does not speak TLS", "look at the address: https or http, and which port");
  }
  if (how.viaProxy && isTunnelFailure(error, code)) {
    return fail("unreachable", "the proxy made no connection", "look at network.proxy, and whether the proxy lets this address through");
  }
  if (NO_CONNECTION.includes(code) || (NO_ROUTE.includes(code) && syscallOf(error) === "connect")) {
    if (!how.viaProxy) return fail("unreachable", "no connection");
    return fail("unreachable", "no connection to the proxy", "look at network.proxy: is it running, is the address right?");
  }
  if (NO_ANSWER.includes(code)) return fail("timeout", "no answer came in time");
  if (NO_HTTP.some((prefix) => code.startsWith(prefix))) return fail("malformed", "the answer is no http");
  if (code === "UND_ERR_INVALID_ARG") {
    return fail("misconfigured", "no such request can be sent", "is there a line end or another odd character in an address or a secret?");
  }
  return fail("unavailable", "the connection broke");
}

/** What an aborted request throws: `timeout` after a deadline, else the reason itself. */
export function abortReason(signal: AbortSignal, action: string): unknown {
  const reason: unknown = signal.reason;
  if (!(reason instanceof DOMException) || reason.name !== "TimeoutError") return reason;
  return new AdapterError("timeout", `${action}: no answer came in time`, { cause: reason });
}

function isTunnelFailure(error: unknown, code: string): boolean {
  // These two codes have other uses: undici says only in the text that it was the proxy.
  if (code === "UND_ERR_ABORTED") return String(error).includes("when HTTP Tunneling");
  if (code === "UND_ERR_INVALID_ARG") return String(error).includes("(407)");
  return NO_TUNNEL.includes(code);
}

function syscallOf(error: unknown): unknown {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  return first instanceof Error && "syscall" in first ? first.syscall : undefined;
}
