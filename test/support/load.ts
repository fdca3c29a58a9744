import { setTimeout as sleep } from "node:timers/promises";

/** What users of a gateway felt. */
export interface Load {
  readonly served: number;
  readonly failed: number;
  /** Why, one line a failure; without anything of the answer but its status and kind. */
  readonly failures: readonly string[];
  /** Lets the requests that are on their way end. */
  stop(): Promise<void>;
}

/** Parallel clients that ask a gateway's agents, every second one with streams. */
export function startLoad(options: {
  readonly http: string;
  readonly token: string;
  readonly agents?: readonly string[];
  readonly clients?: number;
  /** How long each waits between two requests. A real gateway works more than a second of processor time for one. */
  readonly pauseMs?: number;
}): Load {
  const { http, token, agents = ["main"], clients = 4, pauseMs = 0 } = options;
  const load = { served: 0, failed: 0, failures: [] as string[], stop };
  let going = true;
  const running = Array.from({ length: clients }, (_, index) => client(index));
  return load;

  async function client(index: number): Promise<void> {
    const agent = agents[index % agents.length] ?? "main";
    const stream = index % 2 === 0;
    while (going) {
      const failure = await ask(http, token, agent, stream).catch((error: unknown) => (error instanceof Error ? error.message : "unknown"));
      if (failure === undefined) load.served += 1;
      else {
        load.failed += 1;
        load.failures.push(`${agent}${stream ? " (stream)" : ""}: ${failure}`);
      }
      if (pauseMs > 0) await sleep(pauseMs);
    }
  }

  async function stop(): Promise<void> {
    going = false;
    await Promise.all(running);
  }
}

/** One request; why it failed, or `undefined`. A stream can fail with status 200: by an error event, or by ending too soon. */
async function ask(http: string, token: string, agent: string, stream: boolean): Promise<string | undefined> {
  const response = await fetch(`${http}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ model: `openclaw/${agent}`, stream, messages: [{ role: "user", content: "ping" }] }),
  });
  const text = await response.text();
  if (!response.ok) return `status ${response.status}`;
  if (!stream) return /"error"\s*:/.test(text) ? "an error in the answer" : undefined;
  if (/^data: \{"error"/m.test(text)) return "an error in the stream";
  return text.includes("data: [DONE]") ? undefined : "the stream broke off";
}
