import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { AdapterError } from "../src/contract/errors.ts";
import { Secret } from "../src/contract/secret.ts";
import { openLog } from "../src/log.ts";

const VALUE = 'sk-proj-canary-"quoted"-0123456789';
const secret = new Secret(VALUE);

function capture(level: string | undefined = "debug") {
  const lines: string[] = [];
  return { lines, log: openLog(level, { write: (line) => void lines.push(line) }) };
}

/** Also as it stands inside JSON, and inside JSON inside JSON. */
const FORMS = [VALUE, JSON.stringify(VALUE).slice(1, -1), encodeURIComponent(VALUE), "canary"];

test.each<[string, (log: ReturnType<typeof openLog>) => void]>([
  ["in the message", (log) => log.info(`the key ${VALUE} was made`)],
  ["in a field of any name", (log) => log.info({ detail: { deep: [{ deeper: VALUE }] } }, "made")],
  ["as the name of a field", (log) => log.info({ [VALUE]: 1 }, "made")],
  ["as a Secret", (log) => log.info({ secret, list: [secret] }, "made")],
  ["in an address", (log) => log.debug({ url: `https://x/?key=${encodeURIComponent(VALUE)}` }, "request")],
  ["in an error", (log) => log.error({ err: new Error(`bad ${VALUE}`) }, "failed")],
  ["in the cause of an error", (log) => log.error({ err: new Error("outer", { cause: new Error("inner", { cause: VALUE }) }) }, "failed")],
  [
    "in a request that hangs on an error",
    (log) => log.error({ err: Object.assign(new Error("x"), { config: { headers: { a: VALUE } } }) }, "x"),
  ],
])("a secret %s is not in the line", (_, write) => {
  const { lines, log } = capture();
  write(log);
  expect(lines).toHaveLength(1);
  expect(() => JSON.parse(lines[0] ?? "")).not.toThrow();
  for (const form of FORMS) expect(lines[0]).not.toContain(form);
});

test("of values that begin alike the whole of each is replaced, side by side and one in the other", () => {
  const held = ["sk-proj-canary-a", "sk-proj-canary-a-and-more", "sk-proj-canary-b"].map((value) => new Secret(value));
  expect(Secret.mask("x sk-proj-canary-a-and-more,sk-proj-canary-bsk-proj-canary-a sk-proj-c")).toBe(
    "x [secret],[secret][secret] sk-proj-c",
  );
  expect(held).toHaveLength(3);
});

test("a value that is no text of Unicode is held like any other", () => {
  const broken = new Secret("sk-canary-\ud800-broken");
  expect(Secret.mask(`x ${broken.reveal()}`)).toBe("x [secret]");
});

test("a value is replaced as long as one of the secrets that hold it is in memory, and not longer", async () => {
  const module = JSON.stringify(new URL("../src/contract/secret.ts", import.meta.url).href);
  const program = `
    const { Secret } = await import(${module});
    const [one, other] = ["sk-canary-held-twice", "sk-canary-held-once"];
    const collected = async () => { for (let turn = 0; turn < 20; turn++) { gc(); await new Promise(setImmediate); } };
    let kept = new Secret(one);
    (() => [new Secret(one), new Secret(other)])();
    await collected();
    console.log(Secret.mask(one + " " + other), kept.reveal().length);
    kept = undefined;
    await collected();
    console.log(Secret.mask(one));`;
  const run = promisify(execFile)(process.execPath, ["--expose-gc", "--input-type=module", "-e", program]);
  expect((await run).stdout).toBe("[secret] sk-canary-held-once 20\nsk-canary-held-twice\n");
});

test("fields with telling names are redacted, although nobody knows their value", () => {
  const { lines, log } = capture();
  const unknown = "never-wrapped-canary";
  log.info(
    { apiKey: unknown, a: { token: unknown, b: [{ password: unknown, c: { authorization: unknown } }] }, headers: { x: unknown } },
    "x",
  );
  expect(lines.join()).not.toContain("canary");
  expect(lines[0]?.match(/\[redacted\]/g)).toHaveLength(5);
});

test.each([
  ...["authorization", "Authorization", "proxyAuthorization", "proxy-authorization", "cookie", "setCookie", "Set-Cookie", "headers"],
  ...["password", "passphrase", "secret", "secretId", "secret_id", "clientSecret", "secretAccessKey", "SecretAccessKey"],
  ...["token", "_token", "accessToken", "access_token", "refreshToken", "idToken", "clientToken", "sessionToken", "SESSION_TOKEN"],
  ...["apiKey", "apikey", "API_KEY", "api-key", "adminKey", "masterKey", "master_key", "privateKey", "PRIVATE-KEY"],
])("%s tells of a secret, at the top and below", (name) => {
  const { lines, log } = capture();
  log.info({ [name]: "never-wrapped", reply: { [name]: ["never-wrapped"] } }, "x");
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ [name]: "[redacted]", reply: { [name]: "[redacted]" } });
});

