import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import Database from "better-sqlite3";
import type { RotationView } from "../../src/api-views.ts";
import { openClient } from "../../src/cli/client.ts";
import type { Step } from "../../src/model.ts";
import type { OpenClawFile } from "../fakes/gateway/config.ts";
import { makeStore } from "../fakes/gateway/store.ts";
import { type FakeGateway, startFakeGateway } from "../fakes/gateway.ts";
import type { FakeKey } from "../fakes/openai/vendor.ts";
import { type FakeOpenAi, startFakeOpenAi } from "../fakes/openai.ts";
import { Host, QUICK_TIMING } from "./host.ts";
import { type Load, startLoad } from "./load.ts";
import { GATEWAY_TOKEN, openclawJson } from "./openclaw.ts";

export interface RotationHostOptions {
  readonly timing?: object;
  readonly credential?: object;
  readonly provider?: object;
  readonly agents?: readonly string[];
  readonly preload?: readonly string[];
  /** The fake gateway has these in its environment. */
  readonly gatewayEnv?: Readonly<Record<string, string>>;
  readonly pinned?: boolean;
  /** An empty store, for the first key. */
  readonly empty?: boolean;
  /** What else stands in the secret file. */
  readonly beside?: Readonly<Record<string, unknown>>;
  /** Changes the gateway's openclaw.json before it starts. */
  readonly openclaw?: (file: OpenClawFile) => OpenClawFile;
  /** The gateway has its key from its own store, which is the mirror `own` of the file. */
  readonly ownStore?: boolean;
}

const OWN_ENTRY = "OPENAI_API_KEY";

/** One credential `main` of the OpenAI fake, in a JSON file, used by the strict fake gateway; the daemon is the real one. */
export class RotationHost {
  readonly host: Host;
  readonly vendor: FakeOpenAi;
  readonly gateway: FakeGateway;
  load: Load | undefined;
  stranger: FakeKey | undefined;

  static async start(options: RotationHostOptions = {}): Promise<RotationHost> {
    const made = await RotationHost.make(options);
    try {
      await made.host.start();
      await made.host.client.call("pair", { consumer: "gateway" });
      if (options.empty !== true) await made.host.client.call("adopt", { name: "main" });
      return made;
    } catch (error) {
      // A daemon that was started and is not waited for would outlive the test.
      await made.stop();
      throw error;
    }
  }

  /** Everything but the daemon runs. */
  static async make(options: RotationHostOptions = {}): Promise<RotationHost> {
    const vendor = await startFakeOpenAi();
    let url = "";
    const host = new Host(() => ({
      credentials: { admin: vendor.admin.secret, gateway: GATEWAY_TOKEN },
      ...(options.preload === undefined ? {} : { preload: options.preload }),
      config: {},
    }));
    const { agents, pinned, openclaw = (file) => file } = options;
    // An empty text keeps the gateway from starting; a place that is not there leaves it without this one key.
    const key = options.empty === true ? {} : { openai: { apiKey: vendor.key.secret } };
    host.write("secrets.json", JSON.stringify({ note: "not ours", ...options.beside, ...key }));
    const store = makeStore(options.ownStore === true && options.empty !== true ? { [OWN_ENTRY]: vendor.key.secret } : {});
    const gateway = await startFakeGateway(
      openclaw(
        openclawJson({
          vendor: vendor.url,
          secretFile: host.path("secrets.json"),
          ...(agents === undefined ? {} : { agents }),
          ...(pinned === undefined ? {} : { pinned }),
          ...(options.ownStore === true ? { apiKey: { source: "store", provider: "default", id: OWN_ENTRY } } : {}),
        }),
      ),
      { cooldownMs: 2000, store, ...(options.gatewayEnv === undefined ? {} : { env: options.gatewayEnv }) },
    );
    url = gateway.url;
    const made = new RotationHost(host, vendor, gateway);
    host.configure(made.config(url, options));
    return made;
  }

