import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { systemdUnit } from "../../adapters/consumers/systemd-unit.ts";
import type { Secret } from "../../src/contract/secret.ts";
import { ROOT } from "../support/host.ts";
import { startKeyVendor } from "../support/key-vendor.ts";
import { realWorld } from "../support/real-world.ts";
import { Box, whyNoBox } from "../systemd/box.ts";
import type { ConsumerFixture, RunningConsumer } from "./consumer-fixture.ts";

/** The consumer `systemd-unit` with the stand-in as a service of a real systemd: one that has its key in its environment, and one that reads a file again. */
export const systemdUnitFixtures: readonly ConsumerFixture[] = (["restart", "reload"] as const).map((verb) => ({
  name: `systemd-unit (${verb})`,
  skipped: whyNoBox(),
  grade: "value",
  reloadSees: false,
  tellsRefusals: false,
  tellsRuns: false,
  startLimitMs: 60_000,
  start: (secret) => start(secret, verb),
}));

const UNIT = "app.service";
const STAND_IN = "/opt/node/node /opt/fakes/stand-in-consumer.ts";

function unitFile(verb: "restart" | "reload", vendor: string): string {
  const key = verb === "restart" ? "--variable APP_KEY" : "--secret /srv/unit/key";
  return `[Unit]
StartLimitIntervalSec=0
[Service]
${verb === "restart" ? "EnvironmentFile=/srv/unit/env" : `ExecReload=${STAND_IN} reload --socket /srv/unit/socket`}
ExecStartPre=/bin/rm -f /srv/unit/socket
ExecStart=${STAND_IN} serve ${key} --socket /srv/unit/socket --vendor ${vendor}
ExecStartPost=/bin/sh -c 'until test -S /srv/unit/socket; do sleep 0.02; done'
`;
}

async function start(secret: Secret, verb: "restart" | "reload"): Promise<RunningConsumer> {
  const directory = await mkdtemp(join(tmpdir(), "rotated-unit-"));
  const world = realWorld(directory);
  const vendor = await startKeyVendor();
  const box = await Box.start({
    [directory]: "/srv/unit",
    [dirname(process.execPath)]: "/opt/node",
    [join(ROOT, "test/fakes")]: "/opt/fakes",
  });
  const systemctl = join(directory, "systemctl");
  await writeFile(systemctl, `#!/bin/sh\nexec ${box.command("systemctl")} "$@"\n`, { mode: 0o755 });
  const holdNow = (value: Secret) =>
    verb === "restart"
      ? world.files.replace(join(directory, "env"), `APP_KEY=${value.reveal()}\n`)
      : world.files.replace(join(directory, "key"), value.reveal());

  vendor.accepted.add(secret.reveal());
  await holdNow(secret);
  await box.write(`/etc/systemd/system/${UNIT}`, unitFile(verb, vendor.url));
  await box.must("systemctl", "daemon-reload");
  await box.must("systemctl", "start", UNIT);
  const health = [process.execPath, join(ROOT, "test/fakes/stand-in-consumer.ts"), "validate", "--socket", join(directory, "socket")];

  return {
    consumer: systemdUnit.connect(
      systemdUnit.settings.parse({ unit: UNIT, verb, health, systemctl, timeout: "10s" }),
      {},
      { credential: "prod", consumer: "stand-in" },
      world,
    ),
    async settle(value) {
      vendor.outage = undefined;
      vendor.accepted.clear();
      vendor.accepted.add(value.reveal());
      await holdNow(value);
      await box.must("systemctl", "restart", UNIT);
    },
    holdNow,
    async isHolding(value) {
      vendor.seen.length = 0;
      await ask(join(directory, "socket"));
      return vendor.seen.length === 1 && vendor.seen[0] === value.reveal();
    },
    vendorAccepts(...secrets) {
      vendor.accepted.clear();
      for (const value of secrets) vendor.accepted.add(value.reveal());
    },
    vendorRefuses: (value) => void vendor.accepted.delete(value.reveal()),
    vendorFails() {
      vendor.outage = 503;
    },
    programEnds: async () => void (await box.must("systemctl", "stop", UNIT)),
    async stop() {
      await box.stop();
      await vendor.stop();
      await rm(directory, { recursive: true });
    },
  };
}

/** Has the stand-in make one request to its vendor. */
function ask(socketPath: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  request({ socketPath, method: "POST", path: "/validate", agent: false }, (response) => response.resume().once("end", resolve))
    .on("error", reject)
    .end('{"nonce":"any"}');
  return promise;
}
