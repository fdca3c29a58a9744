/**
 * The fake gateway as a process of its own: `node test/fakes/gateway-main.ts --config openclaw.json`. Its environment
 * is that of the gateway. Prints one line of JSON with its addresses, then serves until it is told to stop.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { startFakeGateway } from "./gateway.ts";

const { values } = parseArgs({ options: { config: { type: "string" } } });
if (values.config === undefined) throw new Error("usage: gateway-main.ts --config FILE");
const env = Object.fromEntries(Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
const gateway = await startFakeGateway(JSON.parse(readFileSync(values.config, "utf8")), { env });
console.log(JSON.stringify({ url: gateway.url, http: gateway.http }));
for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void gateway.close());
