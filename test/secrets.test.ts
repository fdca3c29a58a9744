import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Files } from "../src/contract/world.ts";
import { realFiles } from "../src/world/files.ts";
import { secretResolver } from "../src/world/secrets.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "rotated-secrets-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

function put(name: string, content: string, mode = 0o600): string {
  const path = join(directory, name);
  writeFileSync(path, content, { mode });
  chmodSync(path, mode);
  return path;
}

const resolver = (env: Record<string, string> = {}, files: Files = realFiles) =>
  secretResolver({ files, env, credentialsDirectory: directory });

describe("{ file }", () => {
  it.each([
    ["sk-canary", "sk-canary"],
    ["sk-canary\n", "sk-canary"],
    ["sk-canary\r\n", "sk-canary"],
    ["sk-canary\n\n", "sk-canary\n"],
    [" sk-canary ", " sk-canary "],
  ])("gives %j as %j: one line end is not part of it", async (content, value) => {
    expect((await resolver()({ file: put("key", content) })).reveal()).toBe(value);
  });

  it("is read anew at each call", async () => {
    const resolve = resolver();
    const file = put("key", "sk-canary-1");
    expect((await resolve({ file })).reveal()).toBe("sk-canary-1");
    put("key", "sk-canary-2");
    expect((await resolve({ file })).reveal()).toBe("sk-canary-2");
  });

  it("says how to make one that is missing or empty", async () => {
    const file = join(directory, "key");
    const cure = `make it with: install -D -m 600 /dev/stdin ${file} (paste the secret, then Ctrl-D)`;
    await expect(resolver()({ file })).rejects.toMatchObject({ code: "misconfigured", cure });
    put("key", "\n");
    await expect(resolver()({ file })).rejects.toMatchObject({ code: "misconfigured", message: expect.stringContaining("is empty"), cure });
  });

  it.each([0o604, 0o644, 0o602, 0o666])("refuses mode %o, open to everybody", async (mode) => {
    const file = put("key", "sk-canary", mode);
    await expect(resolver()({ file })).rejects.toMatchObject({ code: "denied", cure: `chmod 600 ${file}` });
  });

  it.each([0o600, 0o400, 0o440, 0o640])("takes mode %o", async (mode) => {
    expect((await resolver()({ file: put("key", "sk-canary", mode) })).reveal()).toBe("sk-canary");
  });

  it("refuses a link, which hides who may read, and a directory", async () => {
    symlinkSync(put("real", "sk-canary"), join(directory, "key"));
    await expect(resolver()({ file: join(directory, "key") })).rejects.toMatchObject({ code: "denied" });
    mkdirSync(join(directory, "sub"), { mode: 0o700 });
    await expect(resolver()({ file: join(directory, "sub") })).rejects.toMatchObject({ code: "misconfigured" });
  });

  it("names the file that we may not read, and the cure", async () => {
    const file = put("key", "sk-canary");
    const read = () => Promise.reject(Object.assign(new Error("EACCES"), { code: "EACCES" }));
    await expect(resolver({}, { ...realFiles, read })({ file })).rejects.toMatchObject({
      code: "denied",
      message: expect.stringContaining(file),
      cure: expect.stringContaining("chmod 600"),
    });
  });
});

describe("{ credential }", () => {
  it("comes from the directory of the operator where systemd hands in none", async () => {
    put("openai-admin", "sk-canary\n");
    expect((await resolver()({ credential: "openai-admin" })).reveal()).toBe("sk-canary");
  });

  it("comes from systemd: as part of a directory first, then by its own name", async () => {
    const CREDENTIALS_DIRECTORY = join(directory, "handed-in");
    mkdirSync(CREDENTIALS_DIRECTORY);
    put("handed-in/openai-admin", "sk-canary-own", 0o400);
    const resolve = resolver({ CREDENTIALS_DIRECTORY });
    expect((await resolve({ credential: "openai-admin" })).reveal()).toBe("sk-canary-own");
    put("handed-in/rotated_openai-admin", "sk-canary-directory", 0o400);
    expect((await resolve({ credential: "openai-admin" })).reveal()).toBe("sk-canary-directory");
  });

  it("is not looked for elsewhere when systemd hands credentials in: the cure tells to restart", async () => {
    put("openai-admin", "sk-canary");
    await expect(resolver({ CREDENTIALS_DIRECTORY: join(directory, "handed-in") })({ credential: "openai-admin" })).rejects.toMatchObject({
      code: "misconfigured",
      message: expect.stringContaining('credential "openai-admin"'),
      cure: expect.stringMatching(`install -D -m 600 /dev/stdin ${directory}/openai-admin .*restart rotated`),
    });
  });
});

describe("{ env }", () => {
  it("comes from the environment", async () => {
    expect((await resolver({ KEY: "sk-canary\n" })({ env: "KEY" })).reveal()).toBe("sk-canary");
  });

  it.each([{}, { KEY: "" }, { KEY: "\n" }])("is refused when it is missing or empty (%j)", async (env) => {
    await expect(resolver(env)({ env: "KEY" })).rejects.toMatchObject({
      code: "misconfigured",
      message: expect.stringContaining("variable KEY"),
    });
  });
});
