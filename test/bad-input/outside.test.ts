import { afterEach, describe, expect, test } from "vitest";
import { expectPromisesHold } from "../kill/invariants.ts";
import { rotatectl } from "../support/rotatectl.ts";
import { RotationHost } from "../support/rotation-host.ts";
import { eventually, waiting } from "./daemon.ts";

let host: RotationHost;
afterEach(() => host.stop());
const ctl = (...args: string[]) => rotatectl(host.host.socket, ...args);

/** Waits until the rotation that waited has ended, and asks all promises. */
async function endsDone(): Promise<void> {
  const rotation = await eventually(async () => {
    const view = (await host.host.client.call("watch", { id: 1, after: 0, waitMs: 0 })).rotation;
    return view.outcome === null ? undefined : view;
  }, "it does not go on");
  expect(rotation.outcome, rotation.lastError?.message).toBe("done");
  await expectPromisesHold(host, rotation, "made");
}

describe("an admin key", () => {
  test("without rights: the rotation fails before anything is changed, with the vendor's word and a hint; given rights, the next is done", {
    timeout: 120_000,
  }, async () => {
    host = await RotationHost.start();
    host.host.write("credentials-admin", host.vendor.reader.secret);
    const ran = await ctl("rotate", "main", "--now", "--wait");
    expect(ran.code).toBe(1);
    expect(ran.stderr).toMatch(/↩ discard: openai: create key: /);
    expect(ran.stdout).toMatch(/^main: discard failed after .*: openai: create key: /);
    expect(ran.stderr).toMatch(/rotatectl: hint: ./);
    expect(ran.stdout + ran.stderr).not.toContain("canary");
    const shown = await host.host.show("main");
    expect(shown).toMatchObject({ open: null, last: { outcome: "failed", reason: expect.stringMatching(/^openai: create key: /) } });
    expect((await ctl("status")).stdout, "and why").toMatch(/failed (now|\d+ s ago): openai: create key: /);
    const { events } = await host.host.client.call("history", { name: "main", limit: 50 });
    expect(events.find(({ code }) => code === "planChanged")?.detail).toMatchObject({ plan: "discard", why: "forbidden" });
    expect(
      host.liveKeys().map(({ id }) => id),
      "nothing was lost",
    ).toEqual([host.vendor.key.id]);
    expect(shown.nextAt, "tried again in an hour at the earliest").toBeGreaterThan(Date.now() + 3_500_000);

    host.host.write("credentials-admin", host.vendor.admin.secret);
    expect(await ctl("rotate", "main", "--now", "--wait"), "read anew at each call").toMatchObject({ code: 0 });
    expect(host.liveKeys().map(({ secret }) => secret)).toEqual([host.stored()]);
  });

  test("that is wrong: told by check, plan and rotate", { timeout: 120_000 }, async () => {
    host = await RotationHost.start();
    host.host.write("credentials-admin", "sk-admin-canary-wrong");
    const checked = await ctl("check", "--online");
    expect(checked.code).toBe(1);
    expect(checked.stdout).toMatch(/openai: list keys: .*\n.*hint: ./);
    expect((await ctl("plan", "main")).code).toBe(1);
    const ran = await ctl("rotate", "main", "--now", "--wait");
    expect(ran.code).toBe(1);
    expect(ran.stdout + ran.stderr + checked.stdout + checked.stderr).not.toContain("canary");
    const last = (await host.host.client.call("watch", { id: 1, after: 0, waitMs: 0 })).rotation;
    expect(last).toMatchObject({ outcome: "failed", step: "preflight", lastError: { code: "unauthorized" } });
    expect(host.vendor.log.filter(({ method }) => method === "POST" || method === "DELETE")).toEqual([]);
    host.host.write("credentials-admin", host.vendor.admin.secret);
    expect(await ctl("rotate", "main", "--now", "--wait")).toMatchObject({ code: 0 });
  });

  test("whose file is gone, or open to everybody", { timeout: 120_000 }, async () => {
    host = await RotationHost.start();
    const { chmodSync, renameSync } = await import("node:fs");
    const path = host.host.path("credentials-admin");
    chmodSync(path, 0o644);
    expect((await ctl("check", "--online")).stdout).toMatch(new RegExp(`is open to every user of this host\\n.*hint: chmod 600 ${path}`));
    renameSync(path, `${path}.away`);
    expect((await ctl("check", "--online")).stdout).toMatch(/no file .*\n.*hint: make it with: install -D -m 600/);
    renameSync(`${path}.away`, path);
    chmodSync(path, 0o600);
    expect(await ctl("rotate", "main", "--now", "--wait")).toMatchObject({ code: 0 });
  });
});

