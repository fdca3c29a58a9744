import { afterAll, beforeAll, expect, test } from "vitest";
import { type FakeOpenAi, startFakeOpenAi } from "../fakes/openai.ts";
import { Box, describeInBox } from "./box.ts";
import { unpackPackage } from "./installed.ts";
import { manualBlock } from "./manual.ts";
import { clientOf, configFor, ended, eventually, type Place, ROTATECTL, rotate, setUpService, startApp } from "./service.ts";

describeInBox("rotated as the account that owns the file", () => {
  let unpacked: Awaited<ReturnType<typeof unpackPackage>>;
  let box: Box;

  beforeAll(async () => {
    unpacked = await unpackPackage();
    box = await Box.start(unpacked.binds);
  }, 60_000);
  afterAll(async () => {
    await box?.stop();
    await unpacked?.remove();
  });

  /** A rotation from adoption to the end; the file stays its owner's, and nobody else's. */
  async function expectRotation(fake: FakeOpenAi, place: Place, group: string): Promise<void> {
    await clientOf(box, place).call("adopt", { name: "main" });
    const rotation = await ended(box, place, (await rotate(box, place)).id);
    expect(rotation, await box.journal("rotated")).toMatchObject({ outcome: "done" });
    const held = JSON.parse(await box.read(place.secrets));
    expect(held.other).toBe("of somebody else");
    expect(fake.vendor.everyKey().flatMap((key) => (key.deletedAt === null ? [key.secret] : []))).toEqual([held.openai.apiKey]);
    expect(held.openai.apiKey).not.toBe(fake.key.secret);
    expect(await box.must("stat", "-c", "%a %U:%G", place.secrets)).toBe(`600 ${place.account}:${group}`);
  }

  async function expectNoLeak(pid: string, state: string, logs: string): Promise<void> {
    expect(await box.read(`/proc/${pid}/environ`)).not.toContain("canary");
    expect(await box.read(`/proc/${pid}/cmdline`)).not.toContain("canary");
    expect(logs).toContain("rotation ended");
    expect(logs).not.toContain("canary");
    expect(await box.run("grep", "-rlaF", "canary", state)).toMatchObject({ code: 1, stdout: "" });
  }

  test("the drop-in: the service rotates a key in a home that it sees nothing else of", async () => {
    await using fake = await disposableFake();
    const uid = await box.addAccount("alice");
    await box.must("install", "-d", "-m", "700", "-o", "alice", "-g", "alice", "/home/alice/.openclaw");
    await box.write("/home/alice/diary", "private", { uid });
    const place = { ...(await setUpService(box, fake)), account: "alice", uid, secrets: "/home/alice/.openclaw/credentials/secrets.json" };
    await startApp(box, fake, place);
    await box.write(place.config, configFor(fake, place, { control: { act: [{ user: "root" }, { group: "rotated" }] } }));
    // It ran with an account of its own before: the state directory must change hands.
    await box.must("systemctl", "start", "rotated");
    await box.must("sh", "-euc", manualBlock("As the account that owns OpenClaw"));
    await box.must("sh", "-euc", manualBlock("As the account that owns OpenClaw", 1));

    await expectRotation(fake, place, "alice");
    const pid = await box.show("rotated", "MainPID");
    expect(await box.must("stat", "-c", "%U", `/proc/${pid}`)).toBe("alice");
    expect(await box.must("ls", "-A", `/proc/${pid}/root/home/alice`)).toBe(".openclaw");
    expect(await box.must("stat", "-c", "%a %U:%G", place.socket)).toBe("660 alice:rotated");
    await box.addAccount("ada", "rotated");
    await box.addAccount("otto");
    expect(await box.as("ada", ROTATECTL, "status")).toMatchObject({ code: 0 });
    expect(await box.as("otto", ROTATECTL, "status")).toMatchObject({ code: 1, stderr: expect.stringContaining("no permission") });
    await expectNoLeak(pid, "/var/lib/rotated", await box.journal("rotated"));
    await box.must("systemctl", "stop", "rotated");
  });

  test("what the drop-in costs: the account itself can read the admin credential, others cannot", async () => {
    await box.must("systemctl", "start", "rotated");
    const handedIn = "/run/credentials/rotated.service/rotated_openai-admin";
    expect(await box.as("alice", "cat", handedIn)).toMatchObject({ code: 0, stdout: expect.stringContaining("canary") });
    expect(await box.as("ada", "cat", handedIn)).toMatchObject({ code: 1, stdout: "" });
    await box.must("systemctl", "stop", "rotated");
  });

  test("the user unit: an account rotates a key of its own, without root", async () => {
    await using fake = await disposableFake();
    const uid = await box.addAccount("bea", "users");
    const runtime = `/run/user/${uid}`;
    await box.must("install", "-d", "-m", "700", "-o", "bea", "-g", "bea", runtime);
    await box.must("systemctl", "start", `user@${uid}`);
    const home = ["HOME=/home/bea", `XDG_RUNTIME_DIR=${runtime}`];
    const asBea = async (script: string) => {
      const ran = await box.as("bea", "env", ...home, "sh", "-euc", script);
      expect(ran.code, `${script}\n${ran.stderr}${await box.journal()}`).toBe(0);
      return ran.stdout.trimEnd();
    };
    const place: Place = {
      account: "bea",
      uid,
      config: "/home/bea/.config/rotated/rotated.yaml",
      socket: `${runtime}/rotated/control.sock`,
      secrets: "/home/bea/.openclaw/secrets.json",
    };
    await startApp(box, fake, place);
    await box.must("chgrp", "users", place.secrets);
    await asBea(manualBlock("As a user service"));
    await box.write("/home/bea/.config/rotated/credentials/openai-admin", `${fake.admin.secret}\n`, { mode: 0o600, uid });
    const settings = { stateDirectory: "/home/bea/.local/state/rotated", control: { act: [{ user: "bea" }, { user: "root" }] } };
    await box.write(place.config, configFor(fake, place, settings), { uid });
    await asBea(manualBlock("As a user service", 1));

    expect(await asBea("systemctl --user show --value -p StatusText rotated")).toBe("credentials: 1, open rotations: 0");
    await expectRotation(fake, place, "users");
    const pid = await asBea("systemctl --user show --value -p MainPID rotated");
    expect(await box.must("stat", "-c", "%U", `/proc/${pid}`)).toBe("bea");
    expect(await asBea(`${ROTATECTL} --socket ${place.socket} history main`)).toContain("main");
    await asBea("systemctl --user reload rotated");
    await asBea("systemctl --user kill -s KILL rotated");
    await eventually("it is started again", async () => (await asBea("systemctl --user show --value -p NRestarts rotated")) === "1");
    await eventually("it answers", async () => (await box.as("bea", ROTATECTL, "--socket", place.socket, "status")).code === 0);
    await expectNoLeak(await asBea("systemctl --user show --value -p MainPID rotated"), settings.stateDirectory, await box.journal());
    await box.must("systemctl", "stop", `user@${uid}`);
  });

  async function disposableFake() {
    const fake = await startFakeOpenAi();
    return Object.assign(fake, { [Symbol.asyncDispose]: () => fake.close() });
  }
});
