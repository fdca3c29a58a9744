import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import Database from "better-sqlite3";
import { expect } from "vitest";
import type { EventView, RotationView } from "../../src/api-views.ts";
import { type Client, openClient } from "../../src/cli/client.ts";
import type { Step } from "../../src/model.ts";
import type { FakeValue } from "../fakes/azure-openai/vendor.ts";
import { type FakeAzureOpenAi, type Seen, startFakeAzureOpenAi } from "../fakes/azure-openai.ts";
import { type FakeGateway, startFakeGateway } from "../fakes/gateway.ts";
import { Host, QUICK_TIMING } from "./host.ts";
import { type Load, startLoad } from "./load.ts";
import { GATEWAY_TOKEN, openclawJson } from "./openclaw.ts";

export interface SlotHostOptions {
  readonly timing?: object;
  readonly credential?: object;
  readonly provider?: object;
  readonly preload?: readonly string[];
  /** Signs in to Entra, which takes a process a second on a busy machine. Without it, somebody else keeps a token fresh. */
  readonly signsIn?: boolean;
}

/** One credential `main`, whose key is the first of the two of an Azure account, used by the strict fake gateway; the daemon is the real one. */
export class SlotHost {
  readonly host: Host;
  readonly vendor: FakeAzureOpenAi;
  readonly gateway: FakeGateway;
  /** The value that was adopted. */
  readonly adopted: FakeValue;
  load: Load | undefined;

  /** Everything but the daemon runs. */
  static async make(options: SlotHostOptions = {}): Promise<SlotHost> {
    const vendor = await startFakeAzureOpenAi();
    const { preload } = options;
    const host = new Host(() => ({
      credentials: { admin: vendor.admin.secret, fresh: vendor.entra.accessToken(vendor.url), gateway: GATEWAY_TOKEN },
      ...(preload && { preload }),
      config: {},
    }));
    host.write("secrets.json", JSON.stringify({ note: "not ours", openai: { apiKey: vendor.vendor.slot("Key1").secret } }));
    const file = openclawJson({ vendor: `${vendor.url}/openai/v1`, secretFile: host.path("secrets.json") });
    const gateway = await startFakeGateway(file, { cooldownMs: 2000 });
    const made = new SlotHost(host, vendor, gateway);
    host.configure(made.config(options));
    return made;
  }

  /** With the daemon, and the first key adopted. */
  static async start(options: SlotHostOptions = {}): Promise<SlotHost> {
    const made = await SlotHost.make(options);
    await made.host.start();
    await made.host.client.call("pair", { consumer: "gateway" });
    await made.host.client.call("adopt", { name: "main" });
    return made;
  }

  private constructor(host: Host, vendor: FakeAzureOpenAi, gateway: FakeGateway) {
    this.host = host;
    this.vendor = vendor;
    this.gateway = gateway;
    this.adopted = vendor.vendor.slot("Key1");
  }

  config(options: SlotHostOptions = {}) {
    const { host, vendor, gateway } = this;
    const { tenant, client } = vendor.admin;
    const application = { tenant, client, secret: Host.credential(host, "admin") };
    const signIn = options.signsIn === true ? application : { accessToken: Host.credential(host, "fresh") };
    return {
      providers: {
        azure: {
          type: "azure-openai",
          ...vendor.settings,
          signIn,
          listLag: "40ms",
          ...options.provider,
        },
      },
      stores: { local: { type: "file" } },
      consumers: { gateway: { type: "openclaw", url: gateway.url, token: Host.credential(host, "gateway"), admissionWindow: "50ms" } },
      credentials: {
        main: {
          provider: "azure",
          store: { use: "local", path: host.path("secrets.json"), field: "/openai/apiKey" },
          consumers: [{ use: "gateway", provider: "openai" }],
          overlap: "1h",
          ...options.credential,
        },
      },
      timing: { ...QUICK_TIMING, ...options.timing },
    };
  }

  /** A person with a request of their own. */
  get person(): Client {
    return openClient(this.host.socket);
  }

  startLoad({ pauseMs = 20 } = {}): Load {
    this.load = startLoad({ http: this.gateway.http, token: GATEWAY_TOKEN, clients: 2, pauseMs });
    return this.load;
  }

  /** Starts a rotation, with an overlap of an hour or without one. */
  async rotate({ overlap = false } = {}): Promise<number> {
    const { rotations } = await this.person.call("rotate", { name: "main", now: !overlap });
    const [first] = rotations;
    if (first === undefined) throw new Error("no rotation was started");
    return first.rotation.id;
  }

  async view(id: number): Promise<RotationView> {
    return (await this.host.client.call("watch", { id, after: 0, waitMs: 0 })).rotation;
  }