describe("a vendor that answers HTML", () => {
  test.each(["GET", "POST", "DELETE"])(
    "to %s: waits with a hint, and goes on when it is itself again",
    { timeout: 120_000 },
    async (method) => {
      host = await RotationHost.start();
      host.vendor.faults.add({ method, path: "/organization/", fault: { do: "html" } });
      await host.rotate();
      const open = await waiting(host.host, /^openai: /);
      expect(open.lastError).toMatchObject({ code: "malformed" });
      const shown = (await ctl("show", "main")).stdout;
      expect(shown).toContain(open.lastError?.message);
      expect(shown).toMatch(/^hint +(?!undefined).{20}/m);
      expect(host.host.log, "the log has the cure, too").toMatch(/"msg":"will retry"/);
      expect(host.host.log.split("\n").find((line) => line.includes('"will retry"'))).toMatch(/"hint":".{20}/);
      expect(
        host.liveKeys().map(({ secret }) => secret),
        "the key that serves lives",
      ).toContain(host.held());
      host.vendor.faults.clear();
      await endsDone();
    },
  );
});

test("a gateway that is down: waits, does not go back, and goes on", { timeout: 120_000 }, async () => {
  host = await RotationHost.start();
  await host.gateway.down();
  await host.rotate();
  const open = await waiting(host.host, /gateway/);
  expect(open).toMatchObject({ step: "preflight", lastError: { code: "unreachable" }, plan: "routine" });
  const checked = await ctl("check", "--online");
  expect(checked.code).toBe(1);
  expect(checked.stdout).toMatch(/hint: .*(running|reachable)/);
  expect(host.liveKeys().map(({ id }) => id)).toEqual([host.vendor.key.id]);

  await host.gateway.up();
  const done = await host.host.settled(1);
  expect(done.outcome).toBe("done");
  expect(host.held()).toBe(host.stored());
  expect(host.liveKeys().map(({ secret }) => secret)).toEqual([host.stored()]);
});

test("stuck: the exit code of rotate --wait is 3, with reason and cure", { timeout: 120_000 }, async () => {
  host = await RotationHost.start({ timing: { tellAfter: "100ms" } });
  host.vendor.faults.add({ path: "/organization/", fault: { do: "reply", status: 503 } });
  const ran = await ctl("rotate", "main", "--now", "--wait");
  expect(ran.code).toBe(3);
  expect(ran.stderr).toMatch(/rotatectl: error: main: stuck in preflight: openai: .*\nrotatectl: hint: ./);
  host.vendor.faults.clear();
  await endsDone();
});

test("a key that the vendor accepts and does not list: nothing is made, since it could never be seen dead", async () => {
  host = await RotationHost.start();
  host.vendor.vendor.lags.listMs = 3_600_000;
  const ran = await ctl("rotate", "main", "--now", "--wait");
  expect(ran.code).toBe(1);
  expect(ran.stdout).toContain(`openai: the vendor accepts ${host.vendor.key.id}, but does not list it`);
  expect(ran.stderr).toMatch(/rotatectl: hint: is it of the project/);
  expect(host.liveKeys().map(({ id }) => id)).toEqual([host.vendor.key.id]);
  host.vendor.vendor.lags.listMs = 0;
  const again = await ctl("rotate", "main", "--now", "--wait");
  expect(again.code, again.stderr).toBe(0);
});
