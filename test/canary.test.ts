import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { reload } from "./bad-input/daemon.ts";
import { GATEWAY_TOKEN } from "./support/openclaw.ts";
import { resolve, rotatectl } from "./support/rotatectl.ts";
import { RotationHost } from "./support/rotation-host.ts";

let host: RotationHost;
afterEach(async () => await host?.stop());

/** Every form in which a part of a secret could stand somewhere. */
function formsOf(text: string): string[] {
  const bytes = Buffer.from(text);
  // Of base64 the characters that do not hang on what comes before and after.
  const base64 = [0, 1, 2].map((shift) => {
    const whole = Buffer.concat([Buffer.alloc(shift), bytes]).toString("base64");
    return whole.slice(Math.ceil((shift * 8) / 6), Math.floor(((shift + bytes.length) * 8) / 6));
  });
  const url = [...bytes].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
  const json = [...text].map((letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
  return [text, ...base64, bytes.toString("hex"), url, json, [...text].toReversed().join("")];
}

const FORMS = formsOf("canary").filter((form) => form.length >= 5);

function expectClean(where: string, text: string): void {
  const lower = text.toLowerCase();
  for (const form of FORMS) {
    const found = form === form.toLowerCase() ? lower.includes(form) : text.includes(form);
    expect(found, `${where} holds a secret, as ${form}: ${around(text, form)}`).toBe(false);
  }
}

function around(text: string, form: string): string {
  const at = Math.max(0, text.indexOf(form));
  return text.slice(Math.max(0, at - 80), at + 20);
}

/** What may hold secrets: what the test put there, the store with its keep, and our own device identities, mode 0600. */
const MAY_HOLD = /^(credentials-|secrets\.json|\.?secrets\.json|state\/openclaw-)/;

function everyFile(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true }).flatMap((entry) =>
    entry.isFile() ? [join(entry.parentPath, entry.name)] : [],
  );
}

test("the search itself finds a secret in each form", () => {
  const secret = "sk-proj-canary-0123456789";
  const forms = [
    secret,
    Buffer.from(secret).toString("base64"),
    Buffer.from(` ${secret}`).toString("base64"),
    Buffer.from(secret).toString("hex"),
    JSON.stringify({ secret }),
  ];
  for (const form of forms) expect(() => expectClean("a test", form), form).toThrow(/holds a secret/);
  expect(() => expectClean("a test", "nothing here")).not.toThrow();
});

