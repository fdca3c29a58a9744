import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Secret } from "../../src/contract/secret.ts";
import { checklist, NOW, rotation } from "../fakes/control.ts";
import { type Bench, openBench } from "./run.ts";

const MAIN = new URL("../../src/cli/main.ts", import.meta.url).href;
const PROGRAM = `import { main } from ${JSON.stringify(MAIN)}; process.exitCode = await main(process.argv.slice(1));`;

/** A command that is the real `rotatectl`, run from the sources. */
async function makeCommand(bench: Bench): Promise<string> {
  const path = join(bench.directory, "rotatectl");
  await writeFile(path, `#!/bin/sh\nexec '${process.execPath}' --input-type=module -e '${PROGRAM}' -- "$@"\n`, { mode: 0o755 });
  return path;
}

/** Runs a command on a terminal of its own: what arrives on stdin is typed. The last line is its exit code. */
const TERMINAL = `
import os, pty, select, sys
pid, terminal = pty.fork()
if pid == 0: os.execv(sys.argv[1], sys.argv[1:])
sources = [terminal, 0]
while True:
    ready, _, _ = select.select(sources, [], [])
    if 0 in ready:
        typed = os.read(0, 100)
        if typed: os.write(terminal, typed)
        else: sources.remove(0)
    if terminal in ready:
        try: shown = os.read(terminal, 4096)
        except OSError: break
        os.write(1, shown)
os.write(1, b"\\nexit %d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

function onTerminal(bench: Bench, command: string, ...argv: string[]) {
  const env = { ...process.env, ROTATED_SOCKET: bench.socket, TERM: "xterm" };
  const child = spawn("python3", ["-c", TERMINAL, command, ...argv], { stdio: ["pipe", "pipe", "inherit"], env });
  let shown = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    shown += text;
  });
  return { child, shown: () => shown, closed: once(child, "close") };
}

const created = { state: "done", text: "key_new created" } as const;

test("on a terminal the running step turns, and finished ones stay above it", async () => {
  await using bench = await openBench();
  const running = checklist(created, { state: "running", text: "writing to local" });
  bench.control.news = [rotation({ checklist: running })];
  const terminal = onTerminal(bench, await makeCommand(bench), "rotate", "prod-openai", "--wait");
  // Braille: a frame of the spinner.
  await expect.poll(terminal.shown, { timeout: 10_000 }).toMatch(/[\u2800-\u28ff].*update {4}writing to local/);
  const done = { state: "done", text: "proven" } as const;
  bench.control.news = [rotation({ checklist: checklist(created, done, done, done, done), outcome: "done", endedAt: NOW })];
  await terminal.closed;
  expect(terminal.shown().match(/✔ generate {2}key_new created/g)).toHaveLength(1);
  expect(terminal.shown()).toMatch(/✔ revoke {4}proven\r\n(.*)prod-openai: routine done after 2 min\r\n(.*)\nexit 0$/);
});

test("Ctrl-C on a terminal stops the watching and gives the cursor back", async () => {
  await using bench = await openBench();
  const terminal = onTerminal(bench, await makeCommand(bench), "rotate", "prod-openai", "--wait");
  await expect.poll(() => bench.control.callsOf("watch").length, { timeout: 10_000 }).toBe(1);
  terminal.child.stdin.write("\x03");
  await terminal.closed;
  expect(terminal.shown()).toContain("rotatectl: stopped watching; the daemon goes on");
  expect(terminal.shown()).toMatch(/exit 130$/);
  // Equal when both are absent: the key came before the first turn of the spinner.
  expect(terminal.shown().lastIndexOf("\x1b[?25h")).toBeGreaterThanOrEqual(terminal.shown().lastIndexOf("\x1b[?25l"));
  expect(bench.control.callsOf("cancel")).toHaveLength(0);
});

test("a secret that is typed is not shown, and arrives whole", async () => {
  await using bench = await openBench();
  const terminal = onTerminal(bench, await makeCommand(bench), "intake", "prod-openai");
  await expect.poll(terminal.shown, { timeout: 10_000 }).toContain("new key for prod-openai: ");
  terminal.child.stdin.write("sk-canary-typed\x7f\x7f\x7f\x7f\x7fpasted\r");
  await terminal.closed;
  const [{ request } = { request: {} }] = bench.control.callsOf("intake");
  expect((request as { secret: Secret }).secret.reveal()).toBe("sk-canary-pasted");
  expect(terminal.shown()).toMatch(/key_brought was taken in.*\nexit 0$/s);
  for (const part of ["canary", "pasted", "*"]) expect(terminal.shown(), `no ${part}`).not.toContain(part);
});

test.each([
  ["Ctrl-C", "sk-canary-half\x03"],
  ["Ctrl-D", "\x04"],
  ["an empty line", "\r"],
])("%s at the prompt brings nothing, and leaves the terminal as it was", async (_, typed) => {
  await using bench = await openBench();
  await makeCommand(bench);
  const script = `stty -a > before; rotatectl intake prod-openai; code=$?; stty -a > after; cmp before after && exit $code`;
  const env = { PATH: `${bench.directory}:${process.env["PATH"]}` };
  const terminal = onTerminal(bench, "/usr/bin/env", `PATH=${env.PATH}`, "sh", "-c", `cd '${bench.directory}'; ${script}`);
  await expect.poll(terminal.shown, { timeout: 10_000 }).toContain("new key for prod-openai: ");
  terminal.child.stdin.write(typed);
  await terminal.closed;
  expect(terminal.shown()).toContain("rotatectl: error: no key was given");
  expect(terminal.shown()).toMatch(/exit 2$/);
  expect(terminal.shown()).not.toContain("canary");
  expect(bench.control.callsOf("intake")).toHaveLength(0);
});

const load = (shell: string) => `eval "$(rotatectl completion ${shell})"`;
/** Scripts that print what each shell would offer, one a line. */
const SHELLS = {
  bash: (typed: readonly string[]) => `${load("bash")}
    COMP_WORDS=(${typed.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${typed.length - 1}
    _rotatectl; printf '%s\\n' "\${COMPREPLY[@]}"`,
  fish: (typed: readonly string[]) => `${load("fish")}
    complete --do-complete '${typed.join(" ")}'`,
  // Only on a terminal does zsh complete: an inner shell gets one, where the last command of all completions tells what it is given.
  zsh: (typed: readonly string[]) => `exec 3>&1; zmodload zsh/zpty; zpty inner zsh -fi
    zpty -w inner 'autoload -U compinit; compinit -D -u; ${load("zsh")}
      compadd() { local -a fits; builtin compadd -O fits "$@"; print -l -- $fits >&3 }
      comppostfuncs=(exit); bindkey "^I" complete-word; print READY$((1))'
    zpty -r -m inner shown '*READY1*'
    zpty -w -n inner '${typed.join(" ")}'$'\\t'
    while zpty -r inner shown; do; done`,
} as const;

test.for(Object.entries(SHELLS))("%s completes commands, options and credentials", async ([shell, complete], { skip }) => {
  await using bench = await openBench();
  await makeCommand(bench);
  const ask = async (...typed: string[]) => {
    const script = complete(["rotatectl", ...typed]);
    const env = { ...process.env, PATH: `${bench.directory}:${process.env["PATH"]}`, ROTATED_SOCKET: bench.socket };
    // Where the daemon offers nothing, there are no files to offer either.
    const child = spawn(shell, ["-c", script], { stdio: ["ignore", "pipe", "inherit"], env, cwd: bench.directory });
    const [failed] = await Promise.race([once(child, "spawn").then(() => [undefined]), once(child, "error")]);
    if (failed !== undefined) return undefined;
    return (await child.stdout.setEncoding("utf8").toArray()).join("").trim().split("\n");
  };
  const commands = await ask("re");
  if (commands === undefined) return skip(`there is no ${shell} on this machine`);
  expect(commands.toSorted()).toEqual(["rehearse", "resolve", "resume", "retire", "retry"]);
  expect(await ask("rotate", "p")).toEqual(["prod-openai"]);
  expect(await ask("rotate", "--w")).toEqual(["--wait"]);
  await bench.stop();
  expect(await ask("rotate", "p")).toEqual([""]);
});
