import { defineConsumer } from "../../../src/contract/consumer.ts";
import { ownToken } from "./own-token.ts";
import { pair } from "./pair.ts";
import { preflight } from "./preflight.ts";
import { prove } from "./prove.ts";
import { reload } from "./reload.ts";
import { busySince } from "./runs.ts";
import { type Setup, settings, use } from "./settings.ts";

/** An OpenClaw gateway (2026.9), over its WebSocket RPC: https://docs.openclaw.ai/gateway/protocol. */
export const openclaw = defineConsumer({
  title: "OpenClaw gateway",
  settings,
  use,
  connect(settings, use, { consumer: name }, world) {
    const { provider } = use;
    if (provider === undefined) return ownToken({ name, settings, use, world });
    const setup: Setup = { name, settings, use: { ...use, provider }, world };
    return {
      preflight: (current, signal) => preflight(setup, current, signal),
      reload: (expected, signal) => reload(setup, expected, signal),
      prove: (expected, signal) => prove(setup, expected, signal),
      busySince: (reloadedAt, earlier, signal) => busySince(setup, reloadedAt, earlier, signal),
      pair: (signal) => pair(setup, signal),
      describe: () => ({
        preflight: `where it shows a degraded secret, it is asked to reload once; without "auth": "api-key" at ${provider}, one probe per agent that uses it: some 100 tokens each`,
        reload: "the gateway reads its secrets anew while it runs: no restart, usually within half a second",
        prove: `one probe and one model run per agent that uses ${provider}: about 150 tokens each`,
      }),
    };
  },
});
