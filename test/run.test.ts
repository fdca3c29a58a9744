import { execPath } from "node:process";
import { describe, expect, it, vi } from "vitest";
import { runCommand } from "../src/world/run.ts";

const { signal } = new AbortController();
const sh = (script: string, stdin = "", aborted = signal) => runCommand(["/bin/sh", "-c", script], { stdin, signal: aborted });

describe("runCommand", () => {
  it("gives exit code and outputs, and takes a non-zero exit as an answer", async () => {
    expect(await sh("cat; echo err >&2; exit 7", "in")).toEqual({ exitCode: 7, stdout: "in", stderr: "err\n" });
  });

  it("closes stdin, so that a program that reads it to the end goes on", async () => {
    expect((await sh("cat > /dev/null; echo done")).stdout).toBe("done\n");
  });

  it("takes a program that does not read its stdin", async () => {
    expect((await sh("exec 0<&-; exit 0", "x".repeat(1_000_000))).exitCode).toBe(0);
  });

  it("gives null for a program that was killed", async () => {
    expect((await sh("kill -9 $$")).exitCode).toBeNull();
  });

  it("passes arguments on as they are, without a shell", async () => {
    const script = "console.log(JSON.stringify(process.argv.slice(1)))";
    expect((await runCommand([execPath, "-e", script, "$HOME", "a b", "*;"], { stdin: "", signal })).stdout).toBe('["$HOME","a b","*;"]\n');
  });

  it("adds what it is given to the environment", async () => {
    const env = { XDG_RUNTIME_DIR: "/run/user/1" };
    expect((await runCommand(["/usr/bin/env"], { stdin: "", signal, env })).stdout).toMatch(/^XDG_RUNTIME_DIR=\/run\/user\/1$/m);
  });

  it("hands on nothing of the environment but PATH, and starts in /", async () => {
    process.env["ROTATED_TEST_CANARY"] = "sk-canary-environment";
    try {
      const script = "console.log(Object.keys(process.env).join(), process.cwd())";
      expect((await runCommand([execPath, "-e", script], { stdin: "", signal })).stdout).toBe("PATH /\n");
    } finally {
      delete process.env["ROTATED_TEST_CANARY"];
    }
  });

  it("keeps 1 MiB of each output and reads on, so that the program ends", async () => {
    const { exitCode, stdout, stderr } = await sh("head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2");
    expect([exitCode, stdout.length, stderr.length]).toEqual([0, 2 ** 20, 2 ** 20]);
  });

  it("does not wait for a process that was left in the background with our pipes, and lets it live", async () => {
    const { stdout } = await sh("sleep 30 & echo $!");
    const pid = Number(stdout);
    expect(process.kill(pid, 0)).toBe(true);
    process.kill(pid, "SIGKILL");
  });

  it("kills the whole group on an abort and rejects with its reason", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const marker = `30.${process.pid}`;
    const running = sh(`sleep ${marker} & sleep ${marker}`, "", controller.signal);
    await expect.poll(() => count(marker)).toBe(2);
    controller.abort(reason);
    await expect(running).rejects.toBe(reason);
    await expect.poll(() => count(marker)).toBe(0);
  });

  it("rejects on an abort, too, when the group is another account's and may not be killed", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const running = sh("sleep 1", "", controller.signal);
    const kill = vi.spyOn(process, "kill").mockImplementation(() => {
      throw Object.assign(new Error("kill EPERM"), { code: "EPERM" });
    });
    controller.abort(reason);
    kill.mockRestore();
    await expect(running).rejects.toBe(reason);
  });

  it("starts nothing when it was aborted before", async () => {
    const reason = new Error("enough");
    await expect(sh("exit 0", "", AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  it("calls it an outage when this process has no file descriptors left, and lives on", async () => {
    const script = `
      const { openSync } = require("node:fs");
      import("${new URL("../src/world/run.ts", import.meta.url).href}").then(async ({ runCommand }) => {
        try { for (;;) openSync("/dev/null"); } catch {}
        const { signal } = new AbortController();
        await runCommand(["/bin/true"], { stdin: "", signal }).catch(({ code }) => console.log(code));
      });`;
    expect(await sh(`ulimit -n 40; exec ${execPath} -e '${script}'`)).toEqual({ exitCode: 0, stdout: "unavailable\n", stderr: "" });
  });

  it.each([["/no/such/program"], ["/etc/passwd"], ["bad\0name"], [""]])(
    "throws misconfigured for a program that cannot be started (%j)",
    async (program) => {
      await expect(runCommand([program], { stdin: "", signal })).rejects.toMatchObject({ name: "AdapterError", code: "misconfigured" });
    },
  );
});

/** How many `sleep` processes with this argument there are. */
async function count(marker: string): Promise<number> {
  return Number((await sh(`ps -eo stat=,args= | grep -cE '^[^Z][^ ]* +sleep ${marker}$'`)).stdout);
}
