import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { vi } from "vitest";
import { PROVIDERS, type ProviderName } from "../../providers/index.ts";
import type { RotationView } from "../../src/api-views.ts";
import { openClient } from "../../src/cli/client.ts";
import type { Provider, ProviderDefinition } from "../../src/contract/provider.ts";
import type { FakeVendor } from "../fakes/index.ts";
import { Host, QUICK_TIMING } from "../support/host.ts";
import { type LineConsumer, startLineConsumer } from "../support/line-consumer.ts";
import { withReferences } from "../support/references.ts";
import { type TestWorld, testWorld } from "../support/world.ts";
import { type Asked, type Passage, type Phase, type Tell, throughPassages } from "./passage.ts";
import { PLUG_STORES, type PlugStore, type PlugStoreName } from "./plug-stores.ts";

/** Where the daemon is killed: at its n-th commit, or around the n-th request of the plug in question. */
export type PlugPoint =
  | { readonly at: "commit"; readonly when: "before" | "after"; readonly n: number }
  | { readonly at: "request"; readonly when: Phase; readonly n: number };

/** One request that was seen, and how many commits came before it. */
export interface SeenRequest {
  readonly what: string;
  readonly commits: number;
  /** Its head, and its body as far as it left with that: with what it is signed by. */
  readonly text: string;
}

export interface Setup {
  readonly provider: ProviderName;
  readonly vendor: FakeVendor;
  readonly store: PlugStoreName | ((host: Host) => Promise<PlugStore>);
  /** Whose requests count. */
  readonly watched: readonly ("provider" | "store")[];
  /** One of the vendor's variants; the first where it is left out. */
  readonly variant?: string;
  /** Other waits than a quick test's. */
  readonly timing?: object;
  /** How far behind the vendor is, other than a quick test would have it. */
  readonly lags?: { readonly listLag?: string; readonly revokeLag?: string };
}

const PRELOAD = fileURLToPath(new URL("kill-at-commit.mjs", import.meta.url));
const never = new AbortController().signal;
let runs = 0;

/** A daemon with one credential of one provider, in one store, whose consumer lives in this process. */
export class PlugHost {
  readonly host: Host;
  readonly requests: SeenRequest[] = [];
  /** Every value that the consumer held. */
  readonly held = new Set<string>();
  /** Live requests of the consumer that the vendor did not let through. */
  readonly refusals: number[] = [];
  served = 0;
  /** The answer that the daemon was to be killed at took longer than the daemon waits: it has not come. */
  missed = false;
  readonly #setup: Setup;
  readonly #definition: ProviderDefinition;
  readonly #close: (() => unknown)[] = [];
  readonly #key = crypto.randomUUID();
  #world: TestWorld | undefined;
  #provider: Provider | undefined;
  #store: PlugStore | undefined;
  #first: { readonly id: string; readonly secret: string } | undefined;
  #consumer: LineConsumer | undefined;
  /** Which request each was, counted from 1. */
  readonly #numbers = new WeakMap<Asked, number>();
  /** What was left at the vendor when it was looked at. */
  #left: readonly string[] = [];
  #armed = false;
  #point: PlugPoint | undefined;
  #stopLoad = false;

  static async make(setup: Setup): Promise<PlugHost> {
    return new PlugHost(setup, await PROVIDERS[setup.provider]());
  }

  private constructor(setup: Setup, definition: ProviderDefinition) {
    this.#setup = setup;
    this.#definition = definition;
    this.host = new Host(() => ({ config: {}, credentials: setup.vendor.secrets, preload: [PRELOAD] }));
  }

