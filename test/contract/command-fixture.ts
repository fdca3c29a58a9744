import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command } from "../../adapters/consumers/command.ts";
import type { Secret } from "../../src/contract/secret.ts";
import { startKeyVendor } from "../support/key-vendor.ts";
import { realWorld } from "../support/real-world.ts";
import { startStandIn } from "../support/stand-in.ts";
import type { ConsumerFixture, RunningConsumer } from "./consumer-fixture.ts";

/** The consumer `command` with the stand-in, which shows an HMAC of the key that it holds. */
export const commandFixture: ConsumerFixture = {
  name: "command",
  grade: "value",
  reloadSees: false,
  tellsRefusals: false,
  tellsRuns: false,
  startLimitMs: 10_000,
  start,
};

async function start(secret: Secret): Promise<RunningConsumer> {
  const directory = await mkdtemp(join(tmpdir(), "rotated-command-"));
  const world = realWorld(directory);
  const vendor = await startKeyVendor();
  const options = { secret: join(directory, "key"), socket: join(directory, "control.sock"), vendor: vendor.url };
  const holdNow = (value: Secret) => world.files.replace(options.secret, value.reveal());

  vendor.accepted.add(secret.reveal());
  await holdNow(secret);
  let program = await startStandIn(options);

  return {
    consumer: command.connect(
      command.settings.parse({ reload: program.reload, validate: program.validate, timeout: "10s" }),
      {},
      { credential: "prod", consumer: "stand-in" },
      world,
    ),
    async settle(value) {
      vendor.outage = undefined;
      vendor.accepted.clear();
      vendor.accepted.add(value.reveal());
      await holdNow(value);
      await program.stop();
      program = await startStandIn(options);
    },
    holdNow,
    async isHolding(value) {
      vendor.seen.length = 0;
      await fetch(program.url, { method: "POST" });
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
    programEnds: () => program.stop(),
    async stop() {
      await program.stop();
      await vendor.stop();
      await rm(directory, { recursive: true });
    },
  };
}
