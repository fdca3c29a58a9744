import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import type { RotationView } from "../../src/api-views.ts";
import { type Client, openClient } from "../../src/cli/client.ts";
import type { FakeOpenAi } from "../fakes/openai.ts";
import { QUICK_TIMING, ROOT } from "../support/host.ts";
import type { Box } from "./box.ts";
import { manualBlock } from "./manual.ts";

export const NODE = "/opt/rotated/lib/node_modules/rotated/node_modules/.bin/node";
export const ROTATECTL = "/opt/rotated/bin/rotatectl";
const STAND_IN = "/opt/app/stand-in-consumer.ts";

/** A daemon in the box: where its things are, and as whom it runs. */
export interface Place {
  readonly account: string;
  readonly uid: number;
  readonly config: string;
  readonly socket: string;
  /** The file of the store, in a directory that belongs to the account. */
  readonly secrets: string;
}

/** A configuration with one credential `main`, which the stand-in consumer of {@link startApp} uses. */
export function configFor(fake: FakeOpenAi, place: Place, more: object = {}): string {
  const command = (action: string) => [NODE, STAND_IN, action, "--socket", appSocket(place)];
  const provider = {
    type: "openai",
    baseUrl: fake.url,
    project: fake.vendor.project,
    adminKey: { credential: "openai-admin" },
    accounts: "shared",
    serviceAccount: fake.account.id,
    listLag: "50ms",
    lastUsedLag: "50ms",
    lastUsedPrecision: "1ms",
  };
  return stringify({
    socket: place.socket,
    providers: { openai: provider },
    stores: { local: { type: "file" } },
    consumers: { app: { type: "command", reload: command("reload"), validate: command("validate") } },
    credentials: {
      main: {
        provider: "openai",
        store: { use: "local", path: place.secrets, field: "/openai/apiKey", owner: place.account },
        consumers: [{ use: "app" }],
      },
    },
    control: { act: [{ user: "root" }, { user: place.account }] },
    timing: { ...QUICK_TIMING, callTimeout: "1s" },
    ...more,
  });
}

/** The file with the fake's key, and the program that uses it, as the account. */
export async function startApp(box: Box, fake: FakeOpenAi, place: Place): Promise<void> {
  await box.write(STAND_IN, await readFile(join(ROOT, "test/fakes/stand-in-consumer.ts"), "utf8"));
  const directory = place.secrets.slice(0, place.secrets.lastIndexOf("/"));
  await box.must("install", "-d", "-m", "700", "-o", place.account, "-g", place.account, directory);
  const content = JSON.stringify({ openai: { apiKey: fake.key.secret }, other: "of somebody else" });
  await box.write(place.secrets, content, { mode: 0o600, uid: place.uid });
  const vendor = fake.url.replace("/v1", "");
  const serve = ["serve", "--secret", place.secrets, "--field", "/openai/apiKey", "--socket", appSocket(place), "--vendor", vendor];
  const unit = ["--unit", `app-${place.account}`, "-p", `User=${place.account}`, "-p", `RuntimeDirectory=app-${place.account}`];
  await box.must("systemd-run", "--quiet", ...unit, NODE, STAND_IN, ...serve, "--model", "fake-1");
  await eventually("the stand-in listens", async () => (await box.run("test", "-S", appSocket(place))).code === 0);
}

const appSocket = ({ account }: Place) => `/run/app-${account}/app.sock`;

/** The set-up of the system service as docs/systemd.md has it, up to where the operator starts it. */
export async function setUpService(box: Box, fake: FakeOpenAi): Promise<Place> {
  await box.must("sh", "-euc", manualBlock("Set up"));
  await box.write("/root/pasted", `${fake.admin.secret}\n`, { mode: 0o600 });
  await box.must("sh", "-euc", `${manualBlock("Set up", 1).trim()} < /root/pasted; rm /root/pasted`);
  const uid = Number(await box.must("id", "-u", "rotated"));
  return {
    account: "rotated",
    uid,
    config: "/etc/rotated/rotated.yaml",
    socket: "/run/rotated/control.sock",
    secrets: "/srv/app/secrets.json",
  };
}

/** Adds to the system service; takes effect at its next start. */
export async function dropIn(box: Box, name: string, content: string): Promise<void> {
  await box.write(`/etc/systemd/system/rotated.service.d/${name}.conf`, content);
  await box.must("systemctl", "daemon-reload");
}

/** A client from outside the box, as root. */
export function clientOf(box: Box, { socket }: Place): Client {
  return openClient(box.path(socket));
}

/** Starts a rotation of `main`. */
export async function rotate(box: Box, place: Place): Promise<RotationView> {
  const { rotations } = await clientOf(box, place).call("rotate", { name: "main", now: true });
  const [first] = rotations;
  if (first === undefined) throw new Error("no rotation was started");
  return first.rotation;
}

/** Waits until a rotation is over, through restarts of the daemon. */
export async function ended(box: Box, place: Place, id: number, ms = 60_000): Promise<RotationView> {
  let last: RotationView | undefined;
  await eventually(
    `rotation ${id} ends`,
    async () => {
      const reply = await clientOf(box, place)
        .call("watch", { id, after: 0, waitMs: 0 })
        .catch(() => undefined);
      last = reply?.rotation ?? last;
      return last?.outcome != null;
    },
    ms,
    async () => `${JSON.stringify(last)}\n${await box.journal()}`,
  );
  if (last === undefined) throw new Error("no view of the rotation");
  return last;
}

/** Asks again and again until `condition` holds; throws with `what`, and with what `explain` says, when that takes too long. */
export async function eventually(
  what: string,
  condition: () => Promise<boolean>,
  ms = 60_000,
  explain: () => Promise<string> = async () => "",
): Promise<void> {
  const until = Date.now() + ms;
  while (!(await condition())) {
    if (Date.now() > until) throw new Error(`not within ${ms} ms: ${what}\n${await explain()}`);
    await sleep(50);
  }
}
