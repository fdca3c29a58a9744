// Shared by the launchers. Plain JavaScript that old versions of Node understand: one of them may be running it.
const { existsSync } = require("node:fs");
const { join } = require("node:path");

/** Runs `main(argv)` of a program under dist, or says what is missing. `whenLoaded` comes between the two. */
async function launch(program, whenLoaded = () => {}) {
  const entry = join(__dirname, `../dist/${program}.cjs`);
  if (Number(process.versions.node.split(".")[0]) < 24) {
    fail(program, `needs Node 24 or newer, this is ${process.version}`, "npm install without --omit=optional brings it along on Linux");
  } else if (process.argv[2] === "--version") {
    console.log(require("../package.json").version);
  } else if (!existsSync(entry)) {
    fail(program, "it is not built", "npm run build");
  } else {
    const { main } = require(entry);
    whenLoaded();
    // Until it answers: a program that waits for nothing any more ends without an answer.
    process.exitCode = 1;
    process.exitCode = await main(process.argv.slice(2));
  }
}

function fail(program, message, hint) {
  console.error(`${program}: error: ${message}`);
  console.error(`${program}: hint: ${hint}`);
  process.exitCode = 1;
}

module.exports = { launch };
