import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import Database from "better-sqlite3";
import { expect } from "vitest";
import type { IntakeReply } from "../../src/api.ts";
import type { RotationView } from "../../src/api-views.ts";
import { openClient } from "../../src/cli/client.ts";
import { Secret } from "../../src/contract/secret.ts";
import type { FakeKey } from "../fakes/anthropic/vendor.ts";
import { type FakeAnthropic, startFakeAnthropic } from "../fakes/anthropic.ts";
import { Host, QUICK_TIMING } from "./host.ts";
import { type LineConsumer, startLineConsumer } from "./line-consumer.ts";

export interface IntakeHostOptions {
  readonly timing?: object;
  readonly provider?: object;
  readonly preload?: readonly string[];
  /** An empty store, for the first key. */
  readonly empty?: boolean;
  /** A second credential `other`, with a store of its own. */
  readonly other?: boolean;
}

/** Anthropic's fake, where a person makes the keys; one credential `main` that a program uses; the real daemon. */
export class IntakeHost {
  readonly host: Host;
  readonly fake: FakeAnthropic;
  /** The key that serves first. */
  readonly key: FakeKey;
  readonly consumer: LineConsumer;
  readonly workspace: string;

  static async start(options: IntakeHostOptions = {}): Promise<IntakeHost> {
    const made = await IntakeHost.make(options);
    await made.host.start();
    if (options.empty !== true) await made.host.client.call("adopt", { name: "main" });
    return made;
  }

  /** Everything but the daemon runs. */
  static async make(options: IntakeHostOptions = {}): Promise<IntakeHost> {
    const fake = await startFakeAnthropic();
    const workspace = fake.vendor.addWorkspace();
    const dayAgo = Date.now() - 86_400_000;
    const key = fake.vendor.addKey("adopted", { workspace, createdAt: dayAgo, stateSince: dayAgo });
    const host = new Host(() => ({
      credentials: { admin: fake.admin.secret },
      ...(options.preload === undefined ? {} : { preload: options.preload }),
      config: {},
    }));
    host.write("secret", options.empty === true ? "" : key.secret);
    const consumer = await startLineConsumer({
      read: () => host.read("secret").trimEnd(),
      use: (secret) => accepts(fake.url, secret),
    });
    const made = new IntakeHost({ host, fake, key, consumer, workspace });
    made.configure(options);
    return made;
  }

  private constructor(parts: Pick<IntakeHost, "host" | "fake" | "key" | "consumer" | "workspace">) {
    this.host = parts.host;
    this.fake = parts.fake;
    this.key = parts.key;
    this.consumer = parts.consumer;
    this.workspace = parts.workspace;
  }

  configure(options: IntakeHostOptions = {}): void {
    const { host, fake, consumer, workspace } = this;
    const { reload, validate } = consumer;
    const credential = (path: string) => ({
      provider: "anthropic",
      store: { use: "local", path: host.path(path) },
      consumers: [{ use: "app" }],
      overlap: "0s",
    });
    host.configure({
      providers: {
        anthropic: {
          type: "anthropic",
          adminKey: Host.credential(host, "admin"),
          workspace,
          baseUrl: fake.url,
          listLag: "40ms",
          ...options.provider,
        },
      },
      stores: { local: { type: "file" } },
      consumers: { app: { type: "command", reload, validate } },
      credentials: { main: credential("secret"), ...(options.other === true && { other: credential("other-secret") }) },
      timing: { ...QUICK_TIMING, ...options.timing },
    });
  }

  /** What a person does in the Console. */
  makeKey(name = "by hand", more: Partial<FakeKey> = {}): FakeKey {
    return this.fake.vendor.addKey(name, { workspace: this.workspace, ...more });
  }

  /** What a person says with `rotatectl intake`. */
  bring({ secret }: { readonly secret: string }, more: { readonly name?: string; readonly keyId?: string } = {}): Promise<IntakeReply> {
    return this.host.client.call("intake", { name: "main", ...more, secret: new Secret(secret) });
  }

  async rotate(key: string = crypto.randomUUID()): Promise<RotationView> {
    const { rotations } = await openClient(this.host.socket, key).call("rotate", { name: "main", now: true });
    const [first] = rotations;
    if (first === undefined) throw new Error("no rotation was started");
    return first.rotation;
  }

  async view(id: number): Promise<RotationView> {
    return (await this.host.client.call("watch", { id, after: 0, waitMs: 0 })).rotation;
  }

  /** Polls until something is so; shows the log when that takes too long. */
  async until(what: string, ask: () => boolean | Promise<boolean>, ms = 30_000): Promise<void> {
    for (const limit = Date.now() + ms; !(await ask()); await sleep(20)) {
      if (Date.now() > limit) throw new Error(`never: ${what}\n${this.host.tail()}`);
    }
  }

  /** Waits until a rotation waits for a person. */
  async wanted(id: number): Promise<RotationView> {
    await this.until(`rotation ${id} waits for a person`, async () => (await this.view(id)).wanted !== null);
    return this.view(id);
  }

  /** Waits until a rotation has ended, however often it is stuck on its way. */
  async ended(id: number, ms = 40_000): Promise<RotationView> {
    await this.until(`rotation ${id} has ended`, async () => (await this.view(id)).outcome !== null, ms);
    return this.view(id);
  }

  /** Codes of the events of `main`, oldest first. */
  async codes(): Promise<readonly string[]> {
    const { events } = await this.host.client.call("history", { name: "main", limit: 1000 });
    return events.map(({ code }) => code).reverse();
  }

  /** Ids of the keys that are switched on at the vendor. */
  on(): readonly string[] {
    return this.fake.vendor.everyKey().flatMap((key) => (this.fake.vendor.statusOf(key) === "active" ? [key.id] : []));
  }

  /** At rest one key serves: it is what the store holds and the consumer uses, and no other is on at the vendor. */
  async expectQuiet(serves: FakeKey): Promise<void> {
    const shown = await this.host.show("main");
    expect(shown.current?.vendorId).toBe(serves.id);
    expect(this.stored()).toBe(serves.secret);
    expect(await this.consumer.serves(), "the consumer is served").toBe(true);
    expect(this.on(), "one key is on at the vendor").toEqual([serves.id]);
  }

  stored(): string {
    return this.host.read("secret");
  }

  /** Names of the kept versions beside the secret file. */
  kept(): readonly string[] {
    return readdirSync(this.host.directory).filter((name) => name.includes("secret") && name !== "secret" && !name.includes("other"));
  }

  /** The ledger, while no daemon has it open. */
  ledger<T>(ask: (db: Database.Database) => T): T {
    const db = new Database(this.host.path("state/rotated.db"));
    try {
      return ask(db);
    } finally {
      db.close();
    }
  }

  /** Everything that the daemon wrote, but the store: what must be free of secrets. */
  written(): string {
    return [
      this.host.log,
      ...readdirSync(this.host.path("state")).map((name) => readFileSync(this.host.path(`state/${name}`), "latin1")),
    ].join("\n");
  }

  async stop(): Promise<void> {
    await this.host.remove();
    await this.consumer.stop();
    await this.fake.close();
  }
}

/** A request of a consumer, as Anthropic answers those that speak OpenAI's language. */
async function accepts(url: string, secret: string): Promise<boolean> {
  const body = JSON.stringify({ model: "claude-fake-1", messages: [{ role: "user", content: "ping" }] });
  const headers = { authorization: `Bearer ${secret}`, "content-type": "application/json" };
  return (await fetch(`${url}/v1/chat/completions`, { method: "POST", headers, body })).ok;
}