  private constructor(host: Host, vendor: FakeOpenAi, gateway: FakeGateway) {
    this.host = host;
    this.vendor = vendor;
    this.gateway = gateway;
  }

  config(url: string, options: RotationHostOptions = {}) {
    const { host, vendor } = this;
    return {
      providers: {
        openai: {
          type: "openai",
          baseUrl: vendor.url,
          project: vendor.vendor.project,
          adminKey: Host.credential(host, "admin"),
          accounts: "shared",
          serviceAccount: vendor.account.id,
          listLag: "40ms",
          lastUsedLag: "40ms",
          lastUsedPrecision: "1ms",
          ...options.provider,
        },
      },
      stores: {
        local: { type: "file" },
        ...(options.ownStore === true ? { own: { type: "openclaw-secrets", consumer: "gateway" } } : {}),
      },
      consumers: { gateway: { type: "openclaw", url, token: Host.credential(host, "gateway"), admissionWindow: "50ms" } },
      credentials: {
        main: {
          provider: "openai",
          store: { use: "local", path: host.path("secrets.json"), field: "/openai/apiKey" },
          ...(options.ownStore === true ? { mirrors: [{ use: "own", path: OWN_ENTRY }] } : {}),
          consumers: [{ use: "gateway", provider: "openai" }],
          every: "30d",
          overlap: "1h",
          ...options.credential,
        },
      },
      timing: { ...QUICK_TIMING, ...options.timing },
    };
  }

  /** People who use the gateway all the time. */
  startLoad(options: { clients?: number; pauseMs?: number; agents?: readonly string[] } = {}): Load {
    this.load = startLoad({ http: this.gateway.http, token: GATEWAY_TOKEN, clients: 2, pauseMs: 20, ...options });
    return this.load;
  }

  /** Starts a rotation, with an overlap of an hour or without one. */
  async rotate({ overlap = false }: { overlap?: boolean } = {}): Promise<RotationView> {
    const { rotations } = await openClient(this.host.socket).call("rotate", { name: "main", now: !overlap });
    const [first] = rotations;
    if (first === undefined) throw new Error("no rotation was started");
    return first.rotation;
  }

  /** Waits until the open rotation of `main` is at a step. */
  async reaches(step: Step, ms = 60_000): Promise<RotationView> {
    for (const until = Date.now() + ms; ; await sleep(25)) {
      const { open, last } = await this.host.show("main");
      if (open?.step === step) return open;
      if (open === null || Date.now() > until) throw new Error(`never at ${step}: ${JSON.stringify(open ?? last)}\n${this.host.tail()}`);
    }
  }

  /** Every key that works at the vendor, but the one of somebody else. */
  liveKeys(): readonly FakeKey[] {
    return this.vendor.vendor.everyKey().filter((key) => key.deletedAt === null && key !== this.stranger);
  }

  /** Somebody else makes a key in the same account, called as one of ours might be. */
  addStranger(): void {
    this.stranger = this.vendor.vendor.addKey(this.vendor.account, "rotated-old-one");
  }

  /** Uses a key at the vendor, as somebody would whom nobody knows of. */
  async vendorAccepts(secret: string): Promise<boolean> {
    const body = JSON.stringify({ model: "fake-1", messages: [{ role: "user", content: "ping" }] });
    const headers = { authorization: `Bearer ${secret}`, "content-type": "application/json" };
    return (await fetch(`${this.vendor.url}/chat/completions`, { method: "POST", headers, body })).ok;
  }

  /** The value that the store holds now. */
  stored(): string {
    return (JSON.parse(this.host.read("secrets.json")) as { openai: { apiKey: string } }).openai.apiKey;
  }

  /** The key that the gateway uses at this moment. */
  held(): string | undefined {
    return this.gateway.secrets.active("models.providers.openai.apiKey");
  }

  /** Names of the kept versions beside the secret file. */
  kept(): readonly string[] {
    return readdirSync(this.host.directory).filter((name) => name.includes("secrets.json") && name !== "secrets.json");
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
