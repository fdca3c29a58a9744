import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type FakeOpenAi, startFakeOpenAi } from "../fakes/openai.ts";
import { ROOT } from "../support/host.ts";
import { Box, describeInBox } from "./box.ts";
import { SOURCES, unpackPackage } from "./installed.ts";
import { manualBlock } from "./manual.ts";
import { clientOf, configFor, dropIn, ended, NODE, type Place, rotate, setUpService } from "./service.ts";

const STAND_IN = "/opt/app/stand-in-consumer.ts";
const ENV_FILE = "/srv/app/app.env";

/** A service that has its key in its environment, and one that rotated has no business with. */
const app = (vendor: string) => `[Unit]
StartLimitIntervalSec=0
[Service]
User=app
UMask=0000
RuntimeDirectory=app
EnvironmentFile=${ENV_FILE}
ExecStart=${NODE} ${STAND_IN} serve --variable OPENAI_API_KEY --socket /run/app/app.sock --vendor ${vendor} --model fake-1
ExecStartPost=/bin/sh -c 'until test -S /run/app/app.sock; do sleep 0.02; done'
`;
const OTHER = "[Service]\nExecStart=/bin/sleep infinity\nExecReload=/bin/true\n";

const body = () => {
  let unpacked: Awaited<ReturnType<typeof unpackPackage>>;
  let box: Box;
  let fake: FakeOpenAi;
  let place: Place;

  beforeAll(async () => {
    [unpacked, fake] = await Promise.all([unpackPackage(), startFakeOpenAi()]);
    box = await Box.start(unpacked.binds);
    place = await setUpService(box, fake);
    await box.must("sh", "-euc", manualBlock("Programs that are units"));
    await dropIn(box, "local", "[Service]\nReadWritePaths=/srv/app\n");
    await box.must("install", "-d", "-m", "700", "-o", "rotated", "-g", "rotated", "/srv/app");
    await box.write("/srv/app/key", fake.key.secret, { mode: 0o600, uid: place.uid });
    await box.write(ENV_FILE, `# of the app\nOPENAI_API_KEY='${fake.key.secret}'\nMODE=test`, { mode: 0o600, uid: place.uid });
    await box.write(STAND_IN, await readFile(join(ROOT, "test/fakes/stand-in-consumer.ts"), "utf8"));
    await box.write("/usr/local/bin/app-key", `#!/bin/sh\nexec ${NODE} ${STAND_IN} validate --socket /run/app/app.sock\n`, { mode: 0o755 });
    await box.addAccount("app");
    await box.write("/etc/systemd/system/app.service", app(fake.url.replace("/v1", "")));
    await box.write("/etc/systemd/system/other.service", OTHER);
    await box.must("systemctl", "daemon-reload");
    await box.must("systemctl", "start", "app", "other");
    await box.write(place.config, config({}));
    await box.must("sh", "-euc", manualBlock("Programs that are units", 1).replace("rotatectl check", ""));
  }, 90_000);
  afterAll(async () => {
    await box?.stop();
    await fake?.close();
    await unpacked?.remove();
  });

  const config = (unit: object) =>
    configFor(fake, place, {
      stores: { local: { type: "file" }, env: { type: "env-file" } },
      consumers: { app: { type: "systemd-unit", unit: "app.service", verb: "restart", health: ["/usr/local/bin/app-key"], ...unit } },
      credentials: {
        main: {
          provider: "openai",
          store: { use: "local", path: "/srv/app/key" },
          mirrors: [{ use: "env", path: ENV_FILE, name: "OPENAI_API_KEY" }],
          consumers: [{ use: "app" }],
        },
      },
    });

  async function configure(unit: object): Promise<void> {
    await box.write(place.config, config(unit));
    await box.must("systemctl", "reset-failed", "rotated"); // it counts starts, also those that were asked for
    await box.must("systemctl", "restart", "rotated");
  }

  async function checked(unit: object): Promise<string> {
    await configure(unit);
    return JSON.stringify((await clientOf(box, place).call("check", {})).checked);
  }

  test("a key goes all the way: written, the service started again, proven by value, the old one dead", async () => {
    await clientOf(box, place).call("adopt", { name: "main" });
    const before = await box.show("app", "InvocationID");
    await clientOf(box, place).call("check", {});
    expect(await box.show("app", "InvocationID"), "a look starts nothing").toBe(before);
    const rotation = await ended(box, place, (await rotate(box, place)).id);
    expect(rotation, await box.journal("rotated")).toMatchObject({ outcome: "done" });
    expect(await box.show("app", "InvocationID")).not.toBe(before);

    const key = await box.read("/srv/app/key");
    expect(key).not.toBe(fake.key.secret);
    expect(await box.read(ENV_FILE)).toBe(`# of the app\nOPENAI_API_KEY='${key}'\nMODE=test`);
    expect(await box.must("stat", "-c", "%a %U", ENV_FILE)).toBe("600 rotated");
    expect(await box.read(`/proc/${await box.show("app", "MainPID")}/environ`)).toContain(`OPENAI_API_KEY=${key}\0`);
    expect(fake.vendor.accepted(fake.key.secret)).toBeUndefined();
    const { events } = await clientOf(box, place).call("history", { name: "main", limit: 100 });
    expect(events.find(({ code }) => code === "consumerProven")?.detail).toMatchObject({ consumer: "app", grade: "value" });
    expect(await box.journal("rotated")).not.toContain("canary");
  });

  test("the rule lets rotated reload and restart what it names, and nothing else, and nobody else", async () => {
    await box.addAccount("otto");
    const asks = async (account: string, ...args: readonly string[]) =>
      (await box.as(account, "systemctl", "--no-ask-password", ...args)).stderr;
    const before = await box.show("app", "InvocationID");
    expect(await asks("rotated", "restart", "app")).toBe("");
    expect(await box.show("app", "InvocationID")).not.toBe(before);
    expect(await asks("rotated", "reload", "app"), "the rule lets it pass, the unit cannot").toContain("not applicable");
    for (const args of [
      ["stop", "app"],
      ["start", "app"],
      ["try-restart", "app"],
      ["kill", "app"],
      ["disable", "app"],
      ["set-property", "app", "MemoryMax=1G"],
      ["restart", "other"],
      ["reload", "other"],
      ["restart", "rotated"],
      ["daemon-reload"],
      ["reboot"],
    ])
      expect(await asks("rotated", ...args), args.join(" ")).toMatch(/authentication (is )?required|access denied/i);
    expect(await asks("otto", "restart", "app")).toContain("authentication required");
  });

  test("a pre-flight finds what the rule does not name, and what is of another manager", async () => {
    expect(await checked({})).not.toContain("may not");
    expect(await checked({ unit: "other.service" })).toContain("rotated may not restart other.service");
    expect(await checked({ unit: "nothing.service" })).toContain("nothing.service is not loaded (not-found)");
    const uid = await box.addAccount("bea");
    await startManager(uid, "bea");
    expect(await checked({ user: uid })).toContain(`the service manager of uid ${uid} is out of reach`);
    await box.must("systemctl", "stop", `user@${uid}`);
  });

  test("a service that does not start again is waited for, with both keys alive, until a person has cured it", async () => {
    await configure({});
    const old = await box.read("/srv/app/key");
    await box.write("/etc/systemd/system/app.service.d/broken.conf", "[Service]\nExecStartPre=/bin/false\n");
    await box.must("systemctl", "daemon-reload");
    const { id } = await rotate(box, place);
    await expect
      .poll(async () => (await clientOf(box, place).call("watch", { id, after: 0, waitMs: 0 })).rotation, { timeout: 15_000 })
      .toMatchObject({
        step: "reload",
        outcome: null,
        lastError: { message: "consumer app: app.service is failed after its restart (exit-code)" },
      });
    expect(fake.vendor.accepted(old)).toBeDefined();
    await box.must("rm", "/etc/systemd/system/app.service.d/broken.conf");
    await box.must("systemctl", "daemon-reload");
    expect(await ended(box, place, id)).toMatchObject({ outcome: "done" });
    expect(fake.vendor.accepted(old)).toBeUndefined();
  });

  test("as the account itself, a unit of its own manager is within reach", async () => {
    const uid = await box.addAccount("cleo");
    await box.write("/home/cleo/.config/systemd/user/mine.service", OTHER, { uid });
    await box.must("chown", "-R", "cleo:cleo", "/home/cleo");
    await startManager(uid, "cleo");
    const env = [`XDG_RUNTIME_DIR=/run/user/${uid}`, "HOME=/home/cleo"];
    expect(await box.as("cleo", "env", ...env, "systemctl", "--user", "start", "mine")).toMatchObject({ code: 0 });
    const script = `
      const { systemdUnit } = await import("${SOURCES}/adapters/consumers/systemd-unit.ts");
      const [{ realClock: clock }, { realFiles: files }, { runCommand: run }] = await Promise.all(
        ["clock", "files", "run"].map((part) => import("${SOURCES}/src/world/" + part + ".ts")));
      const { randomBytes: random } = await import("node:crypto");
      const settings = systemdUnit.settings.parse({ unit: "mine.service", verb: "reload-or-restart", health: ["/bin/true"], user: ${uid} });
      const consumer = systemdUnit.connect(settings, {}, { credential: "main", consumer: "mine" }, { clock, files, run, random });
      const { signal } = new AbortController();
      console.log(JSON.stringify([await consumer.preflight(undefined, signal), await consumer.reload(undefined, signal)]));`;
    const { stdout, stderr } = await box.as("cleo", NODE, "--input-type=module", "-e", script);
    expect(stdout.trim(), stderr).toBe('[[],{"holds":"expected"}]');
    await box.must("systemctl", "stop", `user@${uid}`);
  });

  async function startManager(uid: number, account: string): Promise<void> {
    await box.must("install", "-d", "-m", "700", "-o", account, "-g", account, `/run/user/${uid}`);
    await box.must("systemctl", "start", `user@${uid}`);
  }
};

describeInBox("a program that is a unit, with a real polkit", body, ["/usr/lib/polkit-1/polkitd", "/usr/bin/dbus-daemon"]);
