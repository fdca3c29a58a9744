import { Command, InvalidArgumentError } from "commander";
import { PROVIDERS, type ProviderName } from "../providers/index.ts";
import { makeSuggest } from "../src/config/suggest.ts";
import { screen } from "./screen.ts";
import { STORES, type StoreName } from "./stores.ts";
import { NOT_SHOWN } from "./vendors.ts";

/** What the demo is to show. */
export interface Options {
  readonly openclaw?: true;
  readonly store: StoreName;
  readonly vendor: ProviderName;
  readonly keep?: true;
}

const NAMES = Object.keys(PROVIDERS) as ProviderName[];
const VENDORS = NAMES.filter((name) => NOT_SHOWN[name] === undefined);

const NOTE = `
Stores:
  file   a field of a JSON file
  vault  a real OpenBao (needs python3; 200 MB in a cache, 10 to 20 s the first time)
  aws    moto, made as strict as AWS (needs python3; 315 MB in a cache, 30 s to 2 min the first time)

Vendors:
  ${VENDORS.join(", ")}
  any-llm is the real gateway (needs python3; 200 MB in a cache, 30 s to 2 min the first time)

Examples:
  $ npm run demo
  $ npm run demo -- --store vault
  $ npm run demo -- --vendor anthropic --store aws
  $ npm run demo -- --openclaw --keep`;

/** Reads the command line. Ends the process with 2 when it cannot be understood, and with 0 after `--help`. */
export function readOptions(): Options {
  return new Command("npm run demo --")
    .description("Rotates one API key under live requests, without an account at any vendor.")
    .option("--openclaw", "with a real OpenClaw gateway (835 MB in a cache, 30 to 45 s the first time)")
    .option("--store <type>", "where the key is kept", (name) => oneOf(name, Object.keys(STORES) as StoreName[], "store"), "file")
    .option("--vendor <type>", "whose key it is", vendor, "openai")
    .option("--keep", "keep the directory with configuration, ledger and logs for a look")
    .addHelpText("after", NOTE)
    .configureOutput({ outputError: (text) => screen.error(text.replace(/^error: /, "").trimEnd()) })
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
    .parse()
    .opts<Options>();
}

function vendor(text: string): ProviderName {
  const name = oneOf(text, NAMES, "vendor", VENDORS);
  const why = NOT_SHOWN[name];
  if (why !== undefined) throw new InvalidArgumentError(`${why}. The demo has ${VENDORS.join(", ")}.`);
  return name;
}

function oneOf<Name extends string>(text: string, names: readonly Name[], what: string, listed: readonly Name[] = names): Name {
  const found = names.find((name) => name === text);
  if (found !== undefined) return found;
  const near = makeSuggest()(text, listed);
  throw new InvalidArgumentError(`${near === undefined ? `No such ${what}.` : `Did you mean ${near}?`} There are ${listed.join(", ")}.`);
}
