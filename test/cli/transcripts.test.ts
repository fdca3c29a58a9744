import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { openBench } from "./run.ts";

/**
 * The `.txt` files beside this one are sessions as a person sees them: `$ ` before a command that exits with 0, `! ` before one
 * that must fail, `[exit N]` where it is not 1, `# ` before a remark. All of a file talk to one fake daemon.
 */
const folder = new URL("./", import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith(".txt"));

test.each(files)("%s", async (file) => {
  await using bench = await openBench();
  const script = readFileSync(new URL(file, folder), "utf8");
  const seen: string[] = [];
  for (const line of script.split("\n").filter((text) => /^[$!#] /.test(text))) {
    seen.push(line);
    if (line.startsWith("#")) continue;
    const ran = await bench.run(words(line).slice(2));
    expect(ran.code !== 0, `${line}\n${ran.all}`).toBe(line.startsWith("!"));
    const shown = ran.all.replaceAll(bench.socket, "/run/rotated/control.sock");
    seen.push(...(shown === "" ? [] : [shown]), ...(ran.code > 1 ? [`[exit ${ran.code}]`] : []), "");
  }
  expect(seen.join("\n").trim()).toBe(script.trim());
});

/** Words as a shell sees them, as far as single quotes go. */
function words(line: string): string[] {
  return Array.from(line.matchAll(/'([^']*)'|(\S+)/g), ([, quoted, plain]) => quoted ?? plain ?? "");
}