test("names that only look like telling ones are shown", () => {
  const { lines, log } = capture();
  const fields = { key: "key_abc", keyId: "key_abc", credential: "admin-key", secretVersion: 3, tokens: 12, tokenType: "x", header: "y" };
  log.info({ ...fields, deep: { ...fields } }, "x");
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ ...fields, deep: fields });
});

test("what lies too deep to be looked through, or in itself, is left out", () => {
  const { lines, log } = capture();
  const deep = Array.from({ length: 30 }).reduce((inner) => ({ inner }), { password: "hunter2hunter2" });
  const list: unknown[] = ["shown"];
  list.push(list);
  const twice = { shown: true };
  log.info({ deep, list, one: twice, other: [twice] }, "x");
  expect(lines[0]).not.toContain("hunter2");
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ list: ["shown", "[left out]"], one: twice, other: [twice] });
});

test("so are those of an object without a prototype, as a parser makes it", () => {
  const { lines, log } = capture();
  log.info({ reply: Object.assign(Object.create(null), { password: "hunter2hunter2" }) }, "asked");
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ reply: { password: "[redacted]" } });
});

test("an error shows type, code, hint, stack and causes, and nothing else that hangs on it", () => {
  const { lines, log } = capture();
  const socket = Object.assign(new Error("connect refused"), { code: "ECONNREFUSED", address: "10.0.0.1" });
  log.warn({ err: new AdapterError("unreachable", "openai: create key", { cause: socket }) }, "will retry");
  const { err } = JSON.parse(lines[0] ?? "");
  expect(err).toMatchObject({ type: "AdapterError", code: "unreachable", message: "openai: create key", hint: expect.any(String) });
  expect(err.stack).toContain("log.test.ts");
  expect(err.cause).toEqual({ type: "Error", message: "connect refused", code: "ECONNREFUSED" });
});

test("an error that causes itself is told without end to it", () => {
  const { lines, log } = capture();
  const snake = new Error("snake");
  snake.cause = snake;
  log.error({ err: snake }, "failed");
  expect(lines[0]).toContain("snake");
});

test("the level is a word, known ones count, and anything else is info", () => {
  const quiet = capture("warn");
  quiet.log.info("no");
  expect(quiet.lines).toHaveLength(0);
  const unknown = capture("loud");
  unknown.log.debug("no");
  unknown.log.info({ credential: "prod-openai" }, "rotation started");
  expect(unknown.lines).toHaveLength(1);
  expect(JSON.parse(unknown.lines[0] ?? "")).toEqual({
    level: "info",
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    credential: "prod-openai",
    msg: "rotation started",
  });
});

test("a process logs to stderr only, and the last line before its end is not lost", async () => {
  const log = JSON.stringify(new URL("../src/log.ts", import.meta.url).href);
  const program = `const { openLog } = await import(${log}); openLog("info").info("the end"); process.exit(0);`;
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program]);
  expect(stdout).toBe("");
  expect(JSON.parse(stderr)).toMatchObject({ msg: "the end" });
});

test("what cannot be written ends nothing: it is written as soon as that can be, and of much the beginning", () => {
  const folder = mkdtempSync(join(tmpdir(), "rotated-log-"));
  const later = join(folder, "later");
  const module = JSON.stringify(new URL("../src/log.ts", import.meta.url).href);
  // The number of standard error goes to whatever is opened next.
  const program = `
    import { closeSync, openSync } from "node:fs";
    const { openLog } = await import(${module});
    const log = openLog("info");
    for (let line = 0; line < 5000; line++) log.info({ line }, "said to a full disk");
    closeSync(2);
    openSync(${JSON.stringify(later)}, "a");
    log.info("the line that finds out is lost");
    log.info("there is room again");
    console.log("alive");`;
  const script = '"$0" --input-type=module -e "$1" 2> /dev/full';
  const ran = spawnSync("sh", ["-c", script, process.execPath, program], { encoding: "utf8" });
  expect(ran).toMatchObject({ status: 0, stdout: "alive\n" });
  const lines = readFileSync(later, "utf8").trimEnd().split("\n");
  rmSync(folder, { recursive: true });
  expect(lines.map((line) => JSON.parse(line).line).slice(0, 3)).toEqual([0, 1, 2]);
  expect(lines.length, "not all of them were kept").toBeLessThan(1000);
  expect(lines.at(-1)).toContain("there is room again");
});