  /** Polls until something is so; says what was waited for when that takes too long. */
  async until(what: string, ask: () => boolean | Promise<boolean>, ms = 40_000): Promise<void> {
    for (const limit = Date.now() + ms; !(await ask()); await sleep(20)) {
      if (Date.now() < limit) continue;
      const { open, last } = await this.host.show("main");
      throw new Error(`never: ${what}; ${JSON.stringify(open ?? last)}\n${this.host.tail()}`);
    }
  }

  async ended(id: number, ms = 40_000): Promise<RotationView> {
    await this.until(`rotation ${id} has ended`, async () => (await this.view(id)).outcome !== null, ms);
    return this.view(id);
  }

  async reaches(step: Step): Promise<void> {
    await this.until(`at ${step}`, async () => (await this.host.show("main")).open?.step === step);
  }

  /** Waits until a person is told, and gives what they read. */
  async stuck(id: number): Promise<{ reason: string; hint: string }> {
    await this.until(`rotation ${id} is stuck`, async () => (await this.view(id)).stuck !== null);
    return (await this.view(id)).stuck ?? { reason: "", hint: "" };
  }

  /** Events of `main`, oldest first. */
  async events(code: string): Promise<readonly EventView[]> {
    const { events } = await this.host.client.call("history", { name: "main", limit: 1000 });
    return events.filter((event) => event.code === code).reverse();
  }

  /** The requests that regenerate a slot. */
  regenerations(): readonly Seen[] {
    return this.vendor.log.filter(({ path }) => path.endsWith("/regenerateKey"));
  }

  /** The value that the store holds now. */
  stored(): string {
    return (JSON.parse(this.host.read("secrets.json")) as { openai: { apiKey: string } }).openai.apiKey;
  }

  /** Puts a value into the store, as somebody else would. */
  store(secret: string): void {
    this.host.write("secrets.json", JSON.stringify({ note: "not ours", openai: { apiKey: secret } }));
  }

  /** The key that the gateway uses at this moment. */
  held(): string | undefined {
    return this.gateway.secrets.active("models.providers.openai.apiKey");
  }

  /** Names of the kept versions beside the secret file. */
  kept(): readonly string[] {
    return readdirSync(this.host.directory).filter((name) => name.includes("secrets.json") && name !== "secrets.json");
  }

  /** Asks every promise of a host at rest. The daemon is ended for it. */
  async expectPromisesHold(): Promise<void> {
    const shown = await this.host.show("main");
    expect(shown.open, "I6: nothing is left open").toBeNull();
    expect(shown.openIntents, "I2: every intent is settled").toEqual([]);
    const slots = this.vendor.vendor.both();
    const serving = slots.find(({ secret }) => secret === this.stored());
    expect(serving?.id, "I3: the store holds what stands in a slot, and the ledger names it").toBe(shown.current?.vendorId);
    expect(this.held(), "I4: the consumer uses it").toBe(this.stored());
    const alive = shown.keys.filter(({ stage }) => stage !== "dead").map(({ vendorId }) => vendorId);
    expect(alive, "I3, I6: every other value that we caused or used is proven dead; what stands in the idle slot nobody has").toEqual([
      serving?.id,
    ]);
    expect(this.kept(), "dead secrets have left the keep").toHaveLength(1);

    await this.load?.stop();
    expect(this.load?.failures ?? [], "I1: nobody was refused").toEqual([]);
    expect(this.load?.served ?? 1, "I1: somebody was served").toBeGreaterThan(0);

    await this.host.end();
    const db = new Database(this.host.path("state/rotated.db"), { readonly: true });
    const dead = db.prepare("select vendor_id as id from keys where stage = 'dead'").all() as { id: string }[];
    const counts = db
      .prepare("select (select count(*) from intents) as intents, (select count(*) from calls where kind = 'create') as calls")
      .get();
    db.close();
    for (const { id } of dead)
      expect(this.vendor.vendor.every().find((value) => value.id === id)?.goneAt, `I8: ${id} is dead`).not.toBeNull();
    const { intents, calls } = counts as { intents: number; calls: number };
    expect(intents, "I2: one intent a call").toBe(calls);
    expect(this.written().includes("canary"), "I9: no secret in log or ledger").toBe(false);
  }

  /** Everything that the daemon wrote, but the store. */
  written(): string {
    const state = readdirSync(this.host.path("state")).filter((name) => !name.startsWith("openclaw-"));
    return [this.host.log, ...state.map((name) => readFileSync(this.host.path(`state/${name}`), "latin1"))].join("\n");
  }

  async stop(): Promise<void> {
    await this.load?.stop();
    await this.host.remove();
    await this.gateway.close();
    await this.vendor.close();
  }
}

/** Does `work` with a host of its own, which is gone afterwards. */
export async function withSlots(options: SlotHostOptions, work: (host: SlotHost) => Promise<void>): Promise<void> {
  const host = await SlotHost.start(options);
  try {
    await work(host);
  } finally {
    await host.stop();
  }
}
