import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ConfigError } from "../../src/config/error.ts";
import { loadConfig, parseConfig } from "../../src/config/load.ts";
import { GOOD } from "./good.ts";
import { REFERENCES } from "./mistakes/references.ts";
import { SECRETS } from "./mistakes/secrets.ts";
import { SETTINGS } from "./mistakes/settings.ts";
import { TIMES } from "./mistakes/times.ts";
import { YAML } from "./mistakes/yaml.ts";
import { plugs, registry } from "./plugs.ts";

const MISTAKES = [...SETTINGS, ...REFERENCES, ...SECRETS, ...TIMES, ...YAML];
const DAY = 24 * 60 * 60 * 1000;

function refusal(text: string): ConfigError {
  try {
    parseConfig(text, "rotated.yaml", plugs);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error("the configuration was accepted");
}

describe("one mistake", () => {
  test.each(MISTAKES)("$name", ({ text, says }) => {
    expect(
      refusal(text)
        .message.split("\n")
        .map((line) => line.replace(/^rotated\.yaml:/, "")),
    ).toEqual(says);
  });

  test.each(MISTAKES)("$name: told at a place that exists, with a hint, without a value", ({ text }) => {
    const { problems, message } = refusal(text);
    const lines = text.split("\n");
    for (const { line = 0, column = 0, hint } of problems) {
      expect(hint).not.toBe("");
      expect(lines[line - 1]?.length ?? -1).toBeGreaterThanOrEqual(column - 1);
    }
    expect(message).not.toContain("canary");
  });
});

test("all mistakes are told at once, in the order of the file", () => {
  const text = `provider: {}
providers:
  acme: { type: acme, project: nothing, adminKey: sk-proj-canary-1, baseUrl: http://example.com }
  other: { type: acmee }
stores: { local: { type: file, colour: red } }
consumers: { gateway: { type: gateway, url: ws://10.0.0.1 } }
credentials:
  one: { provider: other, store: { use: local, path: /same }, consumers: [{ use: gatewy }], every: 30 }
  two: { provider: acme, store: { use: locl, path: /same }, consumers: [], cron: 61 4 1 * *, zone: Mars/Base }
timing: { poll: 0s }
`;
  expect(refusal(text).problems.map(({ line, column, path }) => `${line}:${column} ${path}`)).toEqual([
    "1:1 provider",
    "3:32 providers.acme.project",
    "3:51 providers.acme.adminKey",
    "3:78 providers.acme.baseUrl",
    "4:18 providers.other.type",
    "5:32 stores.local",
    "6:45 consumers.gateway.url",
    "8:82 credentials.one.consumers[0].use",
    "8:100 credentials.one.every",
    "9:40 credentials.two.store.use",
    "9:72 credentials.two.consumers",
    "9:82 credentials.two.cron",
    "9:100 credentials.two.zone",
    "10:17 timing.poll",
  ]);
});

test("a credential that is called like a setting", () => {
  const text = GOOD.replace("prod:", "store:").replace("use: gateway", "use: gatewy");
  expect(refusal(text).problems.map(({ path, message }) => `${path}: ${message}`)).toEqual([
    'credentials.store.consumers[0].use: no consumer "gatewy"',
  ]);
});

test("what hangs on two entries is told together with a mistake in a third", () => {
  const second =
    "  second: { provider: acme, store: { use: local, path: /keys.json, field: /acme }, consumers: [{ use: gateway, provider: acme }] }\n";
  const third = "  third: {}\n";
  const paths = refusal(GOOD + second + third).problems.map(({ path }) => path);
  expect(paths).toContain("credentials.second.store");
  expect(paths).toContain("credentials.third.provider");
});

describe("a good file", () => {
  test("everything left out has the documented defaults", () => {
    const { warnings, ...config } = parseConfig("credentials: {}", "rotated.yaml", plugs);
    expect(warnings).toEqual([]);
    expect(config).toEqual({
      stateDirectory: "/var/lib/rotated",
      socket: "/run/rotated/control.sock",
      resolveSocket: "/run/rotated/resolve.sock",
      providers: {},
      stores: {},
      consumers: {},
      credentials: {},
      control: { act: [], read: [] },
      network: { proxy: undefined, noProxy: [], ca: [], allowHttp: false },
      timing: {
        callTimeoutMs: 30_000,
        proveTimeoutMs: 100_000,
        verify: { times: 3, overMs: 10_000, deadlineMs: 300_000 },
        reloadSettleMs: 30_000,
        drainLimitMs: DAY,
        confirm: { times: 3, apartMs: 5000, limitMs: 7_200_000 },
        waitsMs: [5000, 15_000, 30_000, 60_000, 120_000, 300_000, 900_000],
        tellAfterMs: 900_000,
        afterFailure: { firstMs: 3_600_000, lastMs: DAY },
        intake: { remindMs: DAY, deadlineMs: 14 * DAY },
        pollMs: 500,
        spreadMs: 600_000,
      },
    });
  });

  test("entries keep their own settings apart from those of their definition", () => {
    const text = GOOD.replace("acme-admin }", "acme-admin }, listLag: 1m, revokeLag: 3m, lastUsedLag: 2m").replace(
      "18789 }",
      "18789, acceptAnswered: true }",
    );
    const { providers, stores, consumers, credentials } = parseConfig(text, "rotated.yaml", plugs);
    expect(providers["acme"]).toEqual({
      type: "acme",
      definition: plugs.providers["acme"],
      settings: { project: "proj_1", adminKey: { credential: "acme-admin" }, baseUrl: "https://api.example.com" },
      supply: "create",
      listLagMs: 60_000,
      revokeLagMs: 180_000,
      lastUsed: { precisionMs: 60_000, lagMs: 120_000 },
    });
    expect(stores["local"]).toEqual({ type: "file", definition: plugs.stores["file"], settings: {} });
    expect(consumers["gateway"]).toEqual({
      type: "gateway",
      definition: plugs.consumers["gateway"],
      settings: { url: "ws://127.0.0.1:18789" },
      acceptAnswered: true,
    });
    expect(credentials["prod"]).toEqual({
      name: "prod",
      provider: "acme",
      mirrors: [],
      resolve: [],
      store: { use: "local", place: { path: "/keys.json", field: "/acme" } },
      consumers: [{ use: "gateway", settings: { provider: "acme" } }],
      schedule: { every: 30 * DAY },
      window: undefined,
      overlapMs: 3_600_000,
      jitterMs: 0,
    });
  });

  test("cron with zone, a window over midnight, no schedule at all", () => {
    const cron = GOOD.replace(
      "every: 30d",
      "cron: 0 4 1 * *\n    zone: Europe/Berlin\n    window: { from: 22:00, to: 02:00, zone: UTC }\n    onIncident: revoke-first",
    );
    const { schedule, window } = parseConfig(cron, "rotated.yaml", plugs).credentials["prod"] ?? {};
    expect(schedule).toEqual({ cron: "0 4 1 * *", zone: "Europe/Berlin" });
    expect(window).toEqual({ from: "22:00", to: "02:00", zone: "UTC" });
    const byHand = parseConfig(GOOD.replace("    every: 30d\n", ""), "rotated.yaml", plugs);
    expect(byHand.credentials["prod"]?.schedule).toBeUndefined();
  });

  test("a vendor that does not tell last use has none", () => {
    const text = GOOD.replace("acme: {", "plain: { type: plain }\n  acme: {");
    expect(parseConfig(text, "rotated.yaml", plugs).providers["plain"]).not.toHaveProperty("lastUsed");
  });

  test.each(["ws://localhost:1", "ws://127.8.9.1", "ws://[::1]:80", "wss://gateway.example.com"])("%s is safe", (url) => {
    expect(parseConfig(GOOD.replace("ws://127.0.0.1:18789", `"${url}"`), "rotated.yaml", plugs).warnings).toEqual([]);
  });

  test("plain http is a choice, and an argument of a command is no address", () => {
    const open = `network: { allowHttp: true }\n${GOOD.replace("ws://127.0.0.1:18789", "ws://gateway.example.com")}`;
    expect(parseConfig(open, "rotated.yaml", plugs).network.allowHttp).toBe(true);
    const argument = GOOD.replace("18789 }", "18789, command: [/bin/curl, http://example.com] }");
    expect(parseConfig(argument, "rotated.yaml", plugs).warnings).toEqual([]);
  });

  test("a secret in the environment and a hasty schedule are warned of, with their places", () => {
    const text = GOOD.replace("credential: acme-admin", "env: ACME_CANARY").replace("30d", "30m");
    const { warnings } = parseConfig(text, "rotated.yaml", plugs);
    expect(warnings.map((warning) => warning.replace(/ \(.*/, ""))).toEqual([
      "rotated.yaml:2:50: providers.acme.adminKey: a secret in the environment",
      "rotated.yaml:12:12: credentials.prod.every: rotates more often than once an hour",
    ]);
    expect(warnings.join()).not.toContain("CANARY");
  });

  test("a key that lives exactly long enough", () => {
    const text = `timing: { drainLimit: 23h }\n${GOOD.replace("project: proj_1", "project: proj_1, keyLifetime: 31d")}`;
    expect(Object.keys(parseConfig(text, "rotated.yaml", plugs).credentials)).toEqual(["prod"]);
  });
});

describe("a file that cannot be read", () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "rotated-config-"));
  });
  afterAll(() => rm(directory, { recursive: true }));

  test("missing, a directory, below a file, not text", async () => {
    const file = join(directory, "rotated.yaml");
    await writeFile(file, Buffer.from([0x61, 0x3a, 0x20, 0xff, 0xfe]));
    const cases = [
      [join(directory, "none.yaml"), "no such file"],
      [directory, "is a directory"],
      [join(file, "below.yaml"), "no such file"],
      [file, "is not UTF-8 text"],
    ] as const;
    for (const [path, message] of cases) {
      const error = await loadConfig(path, registry).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(ConfigError);
      expect(String(error)).toMatch(`${path}: ${message}\nhint: `);
    }
  });

  test("a good one is read, with a byte-order mark and Windows line ends, too", async () => {
    const file = join(directory, "good.yaml");
    await writeFile(file, `\uFEFF${GOOD.replaceAll("\n", "\r\n")}`);
    expect(Object.keys((await loadConfig(file, registry)).credentials)).toEqual(["prod"]);
  });
});
