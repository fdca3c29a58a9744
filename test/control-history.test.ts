import { afterEach, describe, expect, test } from "vitest";
import { expectPromisesHold } from "./kill/invariants.ts";
import { ACTOR, eventsOf, putInForce, refused, writeStore } from "./support/control.ts";
import { rotatectl } from "./support/rotatectl.ts";
import { RotationHost } from "./support/rotation-host.ts";

let host: RotationHost;
const ctl = (...args: string[]) => rotatectl(host.host.socket, ...args);

afterEach(() => host.stop());

describe("reading", () => {
  test("status, show, history and check say what there is", { timeout: 120_000 }, async () => {
    host = await RotationHost.start();
    const rotated = await ctl("rotate", "main", "--now", "--wait", "--reason", "a leak in the office");
    expect(rotated.code).toBe(0);
    const now = host.liveKeys()[0]?.id ?? "";

    const status = await ctl("status");
    expect(status).toMatchObject({ code: 0, stderr: "" });
    expect(status.stdout).toContain(host.host.configPath);
    expect(status.stdout).toMatch(new RegExp(`main +openai +${now} .*done`));
    const shown = await ctl("show", "main");
    for (const fact of ["gateway", "every 30d", now, host.vendor.key.id, "dead", "current"]) expect(shown.stdout).toContain(fact);
    expect(JSON.parse((await ctl("show", "main", "--json")).stdout)).toMatchObject({
      name: "main",
      current: { vendorId: now },
      open: null,
    });

    const history = JSON.parse((await ctl("history", "main", "--limit", "200", "--json")).stdout) as {
      events: { code: string; detail: object }[];
    };
    expect(history.events.find(({ code }) => code === "started")?.detail).toMatchObject({
      actor: ACTOR,
      reason: "a leak in the office",
      trigger: "operator",
    });
    const told = history.events.map(({ code }) => code);
    for (const code of [
      "configured",
      "adopted",
      "started",
      "keyCreated",
      "keyVerified",
      "keyPromoted",
      "consumerReloaded",
      "consumerProven",
      "gatePassed",
      "keyRevoked",
      "keyDead",
      "ended",
    ]) {
      expect(told, code).toContain(code);
    }
    expect(await ctl("check", "--online")).toMatchObject({ code: 0, stdout: "✔ provider openai\n✔ store local\n✔ consumer gateway\n" });
    await expectPromisesHold(host, await host.host.settled(1), "made");
  });

  test("a credential that left the configuration in mid-rotation is shown until it owes nothing", async () => {
    host = await RotationHost.start();
    await host.rotate({ overlap: true });
    await host.reaches("drain");
    host.host.configure({ ...host.config(host.gateway.url), credentials: {} });
    host.host.daemon?.kill("SIGHUP");
    await expect.poll(async () => (await ctl("status")).stdout, { timeout: 10_000 }).toMatch(/main +openai .*not in the configuration, /);
    expect((await ctl("show", "main")).stdout).toContain("not in the configuration, ");
    expect(await ctl("abandon", "main")).toMatchObject({ code: 0 });
    expect((await ctl("status")).stdout, "it has a debt").toContain("not in the configuration, abandoned");
    const how = "put main back into the configuration and reload, then a rotation makes them dead: rotatectl rotate main";
    expect(await ctl("retire", "main")).toEqual(refused(`main has keys that are not dead yet: ${host.vendor.key.id}`, how));
  });

  test("a credential that left the configuration is shown until somebody retires it: nobody rotates its key", async () => {
    host = await RotationHost.start();
    await putInForce(host, { ...host.config(host.gateway.url), credentials: {} });
    expect((await ctl("status")).stdout).toMatch(
      new RegExp(`main +openai +${host.vendor.key.id} .*not in the configuration, never rotated`),
    );
    expect(await ctl("retire", "main")).toMatchObject({ code: 0 });
    expect((await ctl("status")).stdout).toContain("no credentials");
  });

  test("check tells what would stop a rotation, each with its cure", async () => {
    host = await RotationHost.start();
    writeStore(host, "sk-somebody-elses-canary");
    host.gateway.knobs.starting = true;
    const checked = await ctl("check", "--online");
    expect(checked.code).toBe(1);
    expect(checked.stdout).toContain("main: the store holds a value that rotated neither wrote nor adopted");
    expect(checked.stdout).toContain("rotatectl adopt main");
    expect(checked.stdout).toContain("✔ provider openai");
    expect(checked.stdout).not.toContain("✔ consumer gateway");
    expect(checked.stdout).not.toContain("canary");
  });
});

describe("who did what is recorded", () => {
  test("for everything that a person says", { timeout: 120_000 }, async () => {
    host = await RotationHost.start();
    await ctl("pause", "main");
    expect(await ctl("rotate", "main")).toEqual(refused("main is paused", "rotatectl resume main"));
    await ctl("resume", "main");
    await host.rotate({ overlap: true });
    await host.reaches("drain");
    await ctl("rotate", "main", "--now", "--wait");
    host.gateway.knobs.starting = true;
    await host.rotate();
    await ctl("retry", "main");
    await ctl("cancel", "main");
    await host.host.settled(2);
    await host.rotate();
    await ctl("abandon", "main");
    const said = await eventsOf(host, "operatorSaid");
    expect(said.map(({ detail }) => detail["said"]).toReversed()).toEqual([
      "pair",
      "pause",
      "resume",
      "rotate --now",
      "retry",
      "cancel",
      "abandon",
    ]);
    expect(new Set(said.map(({ detail }) => detail["actor"]))).toEqual(new Set([ACTOR]));
  });

  test("what there is nothing to do about is refused", async () => {
    host = await RotationHost.start();
    for (const word of ["cancel", "retry", "abandon"]) {
      expect(await ctl(word, "main")).toEqual(refused("main has no open rotation", "rotatectl history main shows the last one"));
    }
  });
});
