import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { CredentialReply } from "../../src/api.ts";
import type { EventView, RotationView } from "../../src/api-views.ts";
import { openClient } from "../../src/cli/client.ts";
import { type FakeBedrock, startFakeBedrock } from "../fakes/aws-bedrock.ts";
import { Host, QUICK_TIMING } from "../support/host.ts";

export const USER = "bedrock-user";

/** A program that reads its key anew for each request, and shows which one it holds. Its argument is the file. */
export const READER = `
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { json } from "node:stream/consumers";
const { nonce } = await json(process.stdin);
const key = readFileSync(process.argv[2], "utf8").trimEnd();
console.log(JSON.stringify({ ok: true, hmac: createHmac("sha256", key).update(nonce).digest("hex") }));
`;

interface Options {
  readonly exclusive?: boolean;
  readonly timing?: object;
  /** Names of credentials whose store is empty, beside `main`, which has a key. */
  readonly empty?: readonly string[];
}

/** Credentials of one IAM user, who may have two keys for Bedrock; each in a file of its own. The daemon is the real one. */
export class TwoPlacesHost {
  readonly host: Host;
  readonly bedrock: FakeBedrock;

  static async start(options: Options = {}): Promise<TwoPlacesHost> {
    const bedrock = await startFakeBedrock([USER]);
    const host = new Host(() => ({ credentials: { admin: bedrock.admin }, config: {} }));
    const made = new TwoPlacesHost(host, bedrock);
    host.write("reader.mjs", READER);
    host.write("main", bedrock.vendor.addKey(USER).secret);
    made.configure(options);
    await host.start();
    await host.client.call("adopt", { name: "main" });
    bedrock.log.length = 0;
    return made;
  }

  private constructor(host: Host, bedrock: FakeBedrock) {
    this.host = host;
    this.bedrock = bedrock;
  }

  configure({ exclusive = false, timing = {}, empty = [] }: Options): void {
    const { host, bedrock } = this;
    const names = ["main", ...empty];
    host.configure({
      providers: {
        bedrock: {
          type: "aws-bedrock",
          region: "eu-central-1",
          user: USER,
          exclusive,
          accessKey: Host.credential(host, "admin"),
          endpoint: bedrock.url,
          inferenceUrl: bedrock.url,
          listLag: "40ms",
        },
      },
      stores: { local: { type: "file" } },
      consumers: Object.fromEntries(
        names.map((name) => [
          `reads-${name}`,
          { type: "command", validate: [process.execPath, join(host.directory, "reader.mjs"), host.path(name)] },
        ]),
      ),
      credentials: Object.fromEntries(
        names.map((name) => [
          name,
          {
            provider: "bedrock",
            store: { use: "local", path: host.path(name) },
            consumers: [{ use: `reads-${name}` }],
          },
        ]),
      ),
      timing: { ...QUICK_TIMING, ...timing },
    });
  }

  async rotate(name = "main"): Promise<number> {
    const { rotations } = await openClient(this.host.socket).call("rotate", { name, now: true });
    const [first] = rotations;
    if (first === undefined) throw new Error("no rotation was started");
    return first.rotation.id;
  }

  async view(id: number): Promise<RotationView> {
    return (await this.host.client.call("watch", { id, after: 0, waitMs: 0 })).rotation;
  }

  /** Polls a rotation until something is so of it. */
  async until(id: number, what: string, ask: (rotation: RotationView) => boolean, ms = 30_000): Promise<RotationView> {
    for (const limit = Date.now() + ms; ; await sleep(20)) {
      const rotation = await this.view(id);
      if (ask(rotation)) return rotation;
      if (Date.now() > limit) throw new Error(`never: ${what}; ${JSON.stringify(rotation)}\n${this.host.tail()}`);
    }
  }

  ended(id: number): Promise<RotationView> {
    return this.until(id, "it has ended", ({ outcome }) => outcome !== null);
  }

  stuck(id: number): Promise<RotationView> {
    return this.until(id, "a person is told", ({ stuck }) => stuck !== null);
  }

  async events(code: string, name = "main"): Promise<readonly EventView[]> {
    const { events } = await this.host.client.call("history", { name, limit: 1000 });
    return events.filter((event) => event.code === code).reverse();
  }

  show(name = "main"): Promise<CredentialReply> {
    return this.host.show(name);
  }

  /** The changes that IAM was asked for since the start, in order. */
  changes(): readonly string[] {
    return this.bedrock.log.flatMap(({ what }) => /^(Create|Update|Delete)/.exec(what)?.[1] ?? []);
  }

  /** The secrets of the keys that are there, oldest first. */
  secrets(): readonly string[] {
    return this.bedrock.vendor.of(USER).map(({ secret }) => secret);
  }

  async stop(): Promise<void> {
    await this.host.remove();
    await this.bedrock.close();
  }
}

/** Does `work` with a host of its own, which is gone afterwards. */
export async function withTwoPlaces(options: Options, work: (here: TwoPlacesHost) => Promise<void>): Promise<void> {
  const here = await TwoPlacesHost.start(options);
  try {
    await work(here);
  } finally {
    await here.stop();
  }
}
