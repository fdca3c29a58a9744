import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { type FakeOpenAi, startFakeOpenAi } from "../fakes/openai.ts";
import { Box, describeInBox } from "./box.ts";
import { unpackPackage } from "./installed.ts";
import { manualBlock } from "./manual.ts";
import { clientOf, configFor, ended, eventually, type Place, ROTATECTL, rotate, setUpService, startApp } from "./service.ts";

const WRAPPER = "/home/alice/.openclaw/rotated-resolve";
const SECTION = "OpenClaw by rotatectl resolve";

/** What a gateway does with its exec provider: it asks when it starts, and goes on with what it got. */
const GATEWAY = `#!/bin/sh
echo '{"protocolVersion":1,"provider":"rotated","ids":["main"]}' | ${WRAPPER} > "$HOME/got" 2> "$HOME/said" || echo failed > "$HOME/got"
exec sleep infinity
`;

describeInBox("rotatectl resolve: rotated with an account of its own, a gateway with another", () => {
  let unpacked: Awaited<ReturnType<typeof unpackPackage>>;
  let box: Box;
  let fake: FakeOpenAi;
  let place: Place;
  let alice: number;

  beforeAll(async () => {
    unpacked = await unpackPackage();
    fake = await startFakeOpenAi();
    box = await Box.start(unpacked.binds);
    place = await setUpService(box, fake);
    await startApp(box, fake, place);
    alice = await box.addAccount("alice");
    await box.addAccount("otto", "rotated");
    await box.must("ln", "-sf", ROTATECTL, "/usr/local/bin/rotatectl");
    await box.must("install", "-d", "-m", "700", "-o", "alice", "-g", "alice", "/home/alice/.openclaw");
    await box.write("/usr/local/bin/gateway", GATEWAY, { mode: 0o755 });
    await box.write(place.config, configWith([]));
    await box.write("/etc/systemd/system/rotated.service.d/app.conf", "[Service]\nReadWritePaths=/srv/app\nExecPaths=/opt/app /usr\n");
    await box.must("systemctl", "daemon-reload");
    await box.must("systemctl", "start", "rotated");
    await clientOf(box, place).call("adopt", { name: "main" });
    await box.must("sh", "-euc", manualBlock(SECTION));
  }, 120_000);
  beforeEach(() => box.must("systemctl", "reset-failed"));
  afterAll(async () => {
    await box?.stop();
    await fake?.close();
    await unpacked?.remove();
  });

  /** The credential `main`, granted to these. */
  function configWith(resolve: readonly object[]): string {
    const { credentials, ...rest } = parse(configFor(fake, place));
    return stringify({ ...rest, credentials: { main: { ...credentials.main, resolve } } });
  }

  const REQUEST = `{"protocolVersion":1,"provider":"rotated","ids":["main"]}`;
  const ask = (account: string, program: string) => box.as(account, "env", "-i", "sh", "-c", `echo '${REQUEST}' | ${program}`);
  const held = async () => JSON.parse(await box.read(place.secrets)).openai.apiKey as string;

  test("while nobody is granted anything there is no socket; a reload makes it, open to all", async () => {
    expect((await box.run("test", "-e", "/run/rotated/resolve.sock")).code).toBe(1);
    const refused = await ask("alice", WRAPPER);
    expect(refused).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringContaining("no daemon answers on /run/rotated/resolve.sock"),
    });
    await box.write(place.config, configWith([{ user: "alice" }]));
    await box.must("systemctl", "reload", "rotated");
    await eventually("the socket is there", async () => (await box.run("test", "-S", "/run/rotated/resolve.sock")).code === 0);
    expect(await box.must("stat", "-c", "%a %U", "/run/rotated/resolve.sock")).toBe("666 rotated");
  });

  test("the wrapper is a file as OpenClaw wants it, and gives its account the current value, also after a rotation", async () => {
    expect(await box.must("stat", "-c", "%a %U:%G %F", WRAPPER)).toBe("700 alice:alice regular file");
    expect(JSON.parse((await ask("alice", WRAPPER)).stdout).values).toEqual({ main: fake.key.secret });
    expect(JSON.parse(await box.must("sh", "-euc", manualBlock(SECTION, 1))).values).toEqual({ main: fake.key.secret });
    const rotation = await ended(box, place, (await rotate(box, place)).id);
    expect(rotation, await box.journal("rotated")).toMatchObject({ outcome: "done" });
    expect(await held()).not.toBe(fake.key.secret);
    expect(JSON.parse((await ask("alice", WRAPPER)).stdout).values).toEqual({ main: await held() });
  });

  test("nobody else gets it: not a stranger, not one of the group rotated, not root; and alice gets nothing more", async () => {
    const direct = `${ROTATECTL} resolve`;
    for (const account of ["otto", "daemon", "root"]) {
      const ran = await ask(account, direct);
      expect(ran.code, ran.stderr).toBe(0);
      expect(JSON.parse(ran.stdout), account).toMatchObject({ values: {}, errors: { main: { code: "NOT_FOUND" } } });
    }
    expect(await box.as("otto", "sh", "-c", `${WRAPPER} < /dev/null`)).toMatchObject({ code: 126 });
    expect(await box.as("alice", ROTATECTL, "status")).toMatchObject({ code: 1, stderr: expect.stringContaining("no permission") });
    for (const path of [place.secrets, "/var/lib/rotated/rotated.db", "/etc/rotated/credentials/openai-admin"])
      expect((await box.as("alice", "cat", path)).code, path).toBe(1);
  });

  test("who asked for what is in the journal, and no secret is", async () => {
    const journal = await box.journal("rotated");
    expect(journal).toMatch(/"actor":"alice \(uid \d+\)","given":\["main"\]/);
    expect(journal).toMatch(/"actor":"otto \(uid \d+\)","given":\[\],"refused":\["main"\]/);
    expect(journal).not.toContain("canary");
  });

  test("a grant that is taken away is gone at the next reload, and the socket with the last one", async () => {
    await box.write(place.config, configWith([{ user: "otto" }]));
    await box.must("systemctl", "reload", "rotated");
    await eventually("alice gets nothing", async () => JSON.parse((await ask("alice", WRAPPER)).stdout).values.main === undefined);
    await box.write(place.config, configWith([]));
    await box.must("systemctl", "reload", "rotated");
    await eventually("the socket is gone", async () => (await box.run("test", "-e", "/run/rotated/resolve.sock")).code === 1);
    await box.write(place.config, configWith([{ user: "alice" }]));
    await box.must("systemctl", "reload", "rotated");
  });

  test("after SIGKILL it is there again, over the socket that was left", async () => {
    await box.must("systemctl", "kill", "-s", "KILL", "rotated");
    await eventually("alice is answered", async () => (await ask("alice", WRAPPER)).code === 0);
    expect(JSON.parse((await ask("alice", WRAPPER)).stdout).values).toEqual({ main: await held() });
  });

  test("a gateway of the host is started after it, and has its key from the first moment on", async () => {
    await box.write(
      "/etc/systemd/system/openclaw-gateway.service",
      "[Service]\nUser=alice\nEnvironment=HOME=/home/alice\nExecStart=/usr/local/bin/gateway\n",
    );
    await box.must("sh", "-euc", manualBlock(SECTION, 2));
    await box.must("systemctl", "stop", "rotated");
    // Both at once, as at boot: the drop-in alone brings them into order.
    await box.must("systemctl", "start", "openclaw-gateway");
    await eventually("it has asked", async () => (await box.run("test", "-s", "/home/alice/got")).code === 0);
    expect(JSON.parse(await box.read("/home/alice/got")).values, await box.read("/home/alice/said")).toEqual({ main: await held() });
    await box.must("systemctl", "stop", "openclaw-gateway");
  });

  test("a gateway that is a user service waits for it", async () => {
    const runtime = `/run/user/${alice}`;
    await box.must("install", "-d", "-m", "700", "-o", "alice", "-g", "alice", runtime);
    await box.must("systemctl", "start", `user@${alice}`);
    const asAlice = async (script: string) => {
      const ran = await box.as("alice", "env", "HOME=/home/alice", `XDG_RUNTIME_DIR=${runtime}`, "sh", "-euc", script);
      expect(ran.code, `${script}\n${ran.stderr}${await box.journal()}`).toBe(0);
      return ran.stdout.trimEnd();
    };
    await asAlice("mkdir -p ~/.config/systemd/user; rm -f ~/got");
    await box.write("/home/alice/.config/systemd/user/openclaw-gateway.service", "[Service]\nExecStart=/usr/local/bin/gateway\n", {
      uid: alice,
    });
    await asAlice(manualBlock(SECTION, 3));
    await box.must("systemctl", "stop", "rotated");
    await asAlice("systemctl --user start --no-block openclaw-gateway");
    await eventually("it waits", async () => (await asAlice("systemctl --user show --value -p SubState openclaw-gateway")) === "start-pre");
    expect((await box.run("test", "-e", "/home/alice/got")).code).toBe(1);
    await box.must("systemctl", "start", "rotated");
    await eventually("it has asked", async () => (await box.run("test", "-s", "/home/alice/got")).code === 0);
    expect(JSON.parse(await box.read("/home/alice/got")).values, await box.read("/home/alice/said")).toEqual({ main: await held() });
    await box.must("systemctl", "stop", `user@${alice}`);
  });
});
