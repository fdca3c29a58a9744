import type { Command } from "commander";
import type { StoreAbilities } from "../../abilities/stores.ts";
import { type Cli, type Common, examples, print } from "../cli.ts";
import { table } from "../output.ts";

const NOTE = `No daemon is needed. A credential has one store, with the keep of its versions, and mirrors, which get copies of the current value;
docs/stores-and-consumers.md has the settings.`;

export function define(command: Command, cli: Cli): void {
  command
    .option("--json", "print it as JSON")
    .addHelpText(
      "after",
      `\n${NOTE}\n${examples("rotatectl stores", "rotatectl stores --json | jq -r '.stores[] | select(.mirror).type'")}`,
    )
    .action(async (options: Common) => {
      const { loadPlugs } = await import("../plugs.ts");
      const { storeAbilities } = await import("../../abilities/stores.ts");
      const stores = storeAbilities(await loadPlugs());
      await print(cli, options, { stores }, () => words(stores));
    });
}

async function words(stores: readonly StoreAbilities[]): Promise<string> {
  const { cells, STORE_COLUMNS } = await import("../../abilities/columns.ts");
  const head = ["TYPE", ...Object.values(STORE_COLUMNS).map((name) => name.toUpperCase())];
  const overview = table(
    head,
    stores.map((can) => [can.type, ...cells(STORE_COLUMNS, can)]),
  );
  return [overview, stores.map(({ type, title }) => `${type}: ${title}`).join("\n")].join("\n\n");
}