test("no secret is anywhere but in the store: after everything that can go wrong, at the most talkative level", {
  timeout: 180_000,
}, async () => {
  host = await RotationHost.start({ credential: { resolve: [{ user: process.getuid?.() }] } });
  const outputs: string[] = [];
  const ctl = async (...args: string[]) => {
    const ran = await rotatectl(host.host.socket, ...args);
    outputs.push(ran.stdout, ran.stderr);
    return ran;
  };
  const samples = new Set<string>();
  const sampling = new AbortController();
  const sampler = sample(samples, sampling.signal);

  const faults: Parameters<typeof host.vendor.faults.add>[0][] = [
    { path: "/organization/", times: 2, fault: { do: "html" } },
    {
      path: "/organization/",
      times: 1,
      fault: {
        do: "reply",
        status: 400,
        body: { error: { message: `bad key ${host.vendor.admin.secret}`, code: host.vendor.key.secret } },
      },
    },
    { path: "/organization/", times: 1, fault: { do: "loseReply" } },
    { path: "/organization/", times: 1, fault: { do: "rateLimit", retryAfter: "0" } },
    { path: "/models", times: 1, fault: { do: "reply", status: 500, body: `oops ${host.vendor.key.secret}` } },
    {
      method: "POST",
      path: "/api_keys",
      times: 1,
      fault: { do: "reply", status: 200, body: { id: "key_odd", value: "sk-odd-canary-value-of-an-odd-shape" } },
    },
    { method: "DELETE", path: "/organization/", times: 1, fault: { do: "hang" } },
  ];
  for (const fault of faults) {
    host.vendor.faults.add(fault);
    await host.rotate();
    await over();
    host.vendor.faults.clear();
  }

  // A gateway that takes a request and never answers, and one that cannot be trusted because the authorities are wrong.
  host.gateway.onRequest = (name) => (name === "secrets.reload" ? new Promise(() => {}) : undefined);
  await host.rotate();
  await host.reaches("reload");
  await sleep(1500);
  host.gateway.onRequest = undefined;
  await over();
  host.host.write("not-an-authority.pem", "-----BEGIN CERTIFICATE-----\nbm90IGEga2V5\n-----END CERTIFICATE-----\n");
  const trusting = host.host.read("rotated.yaml");
  host.host.write("rotated.yaml", `${trusting}\nnetwork:\n  ca: [${host.host.path("not-an-authority.pem")}]\n`);
  await reload(host.host);
  host.host.write("rotated.yaml", trusting);
  await reload(host.host);

  // 401 for the admin key, a foreign value, a refused reload.
  host.host.write("credentials-admin", "sk-admin-canary-wrong");
  await ctl("rotate", "main", "--now", "--wait");
  await ctl("plan", "main");
  host.host.write("credentials-admin", host.vendor.admin.secret);
  const good = host.host.read("rotated.yaml");
  host.host.write("rotated.yaml", good.replace(/adminKey:\n\s+file: .*/, "adminKey: sk-admin-canary-typed-in"));
  await reload(host.host);
  await ctl("check", host.host.configPath);
  host.host.write("rotated.yaml", good);
  const stored = host.stored();
  host.host.write("secrets.json", JSON.stringify({ note: "not ours", openai: { apiKey: "sk-somebody-elses-canary" } }));
  for (const command of [
    ["check", "--online"],
    ["adopt", "main"],
    ["rotate", "main", "--now", "--wait"],
  ])
    await ctl(...command);
  host.host.write("secrets.json", JSON.stringify({ note: "not ours", openai: { apiKey: stored } }));

  // Handed out to whom it is granted, and a store that cannot be read when it is asked for: stdout is the one place for a value.
  const given = await resolve(host.host.path("resolve.sock"), "main", "another");
  expect(JSON.parse(given.stdout).values).toEqual({ main: stored });
  host.host.write("secrets.json", `{"openai":{"apiKey":${JSON.stringify(stored)}`);
  const broken = await resolve(host.host.path("resolve.sock"), "main");
  expect(JSON.parse(broken.stdout)).toMatchObject({ values: {}, errors: { main: { code: "UNAVAILABLE" } } });
  outputs.push(given.stderr, broken.stderr, broken.stdout);
  host.host.write("secrets.json", JSON.stringify({ note: "not ours", openai: { apiKey: stored } }));

  // A way back, and a crash in the middle.
  await host.rotate({ overlap: true });
  await host.reaches("drain");
  await host.host.end("SIGKILL");
  await host.host.start();
  await ctl("cancel", "main");
  await over();
  await ctl("rotate", "main", "--now", "--wait", "--reason", "the last one");
  for (const command of [
    ["status"],
    ["show", "main"],
    ["history", "main", "--limit", "1000", "--json"],
    ["plan", "main", "--json"],
    ["retire", "main"],
  ])
    await ctl(...command);
  sampling.abort();
  await sampler;
  await host.host.end();

  expect(host.vendor.vendor.everyKey().length, "keys were made").toBeGreaterThan(4);
  expect(host.host.log.length, "it was talkative").toBeGreaterThan(20_000);
  expect(samples.size, "the process was looked at").toBeGreaterThan(0);
  for (const text of samples) expectClean("the environment or the command line", text);
  expectClean("the output of rotatectl", outputs.join("\n"));
  expectClean("the log", host.host.log);
  const files = everyFile(host.host.directory);
  const looked = files.filter((path) => !MAY_HOLD.test(relative(host.host.directory, path)));
  expect(looked.map((path) => relative(host.host.directory, path))).toEqual(
    expect.arrayContaining(["rotated.yaml", "state/rotated.db", "state/fingerprint.key"]),
  );
  for (const path of looked) expectClean(path, readFileSync(path, "latin1"));
  for (const path of files.filter((one) => !looked.includes(one) && !one.includes("credentials-")))
    expect(statSync(path).mode & 0o077, path).toBe(0);
  for (const { secret } of host.vendor.vendor.everyKey()) {
    for (const path of looked) expect(readFileSync(path, "latin1").includes(secret), path).toBe(false);
  }
  expect(host.host.log).not.toContain(GATEWAY_TOKEN);

  /** Whatever became of it: a rotation that is stuck is ended by a person. */
  async function over(): Promise<void> {
    const { open } = await host.host.show("main");
    if (open === null) return;
    await host.host.settled(open.id).catch(() => undefined);
    if ((await host.host.show("main")).open !== null) await ctl("abandon", "main");
  }
});

/** Looks at the environment and the command line of the daemon, and of each command that talks to it, while they run. */
async function sample(found: Set<string>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, "latin1");
        if (!line.includes(host.host.directory)) continue;
        found.add(line);
        found.add(readFileSync(`/proc/${pid}/environ`, "latin1"));
      } catch {
        // Gone, or between two lives.
      }
    }
    await sleep(20);
  }
}

test.each([
  ["an uncaught exception", "throw error"],
  ["a rejection that nobody handles", "void Promise.reject(error)"],
])("%s ends the daemon without the secret that is in it; the next start goes on", async (_, crash) => {
  host = await RotationHost.start();
  await host.host.end();
  const [preload, now] = [host.host.path("crash.mjs"), host.host.path("crash-now")];
  // The error comes from a stranger's code, while the daemon holds the secret that is in it.
  writeFileSync(
    preload,
    `import { existsSync, readFileSync } from "node:fs";
    setInterval(() => {
      if (!existsSync(${JSON.stringify(now)})) return;
      const secret = readFileSync(${JSON.stringify(host.host.path("credentials-admin"))}, "utf8").trim();
      const cause = new Error(JSON.stringify({ key: secret }));
      const error = Object.assign(new Error("failed with " + secret, { cause }), { config: { headers: { authorization: secret } } });
      ${crash};
    }, 20);`,
  );
  await host.host.start({ preload: [preload] });
  expect((await rotatectl(host.host.socket, "check", "--online")).code).toBe(0);
  writeFileSync(now, "");
  for (const until = Date.now() + 10_000; host.host.alive && Date.now() < until; ) await sleep(20);
  expect(host.host.daemon?.exitCode).toBe(70);
  expect(host.host.log).toContain("a bug: the daemon ends");
  expectClean("the log", host.host.log);
  await host.host.start();
  expect((await rotatectl(host.host.socket, "rotate", "main", "--now", "--wait")).code).toBe(0);
});
