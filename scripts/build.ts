import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "rolldown";

// Writes dist/: the two programs in a few files, with the libraries in them (docs/decisions/built-into-few-files.md). What is
// imported when it is first used has a file of its own. CommonJS, because importing a part of Node by `import` reads all that it
// has, also what is loaded when it is first read.
const path = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));

/** Native: found where npm has installed them. */
const NATIVE = [/^better-sqlite3$/, /^koffi$/];

rmSync(path("dist"), { recursive: true, force: true });
await build({
  cwd: path(""),
  input: { rotated: path("src/daemon-main.ts"), rotatectl: path("src/cli/main.ts") },
  platform: "node",
  // Of a package without "exports" the ES modules: what else it brings may look for its parts at run time (jsonc-parser).
  resolve: { mainFields: ["module", "main"], alias: { undici$: path("scripts/parts-of-undici.mjs") } },
  external: NATIVE,
  // What only one program uses stands in its own file, also where its commands use it, too.
  preserveEntrySignatures: "allow-extension",
  // A warning is an import that would be missing at run time, or worse.
  onLog: (level, { message }) => {
    if (level === "warn") throw new Error(`build: ${message}`);
  },
  output: {
    dir: path("dist"),
    format: "cjs",
    entryFileNames: "[name].cjs",
    chunkFileNames: "[name].cjs",
    comments: { legal: true, annotation: false, jsdoc: false },
  },
});

// What the launcher answers without a start of Node.
writeFileSync(path("dist/rotatectl-help.txt"), execFileSync(process.execPath, [path("bin/rotatectl"), "--help"]));
