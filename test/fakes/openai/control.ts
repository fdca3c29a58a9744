import type { FaultRule } from "../faults.ts";
import type { Answer } from "../http-fake.ts";
import type { FakeOpenAi } from "../openai.ts";
import type { Pace } from "./inference.ts";
import type { Lags, Rules } from "./vendor.ts";

type Handler = (fake: FakeOpenAi, body: string) => unknown;

/**
 * What another process may ask of the fake, under `/__fake`:
 *
 * - `GET /state`: every key, also dead ones, without its secret; `GET /log`: the requests.
 * - `POST /faults` with a `FaultRule`; `DELETE /faults` drops them all.
 * - `POST /set` with any of `lags`, `rules`, `pace`.
 * - `POST /reset`: as on the first day, but for the keys.
 */
const ROUTES: Readonly<Record<string, Handler>> = {
  "GET /state": ({ vendor }) => ({
    project: vendor.project,
    keys: vendor.everyKey().map(withoutSecret),
    admins: vendor.admins.every().map(withoutSecret),
    accounts: vendor.listedAccounts(),
  }),
  "GET /log": ({ log }) => log,
  "POST /faults": ({ faults }, body) => faults.add(JSON.parse(body) as FaultRule),
  "DELETE /faults": ({ faults }) => faults.clear(),
  "POST /set": ({ vendor, pace }, body) => {
    const wanted = JSON.parse(body) as { lags?: Partial<Lags>; rules?: Partial<Rules>; pace?: Partial<Pace> };
    Object.assign(vendor.lags, wanted.lags);
    Object.assign(vendor.rules, wanted.rules);
    Object.assign(pace, wanted.pace);
  },
  "POST /reset": (fake) => fake.reset(),
};

/** Answers a request of a test in another process. */
export function controlApi(fake: FakeOpenAi, method: string, path: string, body: string): Answer {
  const handler = ROUTES[`${method} ${path}`];
  if (handler === undefined) return { status: 404, body: { routes: Object.keys(ROUTES) } };
  try {
    return { status: 200, body: handler(fake, body) ?? {} };
  } catch (error) {
    return { status: 400, body: { problem: String(error) } };
  }
}

function withoutSecret<Key extends { readonly secret: string }>({ secret: _, ...rest }: Key) {
  return rest;
}
