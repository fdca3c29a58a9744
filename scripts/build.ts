import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "rolldown";

// Writes dist/: the two programs in a few files, with the libraries in them (docs/decisions/built-into-few-files.md). What is
// imported when it is first used has a file of its own. CommonJS, because importing a part of Node by `import` reads all that it
// has, also what is loaded when it is first read.
const path = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));

/** What a library loads at every start, and uses for nothing here: who imports what, and what stands for it. */
const STAND_INS: readonly { readonly importer: RegExp; readonly source: string; readonly standIn: string }[] = [
  { importer: /src\/world\/network\.ts$/, source: "undici", standIn: "undici-dispatchers.mjs" },
  { importer: /src\/world\/web-socket\.ts$/, source: "undici", standIn: "undici-web-socket.mjs" },
  { importer: /\/undici\//, source: "node:http2", standIn: "no-http2.cjs" },
  { importer: /\/undici\//, source: "node:assert", standIn: "plain-assert.cjs" },
  { importer: /\/commander\//, source: "node:child_process", standIn: "no-subprograms.cjs" },
];

const standIns: Plugin = {
  name: "stand-ins",
  resolveId(source, importer = "") {
    const found = STAND_INS.find((one) => one.source === source && one.importer.test(importer));
    return found && path(`scripts/stand-ins/${found.standIn}`);
  },
};

/** A file with one character more than ASCII has takes twice the memory, and longer to read. Such characters are in texts and comments. */
const onlyAscii: Plugin = {
  name: "only-ascii",
  generateBundle(_, bundle) {
    for (const file of Object.values(bundle)) if (file.type === "chunk") file.code = file.code.replace(/[\u0080-\uffff]/g, escaped);
  },
};

const escaped = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** Native: found where npm has installed them. */
const NATIVE = [/^better-sqlite3$/, /^koffi$/];

rmSync(path("dist"), { recursive: true, force: true });
await build({
  cwd: path(""),
  input: { rotated: path("src/daemon-main.ts"), rotatectl: path("src/cli/main.ts") },
  platform: "node",
  // Of a package without "exports" the ES modules: what else it brings may look for its parts at run time (jsonc-parser).
  resolve: { mainFields: ["module", "main"] },
  external: NATIVE,
  plugins: [standIns, onlyAscii],
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
