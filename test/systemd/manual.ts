import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../support/host.ts";

const TEXT = readFileSync(join(ROOT, "docs/systemd.md"), "utf8");

/** The commands of one code block of docs/systemd.md, as an operator copies them: the tests run them word by word. */
export function manualBlock(section: string, index = 0, language = "sh"): string {
  const [, body = ""] = TEXT.split(`\n## ${section}\n`);
  const blocks = [...(body.split("\n## ")[0] ?? "").matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "gs"))];
  const block = blocks[index]?.[1];
  if (block === undefined) throw new Error(`docs/systemd.md: "${section}" has no block ${index} of ${language}`);
  return block;
}
