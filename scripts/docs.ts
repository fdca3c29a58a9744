import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { importAll } from "../src/config/registry.ts";
import { REGISTRY } from "../src/registry.ts";
import { renderPages } from "./docs/pages.ts";

// Writes the generated pages; with --check it only names those that are not as they would be written, and fails.
const root = fileURLToPath(new URL("..", import.meta.url));
const pages = renderPages(await importAll(REGISTRY));
const stale = [...pages].filter(([path, text]) => readPage(path) !== text);

if (!process.argv.includes("--check")) {
  for (const [path, text] of stale) {
    mkdirSync(dirname(root + path), { recursive: true });
    writeFileSync(root + path, text);
  }
} else if (stale.length > 0) {
  for (const [path] of stale) console.error(`docs: ${path} is stale`);
  console.error("docs: hint: npm run docs, and commit what it writes");
  process.exitCode = 1;
}

function readPage(path: string): string | undefined {
  try {
    return readFileSync(root + path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