  /** Everything is there, and the daemon runs; it will be killed at `point`. */
  async open(point: PlugPoint | undefined): Promise<void> {
    this.#point = point;
    const { vendor, store, watched, timing } = this.#setup;
    const variant = vendor.variants[this.#setup.variant ?? Object.keys(vendor.variants)[0] ?? ""];
    this.#world = await testWorld({ secrets: vendor.secrets });
    this.#provider = this.#definition.connect(this.#definition.settings.parse(variant), this.#world);
    const kept: PlugStore = await (typeof store === "string" ? PLUG_STORES[store] : store)(this.host);
    this.#store = kept;
    this.#close.push(
      () => this.#world?.close(),
      () => kept.close(),
    );
    this.#first = await this.#makeFirst();
    await kept.begin(this.#first.secret);
    const consumer = await this.#startConsumer(kept);

    const [providers, stores] = await Promise.all([
      this.#watch(
        watched.includes("provider"),
        withReferences(variant ?? {}, (name) => Host.credential(this.host, name)),
      ),
      this.#watch(watched.includes("store"), kept.settings),
    ]);
    const lastUsed = this.#definition.lastUsed === undefined ? {} : { lastUsedLag: "40ms", lastUsedPrecision: "1ms" };
    const revokeLag = this.#definition.revokeLagMs === undefined ? {} : { revokeLag: "40ms" };
    this.host.configure({
      providers: { vendor: { type: this.#setup.provider, listLag: "40ms", ...lastUsed, ...revokeLag, ...this.#setup.lags, ...providers } },
      stores: { kept: stores },
      consumers: { program: { type: "command", reload: consumer.reload, validate: consumer.validate } },
      credentials: {
        main: { provider: "vendor", store: { use: "kept", ...kept.place }, consumers: [{ use: "program" }], every: "30d" },
      },
      timing: { ...QUICK_TIMING, callTimeout: "1s", confirm: { times: 3, apart: "5ms", limit: "20s" }, ...timing },
    });
    const at = point?.at === "commit" ? { KILL_AT: `${point.when}:${point.n}` } : {};
    await this.host.start({ env: { ...this.#env, KILL_COUNT: this.#countFile, ...at } });
    const adopt = { name: "main", keyId: this.#first.id };
    // A server that many runs share breaks off now and then.
    await vi.waitFor(() => this.host.client.call("adopt", adopt), { timeout: 20_000, interval: 200 });
  }

  get #env() {
    return { LOG_LEVEL: "info", ...this.#store?.env };
  }

  get #countFile(): string {
    return this.host.path("commits");
  }

  get commits(): number {
    return readFileSync(this.#countFile, "utf8").length;
  }

  async #makeFirst(): Promise<{ readonly id: string; readonly secret: string }> {
    const secret = this.#definition.makeSecret?.(this.#world?.random ?? (() => new Uint8Array()));
    const made = await this.#provider?.create?.({ label: `kill-first-${++runs}`, ...(secret && { secret }) }, never);
    if (made === undefined) throw new Error(`${this.#setup.provider} creates no keys`);
    return { id: made.id, secret: made.secret.reveal() };
  }

  async #watch(counts: boolean, settings: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>>> {
    if (!counts) return settings;
    const { settings: led, passages } = await throughPassages(settings, (...seen) => this.#tell(...seen));
    this.#close.push(...passages.map((passage: Passage) => () => passage.close()));
    return led as Readonly<Record<string, unknown>>;
  }

  /** Counts a request, and kills the daemon at the point; `false` when the request or its answer goes no further. */
  #tell(asked: Asked, phase: Parameters<Tell>[1]): boolean {
    if (!this.#armed) return true;
    if (phase === "before") this.#numbers.set(asked, this.requests.push({ ...asked, commits: this.commits }));
    const { at, when, n } = this.#point ?? {};
    if (at !== "request" || n !== this.#numbers.get(asked)) return true;
    if (phase === "givenUp") this.missed = when === "handled";
    if (phase !== when) return true;
    this.#armed = false;
    this.host.daemon?.kill("SIGKILL");
    return false;
  }

  /** The consumer: holds one value, reads the store at a reload, and shows by an HMAC what it holds. */
  async #startConsumer(store: PlugStore): Promise<LineConsumer> {
    const consumer = await startLineConsumer({
      read: async () => {
        const value = (await store.current()) ?? "";
        this.held.add(value);
        return value;
      },
      use: async (key) => (await this.#setup.vendor.use(key)) === 200,
    });
    this.#consumer = consumer;
    this.#close.push(() => consumer.stop());
    return consumer;
  }

  /** Uses the key all the time, as the consumer's users do. */
  async load(): Promise<void> {
    for (; !this.#stopLoad; await sleep(100)) {
      const status = await this.#setup.vendor.use(this.#consumer?.held ?? "");
      this.served += 1;
      // A vendor that breaks under many runs at once refuses nobody.
      if (status !== 200 && status < 500) this.refusals.push(status);
    }
  }

  /** From here on, points count. */
  arm(): void {
    writeFileSync(this.#countFile, "");
    this.#armed = true;
  }

  /** Said as often as a person would who got no answer: with the same key it counts once. */
  async rotate(): Promise<void> {
    await openClient(this.host.socket, this.#key).call("rotate", { name: "main", now: true });
  }

  async killedOrOver(ms = 60_000): Promise<"killed" | "over"> {
    for (const until = Date.now() + ms; ; await sleep(40)) {
      if (!this.host.alive) return "killed";
      if (Date.now() > until) throw new Error(`neither killed nor over:\n${this.host.tail()}`);
      const shown = await this.host.show("main").catch(() => undefined);
      if (shown?.open === null && shown.last !== null) return "over";
    }
  }

  async relaunch(): Promise<void> {
    this.#armed = false;
    rmSync(this.#countFile, { force: true });
    await this.host.start({ env: this.#env });
  }

  /** However often it is told on its way that a person is needed. */
  async ended(ms = 60_000): Promise<RotationView> {
    for (const until = Date.now() + ms; ; await sleep(40)) {
      const { open, last } = await this.host.show("main");
      const id = open?.id ?? last?.rotation;
      if (id === undefined) throw new Error("no rotation was ever started");
      const { rotation } = await this.host.client.call("watch", { id, after: 0, waitMs: 0 });
      if (rotation.outcome !== null) return rotation;
      if (Date.now() > until) throw new Error(`did not end: ${JSON.stringify(rotation)}\n${this.host.tail()}`);
    }
  }

  /** What stands at the vendor, in the store and at the consumer, and what the ledger says of it. */
  async look() {
    // Others' runs make and delete keys while pages are read.
    const listed = await vi.waitFor(async () => (await this.#provider?.list(never)) ?? [], { timeout: 20_000 });
    const shown = await this.host.show("main");
    const { events } = await this.host.client.call("history", { name: "main", limit: 1000 });
    this.#stopLoad = true;
    const labels = shown.keys.map(({ label }) => /^rotated-[a-z2-7]+-/.exec(label)?.[0]).filter((prefix) => prefix !== undefined);
    // Others' keys stand beside ours where one vendor serves several runs; without labels each run has a vendor of its own.
    const ours = listed.filter(
      ({ id, label }) =>
        this.#definition.unlabelled !== undefined || id === this.#first?.id || labels.some((prefix) => label.startsWith(prefix)),
    );
    this.#left = ours.map(({ id }) => id);
    const current = (await this.#store?.current()) ?? "";
    await this.#store?.expectTidy?.();
    const before = this.#first?.secret ?? "";
    return {
      shown,
      events,
      ours: ours.map(({ id }) => id),
      first: this.#first?.id,
      storeWorks: (await this.#setup.vendor.use(current)) === 200,
      consumerHoldsIt: this.#consumer?.held === current,
      oldWorks: (await this.#setup.vendor.use(before)) === 200,
      leaked: [current, before].some((secret) => this.host.log.includes(secret)),
    };
  }

  async close(): Promise<void> {
    this.#stopLoad = true;
    await this.host.remove();
    // A vendor that many runs share would list more and more.
    for (const id of this.#left) await this.#provider?.revoke?.(id, never).catch(() => undefined);
    for (const close of this.#close) await close();
  }
}
