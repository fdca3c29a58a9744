import type { Command } from "commander";
import type { ProviderAbilities } from "../../abilities/providers.ts";
import { type Cli, type Common, examples, print } from "../cli.ts";
import { span, table } from "../output.ts";

const NOTE = "No daemon is needed. What a vendor cannot do, a rotation does without; docs/providers.md has the settings.";
const CREATES = "rotatectl providers --json | jq -r '.providers[] | select(.supply == \"create\").type'";

export function define(command: Command, cli: Cli): void {
  command
    .option("--json", "print it as JSON")
    .addHelpText("after", `\n${NOTE}\n${examples("rotatectl providers", CREATES)}`)
    .action(async (options: Common) => {
      const { loadPlugs } = await import("../plugs.ts");
      const { readExamples } = await import("../../abilities/examples.ts");
      const { providerAbilities } = await import("../../abilities/providers.ts");
      const plugs = await loadPlugs();
      const providers = providerAbilities(plugs, readExamples(plugs));
      await print(cli, options, { providers }, () => words(providers));
    });
}

async function words(providers: readonly ProviderAbilities[]): Promise<string> {
  const { cells, PROVIDER_COLUMNS } = await import("../../abilities/columns.ts");
  const head = ["TYPE", ...Object.values(PROVIDER_COLUMNS).map((name) => name.toUpperCase())];
  const overview = table(
    head,
    providers.map((can) => [can.type, ...cells(PROVIDER_COLUMNS, can)]),
  );
  return [overview, ...providers.map(more)].join("\n\n");
}

function more({ type, title, apiDocs, afterRevoke, revokeLagMs }: ProviderAbilities): string {
  const lag = revokeLagMs === 0 ? null : `a part of it may accept the key for ${span(revokeLagMs)} more`;
  const after = afterRevoke ?? lag;
  return [`${type}: ${title}`, `  ${apiDocs}`, ...(after === null ? [] : [`  after a revoke: ${after}`])].join("\n");
}
