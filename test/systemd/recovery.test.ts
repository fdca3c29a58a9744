import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type FakeOpenAi, type Seen, startFakeOpenAi } from "../fakes/openai.ts";
import { QUICK_TIMING } from "../support/host.ts";
import { Box, describeInBox } from "./box.ts";
import { SOURCES, unpackPackage } from "./installed.ts";
import { clientOf, configFor, dropIn, ended, eventually, type Place, rotate, setUpService, startApp } from "./service.ts";

/** How long a call to a vendor, and one to a consumer, may take. */
const CALL_TIMEOUT_MS = 500;
const PROVE_TIMEOUT_MS = 1500;
const WATCHDOG_MS = 2000;
/** A call counts as wedged 2 s after its deadline; then the watchdog's time runs. The rest is leeway. */
const RESTARTED_WITHIN_MS = PROVE_TIMEOUT_MS + 2000 + WATCHDOG_MS + 2000;
const MARKER = "/var/lib/rotated/wedge";

describeInBox("rotated.service is taken down", () => {
  let unpacked: Awaited<ReturnType<typeof unpackPackage>>;
  let box: Box;
  let fake: FakeOpenAi;
  let place: Place;

  beforeAll(async () => {
    [unpacked, fake] = await Promise.all([unpackPackage(), startFakeOpenAi()]);
    box = await Box.start(unpacked.binds);
    place = await setUpService(box, fake);
    await startApp(box, fake, place);
    await box.write("/opt/app/wedge.ts", await readFile(new URL("./wedge.ts", import.meta.url), "utf8"));
    await box.write("/opt/app/bare-timer.ts", await readFile(new URL("./bare-timer.ts", import.meta.url), "utf8"));
    const timing = { ...QUICK_TIMING, callTimeout: `${CALL_TIMEOUT_MS}ms`, proveTimeout: `${PROVE_TIMEOUT_MS}ms` };
    await dropIn(box, "local", `[Service]\nReadWritePaths=/srv/app\nRestartSec=100ms\nWatchdogSec=${WATCHDOG_MS}ms\n`);
    await box.write(place.config, configFor(fake, place, { timing }));
    await box.must("systemctl", "start", "rotated");
    await clientOf(box, place).call("adopt", { name: "main" });
  }, 60_000);
  beforeEach(async () => {
    // Each test starts the unit more than once; the limit of starts is for a unit that fails by itself.
    await box.must("systemctl", "reset-failed", "rotated");
  });
  afterAll(async () => {
    await box?.stop();
    await fake?.close();
    await unpacked?.remove();
  });

  const mainPid = () => box.show("rotated", "MainPID");

  /** The rotation ends well, the consumer's key is a new one, and the vendor has no other live key. */
  async function expectRotated(id: number, oldKey: string): Promise<void> {
    expect(await ended(box, place, id), await box.journal("rotated")).toMatchObject({ outcome: "done" });
    const held = JSON.parse(await box.read(place.secrets)).openai.apiKey as string;
    expect(held).not.toBe(oldKey);
    expect(fake.vendor.accepted(oldKey)).toBeUndefined();
    expect(fake.vendor.everyKey().flatMap((key) => (key.deletedAt === null ? [key.secret] : []))).toEqual([held]);
  }
  const heldKey = async () => JSON.parse(await box.read(place.secrets)).openai.apiKey as string;

  /** The moment at which the fake sees the first request of this kind in this phase. */
  function seen(phase: string, matches: (request: Seen) => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    fake.onRequest = async (request, now) => {
      if (now !== phase || !matches(request)) return;
      fake.onRequest = undefined;
      resolve();
      // The answer is held back until what happens now has happened.
      await sleep(300);
    };
    return promise;
  }
  const isCreate = ({ method, path }: Seen) => method === "POST" && /api_keys$|service_accounts$/.test(path);

  test("SIGKILL between the vendor's work and its answer: it is started again and goes on", async () => {
    const old = await heldKey();
    const created = seen("handled", isCreate);
    const { id } = await rotate(box, place);
    await created;
    const before = await mainPid();
    await box.must("systemctl", "kill", "-s", "KILL", "rotated");
    await expectRotated(id, old);
    expect(await mainPid()).not.toBe(before);
    expect(await box.show("rotated", "NRestarts")).not.toBe("0");
  });

  test("SIGTERM in the middle of a call that does not answer: it ends in 10 s, and the next start goes on", async () => {
    const old = await heldKey();
    fake.faults.add({ method: "POST", path: "api_keys$|service_accounts$", times: 1, fault: { do: "hang" } });
    const asked = seen("before", isCreate);
    const { id } = await rotate(box, place);
    await asked;
    const since = performance.now();
    await box.must("systemctl", "stop", "rotated");
    expect(performance.now() - since).toBeLessThan(10_000);
    expect(await box.show("rotated", "Result")).toBe("success");
    expect(await box.show("rotated", "ExecMainStatus")).toBe("0");
    await box.must("systemctl", "start", "rotated");
    expect((await clientOf(box, place).call("show", { name: "main" })).open?.id).toBe(id);
    expect(await box.show("rotated", "StatusText")).toBe("credentials: 1, open rotations: 1");
    await expectRotated(id, old);
  });

  /**
   * Wedges the engine of a daemon that was started with these preloads, and watches it for as long as the watchdog may take.
   * `aliveMs`: for how long after the wedge its event loop was seen to answer.
   */
  async function wedge(...preloads: readonly string[]): Promise<{ id: number; restarted: boolean; aliveMs: number }> {
    const options = preloads.map((name) => `--import=/opt/app/${name}`).join(" ");
    const where = `NOTIFY_MODULE=${SOURCES}/src/notify.ts INSTALLED=/opt/rotated/lib/node_modules/rotated`;
    await dropIn(box, "wedge", `[Service]\nEnvironment="NODE_OPTIONS=${options}" WEDGE=${MARKER} ${where}\n`);
    await box.must("systemctl", "restart", "rotated");
    await box.write(MARKER, "", { uid: place.uid });
    const pid = await mainPid();
    const { id } = await rotate(box, place);
    await eventually("the engine is wedged", async () => (await box.run("test", "-e", MARKER)).code !== 0);
    const since = performance.now();
    let aliveMs = 0;
    while (performance.now() - since < RESTARTED_WITHIN_MS) {
      if ((await mainPid()) !== pid) return { id, restarted: true, aliveMs };
      const answered = await clientOf(box, place).call("status", {}).then(() => true, () => false); // biome-ignore format: one thought
      if (answered && (await mainPid()) === pid) aliveMs = performance.now() - since;
      await sleep(100);
    }
    return { id, restarted: false, aliveMs };
  }

  test("an engine that is wedged while the event loop lives: the watchdog starts it again, and it goes on", async () => {
    const old = await heldKey();
    const { id, restarted, aliveMs } = await wedge("wedge.ts");
    expect(restarted).toBe(true);
    expect(aliveMs, "the event loop was alive, and the pings stopped all the same").toBeGreaterThan(WATCHDOG_MS);
    expect(await box.journal("rotated")).toContain("Watchdog timeout");
    await expectRotated(id, old);
  });

  test("the same with pings from a bare timer is not noticed: so the test above tells the two apart", async () => {
    const old = await heldKey();
    const { id, restarted } = await wedge("wedge.ts", "bare-timer.ts");
    expect(restarted).toBe(false);
    expect(await clientOf(box, place).call("show", { name: "main" })).toMatchObject({ open: { id, step: "reload" } });
    await box.must("systemctl", "kill", "-s", "KILL", "rotated");
    await expectRotated(id, old);
  });
});
