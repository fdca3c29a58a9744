import { afterEach, describe, expect, test } from "vitest";
import { expectPromisesHold } from "../kill/invariants.ts";
import { rotatectl } from "../support/rotatectl.ts";
import { RotationHost } from "../support/rotation-host.ts";
import { errors, eventually, reload } from "./daemon.ts";

let host: RotationHost;
afterEach(() => host.stop());

const ctl = (...args: string[]) => rotatectl(host.host.socket, ...args);

describe("SIGHUP", () => {
  test("takes a good file over", async () => {
    host = await RotationHost.start();
    const config = host.config(host.gateway.url, { credential: { every: "7d", overlap: "2h" } });
    host.host.configure(config);
    const said = await reload(host.host);
    expect(said.at(-1)?.msg).toBe("configuration read again");
    const shown = await host.host.show("main");
    expect(shown).toMatchObject({ schedule: "every 7d", overlapMs: 7_200_000 });
    expect((shown.nextAt ?? 0) - Date.now()).toBeLessThan(7 * 86_400_000);
  });

  test("that comes while the daemon starts is heard once it runs", async () => {
    host = await RotationHost.make();
    const early = `process.on("newListener", (name) => name === "unhandledRejection" && setImmediate(() => process.kill(process.pid, "SIGHUP")))`;
    await host.host.start({ preload: [`data:text/javascript,${encodeURIComponent(early)}`] });
    await eventually(() => host.host.log.includes("configuration read again") || undefined, "the signal was not heard");
  });

  test("refuses a broken one with everything that is wrong in it; the one before stays in force", { timeout: 120_000 }, async () => {
    host = await RotationHost.start();
    const good = host.host.read("rotated.yaml");
    host.host.write("rotated.yaml", good.replace("overlap: 1h", "overlapp: 1h").replace("every: 30d", "every: 30 moons"));
    const said = (await reload(host.host)).filter(({ level }) => level === "error");
    expect(said).toHaveLength(3);
    expect(
      said
        .map(({ line }) => line)
        .slice(0, 2)
        .every((line) => typeof line === "number"),
      "with their lines",
    ).toBe(true);
    expect(
      said.slice(0, 2).every(({ hint }) => hint !== undefined),
      "and hints",
    ).toBe(true);
    expect(said[2]?.msg).toBe("the configuration is refused: the one before stays in force");
    expect(await host.host.show("main")).toMatchObject({ schedule: "every 30d", overlapMs: 3_600_000 });
    expect(await ctl("rotate", "main", "--now", "--wait")).toMatchObject({ code: 0 });
    await expectPromisesHold(host, await host.host.settled(1), "made");
  });

  test("a file whose network cannot be set up is refused, too", async () => {
    host = await RotationHost.start();
    host.host.configure({ ...host.config(host.gateway.url), network: { ca: [host.host.path("nowhere.pem")] } });
    const said = (await reload(host.host)).filter(({ level }) => level === "error");
    expect(said.map(({ msg }) => msg)).toEqual([
      expect.stringContaining(`cannot read ${host.host.path("nowhere.pem")}`),
      "the configuration is refused: the one before stays in force",
    ]);
    expect(said[0]?.hint).toContain("nowhere.pem");
    expect(await ctl("status")).toMatchObject({ code: 0 });
  });

  test("warns of what only a start takes over", async () => {
    host = await RotationHost.start();
    const config = { ...host.config(host.gateway.url), stateDirectory: host.host.path("elsewhere"), socket: host.host.path("other.sock") };
    host.host.configure(config);
    const said = await reload(host.host);
    expect(said.filter(({ level }) => level === "warn").map(({ msg }) => msg)).toEqual([
      "stateDirectory, socket and resolveSocket are taken over at the next start only",
    ]);
    expect(await ctl("status"), "on the old socket").toMatchObject({ code: 0 });
  });

  test("a credential that is taken out in the middle of a rotation: stuck with its cure; put back, it goes on", {
    timeout: 120_000,
  }, async () => {
    host = await RotationHost.start();
    const good = host.config(host.gateway.url);
    await host.rotate({ overlap: true });
    await host.reaches("drain");
    host.host.configure({ ...good, credentials: {} });
    const said = await reload(host.host);
    expect(said.map(({ msg }) => msg)).toContain("configuration read again");
    const stuck = await eventually(async () => {
      const { rotation } = await host.host.client.call("watch", { id: 1, after: 0, waitMs: 0 });
      return rotation.stuck ?? undefined;
    }, "it is not stuck");
    expect(stuck).toEqual({
      reason: "credential main has an open rotation and is no longer in the configuration",
      hint: "put it back into the configuration and reload, or say rotatectl abandon",
    });
    expect(host.vendor.key.deletedAt, "nothing was revoked").toBeNull();
    host.host.configure(good);
    await reload(host.host);
    await eventually(async () => ((await host.host.show("main")).open?.stuck === null ? true : undefined), "it does not go on");
    expect(await ctl("rotate", "main", "--now", "--wait")).toMatchObject({ code: 0 });
    await expectPromisesHold(host, await host.host.settled(1), "made");
  });

  test("a consumer that is taken out in the middle of a rotation is asked all the same; put back, it goes on", {
    timeout: 120_000,
  }, async () => {
    host = await RotationHost.start();
    const good = host.config(host.gateway.url);
    await host.rotate({ overlap: true });
    await host.reaches("drain");
    const renamed = { other: good.consumers.gateway };
    const main = { ...good.credentials.main, consumers: [{ use: "other", provider: "openai" }] };
    host.host.configure({ ...good, consumers: renamed, credentials: { main } });
    await reload(host.host);
    await ctl("rotate", "main", "--now");
    const stuck = await eventually(async () => (await host.host.show("main")).open?.stuck ?? undefined, "it is not stuck");
    expect(stuck).toEqual({
      reason: "consumer gateway is part of a rotation and no longer in the configuration",
      hint: "put consumer gateway back into the configuration and reload, or say rotatectl abandon",
    });
    expect(host.vendor.key.deletedAt, "nothing was revoked").toBeNull();
    host.host.configure(good);
    await reload(host.host);
    // Nobody says retry: the reload itself wakes what is stuck, and it may have ended before anybody could.
    const rotation = await eventually(async () => {
      const view = (await host.host.client.call("watch", { id: 1, after: 0, waitMs: 0 })).rotation;
      return view.outcome === null ? undefined : view;
    }, "it does not go on");
    expect(rotation.outcome).toBe("done");
    expect(errors(host.host).some(({ msg }) => msg.includes("bug"))).toBe(false);
    await expectPromisesHold(host, rotation, "made");
  });
});
