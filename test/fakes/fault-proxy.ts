import { type Answer, type FakeRequest, type HttpFake, methodAndTarget, startHttpFake } from "./http-fake.ts";

/** Stands in front of a real server: counts what comes, and makes faults. */
export interface FaultProxy extends HttpFake {
  /** Awaited before a request goes on to the server. */
  onRequest: ((method: string, path: string) => Promise<void>) | undefined;
}

/** Starts a proxy for the server at `target`. `refusal` is the shape in which that server refuses. */
export async function startFaultProxy(target: string, refusal: (text: string) => unknown = (detail) => ({ detail })): Promise<FaultProxy> {
  const server = await startHttpFake({
    async answer(request) {
      await proxy.onRequest?.(request.method, request.path);
      return forward(target, request);
    },
    refuse: (status, message) => ({ status, body: refusal(message) }),
    seen: methodAndTarget,
  });
  const proxy: FaultProxy = Object.assign(server, { onRequest: undefined });
  return proxy;
}

async function forward(target: string, { method, target: path, headers: sent, text }: FakeRequest): Promise<Answer> {
  const { host: _, "content-length": _length, ...rest } = sent;
  const headers = { ...(rest as Record<string, string>), connection: "close" };
  const response = await fetch(`${target}${path}`, { method, headers, redirect: "manual", ...(text !== "" && { body: text }) });
  const { status } = response;
  return { status, headers: { "content-type": response.headers.get("content-type") ?? "" }, body: await response.text() };
}
