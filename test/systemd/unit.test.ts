import { afterAll, beforeAll, expect, test } from "vitest";
import { type FakeOpenAi, startFakeOpenAi } from "../fakes/openai.ts";
import { ROOT } from "../support/host.ts";
import { Box, describeInBox } from "./box.ts";
import { packPackage } from "./installed.ts";
import { manualBlock } from "./manual.ts";
import { clientOf, configFor, dropIn, ended, eventually, NODE, type Place, ROTATECTL, rotate, setUpService, startApp } from "./service.ts";

describeInBox("rotated.service", () => {
  let packed: Awaited<ReturnType<typeof packPackage>>;
  let box: Box;
  let fake: FakeOpenAi;
  let place: Place;

  beforeAll(async () => {
    [packed, fake] = await Promise.all([packPackage(), startFakeOpenAi()]);
    box = await Box.start({ [packed.directory]: "/srv/packed" });
    await manual("Install");
    place = await setUpService(box, fake);
    await box.addAccount("alice"); // may act
    await manual("Operators");
    await box.addAccount("rita", "rotated"); // may connect and read
    await box.addAccount("otto"); // is in no group of ours
    await startApp(box, fake, place);
    await dropIn(box, "local", "[Service]\nReadWritePaths=/srv/app\n");
    await box.write(place.config, config());
    await manual("Set up", 2);
  }, 240_000);
  afterAll(async () => {
    await box?.stop();
    await fake?.close();
    await packed?.remove();
  });

  /** Runs a block of the manual where the tarball lies. What npm was told about registries, proxies and authorities counts inside, too. */
  async function manual(section: string, index = 0): Promise<void> {
    const told = Object.entries(process.env).filter(([name]) =>
      /^(npm_config_(?!prefix|global)|https?_proxy$|no_proxy$|node_extra_ca_certs$)/i.test(name),
    );
    const env = [...told.map(([name, value]) => `${name}=${value}`), "npm_config_prefer_offline=true"];
    await box.must("env", "-C", "/srv/packed", ...env, "sh", "-euc", manualBlock(section, index));
  }

  const control = { act: [{ user: "root" }, { user: "alice" }], read: [{ group: "rotated" }] };
  const config = (more: object = {}) => configFor(fake, place, { control, ...more });

  test("is correct, and its exposure is 1.3 at most", async () => {
    await box.must("systemd-analyze", "verify", "--man=no", "rotated.service");
    const unit = `${ROOT}systemd/rotated.service`;
    const { code, stdout } = await box.run("systemd-analyze", "security", "--offline=true", "--threshold=13", unit);
    expect(code, stdout).toBe(0);
  });

  test("start returns when it answers, as a user of its own, without a shell in between", async () => {
    expect(await box.show("rotated", "Type")).toBe("notify");
    expect(await box.show("rotated", "StatusText")).toBe("credentials: 1, open rotations: 0");
    expect((await clientOf(box, place).call("status", {})).credentials.map(({ name }) => name)).toEqual(["main"]);
    const pid = await box.show("rotated", "MainPID");
    expect(await box.must("stat", "-c", "%U", `/proc/${pid}`)).toBe("rotated");
    expect(await box.must("sh", "-c", `readlink /proc/${pid}/exe`)).toMatch(/node-linux-[a-z0-9]+\/bin\/node$/);
  });

  test("restart returns only when the new process answers", async () => {
    for (let round = 0; round < 3; round++) {
      await box.must("systemctl", "restart", "rotated");
      await clientOf(box, place).call("status", {});
    }
    await box.must("systemctl", "reset-failed", "rotated");
  });

  test("its files are its own, its runtime directory lets the group of the socket pass", async () => {
    const modes = await box.must(
      "stat",
      "-c",
      "%a %U:%G %n",
      "/var/lib/rotated",
      "/var/cache/rotated",
      "/run/rotated",
      place.socket,
      "/etc/rotated/credentials",
    );
    expect(modes.split("\n")).toEqual([
      "700 rotated:rotated /var/lib/rotated",
      "700 rotated:rotated /var/cache/rotated",
      "755 rotated:rotated /run/rotated",
      `660 rotated:rotated ${place.socket}`,
      "700 root:root /etc/rotated/credentials",
    ]);
    const state = await box.must("sh", "-c", "stat -c '%a %n' /var/lib/rotated/*");
    for (const line of state.split("\n")) expect(line).toMatch(/^600 /);
  });

  test("keeps what Node has compiled, also for the start after a crash, and nobody else can write there", async () => {
    await box.must("systemctl", "stop", "rotated");
    await box.must("systemctl", "clean", "--what=cache", "rotated");
    await box.must("systemctl", "start", "rotated");
    const kept = () => box.must("find", "/var/cache/rotated", "-type", "f");
    await eventually("something is kept", async () => (await kept()) !== "");
    await box.must("systemctl", "kill", "-s", "KILL", "rotated");
    expect(await kept()).not.toBe("");
    expect(await box.must("find", "/var/cache/rotated", "-not", "-user", "rotated", "-o", "-perm", "/go=w")).toBe("");
    await eventually("it is there again", async () => (await box.show("rotated", "ActiveState")) === "active");
    await clientOf(box, place).call("status", {});
  });

  test("tells members of its group from others", async () => {
    const ask = (account: string, ...command: string[]) => box.as(account, ROTATECTL, ...command);
    expect(await ask("otto", "status")).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("no permission to use") });
    expect(await ask("rita", "status")).toMatchObject({ code: 0, stdout: expect.stringContaining("main") });
    expect(await ask("rita", "pause", "main")).toMatchObject({ code: 1, stderr: expect.stringMatching(/rita \(uid \d+\) may not change/) });
    expect((await clientOf(box, place).call("show", { name: "main" })).paused).toBe(false);
    expect(await ask("alice", "pause", "main")).toMatchObject({ code: 0 });
    expect((await clientOf(box, place).call("show", { name: "main" })).paused).toBe(true);
    expect(await ask("alice", "resume", "main")).toMatchObject({ code: 0 });
    const { events } = await clientOf(box, place).call("history", { name: "main", limit: 10 });
    expect(JSON.stringify(events)).toMatch(/alice \(uid \d+\)/);
  });

  test("a caller outside the group gets EACCES, one who may only read 403", async () => {
    const script = `const r = process.getBuiltinModule("node:http").request({ socketPath: "${place.socket}", method: "POST", path: "/v1/pause",
      agent: false, headers: { "content-type": "application/json" } }, (a) => console.log(a.resume().statusCode)); r.on("error", (e) => console.log(e.code)); r.end('{"name":"main"}')`;
    const status = async (account: string) => (await box.as(account, NODE, "-e", script)).stdout.trim();
    expect(await status("otto")).toBe("EACCES");
    expect(await status("rita")).toBe("403");
    expect(await status("alice")).toBe("200");
    await box.as("alice", ROTATECTL, "resume", "main");
  });

  test("reloads; a broken file is refused and the one before stays in force", async () => {
    const loadedAt = async () => (await clientOf(box, place).call("status", {})).config.loadedAt;
    const first = await loadedAt();
    await box.write(place.config, config({ timing: { nonsense: 1 } }));
    await box.must("systemctl", "reload", "rotated");
    await eventually("it is refused", async () => (await box.journal("rotated")).includes("the one before stays in force"));
    expect(await box.journal("rotated")).toMatch(/"path":"timing.*unknown setting/);
    expect(await loadedAt()).toBe(first);
    expect((await box.as("alice", ROTATECTL, "status")).code).toBe(0);
    expect(await box.show("rotated", "ActiveState")).toBe("active");

    await box.write(place.config, config({ control: { act: [{ user: "root" }], read: [] } }));
    await box.must("systemctl", "reload", "rotated");
    await eventually("it is in force", async () => (await loadedAt()) > first);
    expect(await box.as("alice", ROTATECTL, "status")).toMatchObject({ code: 1, stderr: expect.stringContaining("may not read here") });
    await eventually("it is active again", async () => (await box.show("rotated", "ActiveState")) === "active");
    expect(await box.show("rotated", "StatusText")).toBe("credentials: 1, open rotations: 0");

    await box.write(place.config, config());
    await box.must("systemctl", "reload", "rotated");
    await eventually("alice may read again", async () => (await box.as("alice", ROTATECTL, "status")).code === 0);
  });

  test("no other account can read what the daemon knows, members of its group included", async () => {
    const pid = await box.show("rotated", "MainPID");
    const secrets = [
      "/etc/rotated/credentials/openai-admin",
      "/run/credentials/rotated.service/rotated_openai-admin",
      "/var/lib/rotated/rotated.db",
      "/var/lib/rotated/fingerprint.key",
      `/proc/${pid}/environ`,
      `/proc/${pid}/mem`,
      place.secrets,
    ];
    for (const secret of secrets) {
      expect((await box.run("test", "-e", secret)).code, `${secret} is there`).toBe(0);
      for (const account of ["alice", "otto"]) {
        expect(await box.as(account, "head", "-c1", secret), `${account} ${secret}`).toMatchObject({
          stdout: "",
          stderr: expect.stringContaining("Permission denied"),
        });
      }
    }
  });

  test("rotates a key, and no secret shows in what it leaves behind", async () => {
    const old = fake.key.secret;
    await clientOf(box, place).call("adopt", { name: "main" });
    expect(await ended(box, place, (await rotate(box, place)).id)).toMatchObject({ outcome: "done" });
    const now = JSON.parse(await box.read(place.secrets)).openai.apiKey;
    expect(now).not.toBe(old);
    expect(fake.vendor.accepted(old)).toBeUndefined();

    const pid = await box.show("rotated", "MainPID");
    const places: Record<string, string> = {
      environ: await box.read(`/proc/${pid}/environ`),
      cmdline: await box.read(`/proc/${pid}/cmdline`),
      journal: await box.journal(),
      status: await box.must("systemctl", "status", "--full", "rotated"),
    };
    expect(places["environ"]).toContain("CREDENTIALS_DIRECTORY=");
    for (const [name, content] of Object.entries(places)) expect(content, name).not.toContain("canary");
    const state = await box.run(
      "grep",
      "-rlaF",
      "canary",
      "/var/lib/rotated",
      "/var/cache/rotated",
      "/run/rotated",
      "/etc/rotated/rotated.yaml",
    );
    expect(state).toMatchObject({ code: 1, stdout: "" });
    expect(now, "the search would find a secret").toContain("canary");
    expect(await box.read(`/proc/${pid}/limits`)).toMatch(/Max core file size\s+0\s+0/);
  });

  test("a program that is not in ExecPaths is refused by name; the drop-in of the manual lets it run", async () => {
    const consumer = { app: { type: "command", validate: ["/usr/local/bin/app-key"] } };
    await box.write("/usr/local/bin/app-key", "#!/bin/sh\nexit 0\n", { mode: 0o755 });
    await box.write(place.config, config({ consumers: consumer }));
    await box.must("systemctl", "restart", "rotated");
    const checked = async () => JSON.stringify((await clientOf(box, place).call("check", {})).checked);
    expect(await checked()).toContain("app-key: cannot be started (EACCES)");

    await dropIn(box, "local", manualBlock("Programs and files of your own", 0, "ini"));
    await box.must("systemctl", "restart", "rotated");
    expect(await checked()).not.toContain("cannot be started");
  });

  test("an upgrade as in the manual goes on with the same state", async () => {
    await box.write(place.config, config());
    const before = await clientOf(box, place).call("history", { name: "main", limit: 100 });
    await manual("Upgrade");
    expect(await clientOf(box, place).call("history", { name: "main", limit: 100 })).toEqual(before);
  });

  test("a wrong configuration stops it at once, with exit code 2 and no further try", async () => {
    await box.write(place.config, "providers: [\n");
    expect((await box.run("systemctl", "restart", "rotated")).code).not.toBe(0);
    expect(await box.show("rotated", "ExecMainStatus")).toBe("2");
    expect(await box.show("rotated", "ActiveState")).toBe("failed");
    expect(await box.show("rotated", "NRestarts")).toBe("0");
  });

  test("uninstalling as in the manual leaves the key of the consumer and nothing else", async () => {
    const key = await box.read(place.secrets);
    await box.must("systemctl", "stop", "app-rotated");
    await manual("Uninstall");
    expect(await box.read(place.secrets)).toBe(key);
    const left = "find /etc /opt /run /usr/local /var -xdev -name '*rotated*' -not -path '/run/host/*' -newer /srv/packed";
    expect(await box.must("sh", "-c", left)).toBe("");
  });
});
