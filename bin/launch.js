// Shared by the launchers. Plain JavaScript that old versions of Node understand: one of them may be running it.
import { existsSync, readFileSync } from "node:fs";

/** Runs `main(argv)` of a program under dist, or says what is missing. */
export async function launch(program) {
  const entry = new URL(`../dist/${program}.js`, import.meta.url);
  if (Number(process.versions.node.split(".")[0]) < 24) {
    fail(program, `needs Node 24 or newer, this is ${process.version}`, "npm install without --omit=optional brings it along on Linux");
  } else if (process.argv[2] === "--version") {
    console.log(JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")).version);
  } else if (!existsSync(entry)) {
    fail(program, "it is not built", "npm run build");
  } else {
    const { main } = await import(entry.href);
    const code = await main(process.argv.slice(2));
    if (typeof code === "number") process.exitCode = code;
  }
}

function fail(program, message, hint) {
  console.error(`${program}: error: ${message}`);
  console.error(`${program}: hint: ${hint}`);
  process.exitCode = 1;
}
