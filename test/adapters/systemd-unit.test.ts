import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemdUnit } from "../../adapters/consumers/systemd-unit.ts";
import { Secret } from "../../src/contract/secret.ts";
import { realWorld } from "../support/real-world.ts";

const { signal } = new AbortController();
const secret = new Secret("sk-canary-unit-0001");
const REFUSAL = "Failed to restart app.service: Interactive authentication required.";
const ONLY_FOR_STOP = "Failed to restart app.service: --job-mode=triggering is only valid for stop.";

const RUNNING = {
  LoadState: "loaded",
  ActiveState: "active",
  CanReload: "yes",
  InvocationID: "1111",
  Result: "success",
  ReloadResult: "success",
};

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "rotated-unit-"));
  set(RUNNING);
  on("asked", "exit 0");
  on("tried", `echo '${ONLY_FOR_STOP}' >&2; exit 1`);
});
afterEach(() => rmSync(directory, { recursive: true }));

/** What the service manager says of the unit. */
function set(state: Partial<typeof RUNNING>): void {
  const lines = Object.entries({ ...RUNNING, ...state }).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(join(directory, "state"), lines.join(""));
}

function script(name: string, body: string): string {
  const path = join(directory, name);
  writeFileSync(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return path;
}

/** What it does when it is asked for a verb, or when that is only tried. */
const on = (what: "asked" | "tried", body: string) => script(what, body);
/** For {@link on}: the unit is another run from then on. */
const startsAs = (state: string) => `sed -i 's/^InvocationID=.*/InvocationID=2222/; ${state}' ${join(directory, "state")}`;

function consumer(more: Record<string, unknown> = {}) {
  const systemctl = script(
    "systemctl",
    `echo "\${XDG_RUNTIME_DIR:-host} $@" >> ${directory}/calls
case "$*" in *show*) cat ${directory}/state;; *triggering*) . ${directory}/tried;; *) . ${directory}/asked;; esac`,
  );
  const health = script("health", "exit 0");
  const settings = { unit: "app.service", verb: "restart", health: [health], systemctl, ...more };
  return systemdUnit.connect(systemdUnit.settings.parse(settings), {}, { credential: "prod", consumer: "app" }, realWorld(directory));
}

const calls = () => readFileSync(join(directory, "calls"), "utf8").trim().split("\n");

describe("reload", () => {
  it.each([
    ["restart", "restart"],
    ["reload", "reload"],
    ["reload-or-restart", "reload"],
  ])("with verb %s asks for %s", async (verb, asked) => {
    on("asked", startsAs(""));
    expect(await consumer({ verb }).reload(secret, signal)).toEqual({ holds: "expected" });
    expect(calls()[1]).toBe(`host --no-ask-password ${asked} -- app.service`);
  });

  it("with verb reload-or-restart starts again what cannot be reloaded", async () => {
    set({ CanReload: "no" });
    on("asked", startsAs(""));
    await consumer({ verb: "reload-or-restart" }).reload(secret, signal);
    expect(calls()[1]).toContain(" restart ");
  });

  it.each([
    ["fails", "s/^ActiveState=.*/ActiveState=failed/; s/^Result=.*/Result=exit-code/", "failed"],
    ["is started again and again", "s/^ActiveState=.*/ActiveState=activating/; s/^Result=.*/Result=exit-code/", "activating"],
  ])("finds that the unit %s, and where to look", async (_, state, active) => {
    on("asked", `${startsAs(state)}; exit 1`);
    expect(await consumer().reload(secret, signal)).toMatchObject({
      holds: "stale",
      cause: expect.stringMatching(`^consumer app: app.service is ${active} after its restart \\(exit-code\\)$`),
      cure: "see why: journalctl -u app.service",
    });
  });

  it("finds that the unit's own reload failed while it goes on", async () => {
    on("asked", `sed -i 's/^ReloadResult=.*/ReloadResult=exit-code/' ${directory}/state; exit 1`);
    const cause = "consumer app: reload of app.service failed (exit-code)";
    expect(await consumer({ verb: "reload" }).reload(secret, signal)).toMatchObject({ holds: "stale", cause });
  });

  it("starts a unit again that failed", async () => {
    set({ ActiveState: "failed" });
    on("asked", startsAs("s/^ActiveState=.*/ActiveState=active/"));
    expect(await consumer().reload(secret, signal)).toEqual({ holds: "expected" });
  });

  it("with verb reload-or-restart starts again what failed: it cannot be reloaded", async () => {
    set({ ActiveState: "failed" });
    on("asked", `case "$*" in *restart*) ${startsAs("s/^ActiveState=.*/ActiveState=active/")};; *) exit 1;; esac`);
    expect(await consumer({ verb: "reload-or-restart" }).reload(secret, signal)).toEqual({ holds: "expected" });
  });

  it("does not start a unit that a person stopped", async () => {
    set({ ActiveState: "inactive" });
    await expect(consumer().reload(secret, signal)).rejects.toMatchObject({
      code: "unavailable",
      message: "consumer app: app.service is stopped",
    });
    expect(calls()).toHaveLength(1);
  });

  it("does not believe a restart that started nothing", async () => {
    await expect(consumer().reload(secret, signal)).rejects.toMatchObject({ code: "inconclusive" });
  });

  it("says by name what is not allowed, and how it would be", async () => {
    on("asked", `echo '${REFUSAL}' >&2; exit 1`);
    await expect(consumer().reload(secret, signal)).rejects.toMatchObject({
      code: "denied",
      message: "consumer app: restart app.service: refused",
      cure: expect.stringContaining("rotated-units.rules"),
    });
  });

  it("gives up when it takes too long", async () => {
    on("asked", "sleep 60");
    await expect(consumer({ timeout: "300ms" }).reload(secret, signal)).rejects.toMatchObject({
      code: "timeout",
      message: "consumer app: restart app.service: no end after 300 ms",
    });
  });
});

describe("preflight", () => {
  it("finds nothing, and asks for nothing but a look, a try that does nothing, and the health", async () => {
    expect(await consumer().preflight(secret, signal)).toEqual([]);
    expect(calls()).toEqual([
      expect.stringMatching(/^host --no-ask-password show --property=[A-Za-z,]+ -- app\.service$/),
      "host --no-ask-password --job-mode=triggering restart -- app.service",
    ]);
  });

  it.each([
    ["a unit that is not there", { LoadState: "not-found" }, "restart", "noUnit"],
    ["a masked unit", { LoadState: "masked" }, "restart", "noUnit"],
    ["a unit that cannot be reloaded", { CanReload: "no" }, "reload", "cannotReload"],
  ])("finds %s", async (_, state, verb, code) => {
    set(state);
    expect(await consumer({ verb }).preflight(secret, signal)).toMatchObject([{ code, message: expect.stringContaining("app.service") }]);
  });

  it.each([REFUSAL, "Failed to restart app.service: Access denied"])("finds that it is not allowed (%s)", async (said) => {
    on("tried", `echo '${said}' >&2; exit 1`);
    expect(await consumer().preflight(secret, signal)).toEqual([
      {
        code: "notAllowed",
        message: "consumer app: rotated may not restart app.service",
        cure: "let rotated restart app.service in a polkit rule: rotated-units.rules, docs/systemd.md",
      },
    ]);
  });

  it("takes a manager that does not know the trying for one that allows it", async () => {
    on("tried", "echo 'Failed to restart app.service: Job mode triggering invalid' >&2; exit 1");
    expect(await consumer().preflight(secret, signal)).toEqual([]);
  });

  it("finds programs that are not there, and asks nobody then", async () => {
    const findings = await consumer({ health: [join(directory, "absent")] }).preflight(secret, signal);
    expect(findings).toMatchObject([{ code: "notExecutable" }]);
    expect(calls).toThrow("ENOENT");
  });

  it("waits for a unit that is stopped", async () => {
    set({ ActiveState: "inactive" });
    await expect(consumer().preflight(secret, signal)).rejects.toMatchObject({ code: "unavailable", retry: true });
  });

  it("finds a value that shadows the store's", async () => {
    const health = [script("shadowed", `echo '{"ok":true,"hmac":"${"0".repeat(64)}"}'`)];
    expect(await consumer({ health }).preflight(secret, signal)).toMatchObject([{ code: "shadowed" }]);
  });
});

describe("the manager of an account", () => {
  it("is asked where the account has it", async () => {
    await consumer({ user: 1234 }).preflight(secret, signal);
    expect(calls()[0]).toMatch(/^\/run\/user\/1234 --user --no-ask-password show /);
  });

  it.each(["Failed to connect to bus: No medium found", "Failed to connect to user scope bus via local transport: Permission denied"])(
    "out of reach (%s): says that rotated must run as that account",
    async (said) => {
      const systemctl = script("no-bus", `echo '${said}' >&2; exit 1`);
      await expect(consumer({ user: 1234, systemctl }).preflight(secret, signal)).rejects.toMatchObject({
        code: "denied",
        message: "consumer app: look at app.service: the service manager of uid 1234 is out of reach",
        hint: expect.stringContaining("run rotated as a user service of that account"),
      });
    },
  );

  it("of the host out of reach passes", async () => {
    const systemctl = script("no-bus", "echo 'Failed to connect to bus: Connection refused' >&2; exit 1");
    await expect(consumer({ systemctl }).preflight(secret, signal)).rejects.toMatchObject({ code: "unavailable", retry: true });
  });
});

describe("settings", () => {
  const good = { unit: "app.service", verb: "restart", health: ["/bin/true"] };
  it.each([
    { unit: "app" },
    { unit: "app.timer" },
    { unit: "-x.service" },
    { unit: "a b.service" },
    { unit: "*.service" },
    { verb: "start" },
    { verb: undefined },
    { health: undefined },
    { health: ["true"] },
    { user: 0 },
  ])("refuse %j", (wrong) => {
    expect(systemdUnit.settings.safeParse(good).success).toBe(true);
    expect(systemdUnit.settings.safeParse({ ...good, ...wrong }).success).toBe(false);
  });
});
