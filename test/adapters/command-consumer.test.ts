import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { command } from "../../adapters/consumers/command.ts";
import { Secret } from "../../src/contract/secret.ts";
import { realWorld } from "../support/real-world.ts";

const { signal } = new AbortController();
const secret = new Secret("sk-canary-command-0001");

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "rotated-command-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** An executable shell script. */
function script(name: string, body: string): string {
  const path = join(directory, name);
  writeFileSync(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return path;
}

function consumer(settings: Record<string, unknown>) {
  return command.connect(command.settings.parse(settings), {}, { credential: "prod", consumer: "app" }, realWorld(directory));
}

const validating = (body: string) => consumer({ validate: [script("validate", body)] });

describe("validate", () => {
  it("gets the credential's name and a nonce as one JSON line on stdin, its arguments as they are, and no secret", async () => {
    const seen = join(directory, "seen");
    const path = script("validate", `cat > ${seen}; printf '%s|' "$@" >> ${seen}; env >> ${seen}`);
    const proof = await consumer({ validate: [path, "a b", "$HOME;*"] }).prove(secret, signal);
    const [line = "", rest = ""] = readFileSync(seen, "utf8").split(/\n(.*)/s);
    expect(JSON.parse(line)).toEqual({ credential: "prod", nonce: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(rest).toMatch(/^a b\|\$HOME;\*\|/);
    expect(line + rest).not.toContain("canary");
    expect(proof).toEqual({ result: "proven", grade: "answered", detail: { command: path } });
  });

  it("gets another nonce each time", async () => {
    const seen = join(directory, "seen");
    const app = validating(`cat >> ${seen}`);
    await app.prove(secret, signal);
    await app.prove(secret, signal);
    expect(new Set(readFileSync(seen, "utf8").trim().split("\n")).size).toBe(2);
  });

  it.each(["", "echo fine", `echo '{"ok":true}'`, "exec 0<&-"])("that exits with 0 after `%s` has answered, and no more", async (body) => {
    expect(await validating(body).prove(secret, signal)).toMatchObject({ result: "proven", grade: "answered" });
  });

  it.each([true, false])("that shows an HMAC of another value contradicts, whether its request succeeded (%s) or not", async (ok) => {
    const body = `echo '{"ok":${ok},"hmac":"${"0".repeat(64)}"}'`;
    expect(await validating(body).prove(secret, signal)).toMatchObject({ result: "contradicted" });
  });

  it.each([
    ["echo '{\"ok\":false}'", "inconclusive", "its request did not succeed"],
    ['echo \'{"ok":true,"hmac":"short"}\'', "malformed", "its answer is not"],
    ["echo '{\"fine\":1}'", "malformed", "its answer is not"],
    ["echo '{torn'", "malformed", "its answer is not"],
    ["echo asking; echo '{\"ok\":false}'", "malformed", "its answer is not"],
    ["exit 3", "inconclusive", "consumer app: validate: exit code 3"],
    ["kill -9 $$", "inconclusive", "consumer app: validate: killed by a signal"],
    ["echo first >&2; echo 'key sk-canary-command-0001 refused' >&2; exit 1", "inconclusive", "exit code 1: key [secret] refused"],
  ])("that does `%s` proves nothing", async (body, code, message) => {
    await expect(validating(body).prove(secret, signal)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });

  it("that says much has its last line cut, and a secret is masked before it could be cut in two", async () => {
    const said = `${"x".repeat(190)} sk-canary-command-0001`;
    const error: unknown = await validating(`echo '${said}' >&2; exit 1`)
      .prove(secret, signal)
      .catch((reason: unknown) => reason);
    expect(String(error)).toMatch(/exit code 1: x{190} \[secret\]$/);
  });

  it("that does not end in time is killed, with what it started", async () => {
    const app = consumer({ validate: [script("validate", `sleep 60 & echo $! > ${directory}/pid; wait`)], timeout: "300ms" });
    await expect(app.prove(secret, signal)).rejects.toMatchObject({
      code: "timeout",
      message: "consumer app: validate: no end after 300 ms",
    });
    const pid = Number(readFileSync(join(directory, "pid"), "utf8"));
    await expect.poll(() => state(pid)).toMatch(/gone|Z/);
  });
});

describe("reload", () => {
  it("is not needed: some programs read their key again by themselves", async () => {
    const app = validating("exit 1");
    expect(await app.reload(secret, signal)).toEqual({ holds: "expected" });
    expect(app.describe().reload).toBe("nothing is run: it reads its key by itself");
  });

  it("that fails is thrown", async () => {
    const app = consumer({ reload: [script("reload", "echo no >&2; exit 2")], validate: [script("validate", "")] });
    await expect(app.reload(secret, signal)).rejects.toMatchObject({
      code: "inconclusive",
      message: "consumer app: reload: exit code 2: no",
    });
  });
});

describe("preflight", () => {
  it("finds programs that are not there or may not be executed, and runs nothing then", async () => {
    const validate = script("validate", `touch ${directory}/ran`);
    const plain = script("reload", "");
    chmodSync(plain, 0o644);
    const findings = await consumer({ reload: [plain], validate: [join(directory, "absent")] }).preflight(secret, signal);
    expect(findings.map(({ code, cure }) => [code, cure])).toEqual([
      ["notExecutable", `chmod +x ${plain}`],
      ["notExecutable", "correct its path"],
    ]);
    await consumer({ reload: [plain], validate: [validate] }).preflight(secret, signal);
    expect(() => readFileSync(join(directory, "ran"))).toThrow("ENOENT");
  });

  it("finds a value that shadows the store's", async () => {
    const app = validating(`echo '{"ok":true,"hmac":"${"0".repeat(64)}"}'`);
    expect(await app.preflight(secret, signal)).toMatchObject([{ code: "shadowed" }]);
  });
});

describe("settings", () => {
  it.each([{}, { validate: [] }, { validate: ["relative"] }, { validate: "/bin/true" }, { validate: ["/bin/true"], timeout: 3 }])(
    "refuse %j",
    (settings) => {
      expect(command.settings.safeParse(settings).success).toBe(false);
    },
  );
});

function state(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1] ?? "";
  } catch {
    return "gone";
  }
}
