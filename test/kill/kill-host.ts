import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openClient } from "../../src/cli/client.ts";
import type { Step } from "../../src/model.ts";
import { RotationHost } from "../support/rotation-host.ts";

/** Where the daemon is killed: at its n-th commit, or around the n-th request that leaves it. */
export type Point =
  | { readonly at: "commit"; readonly when: "before" | "after"; readonly n: number }
  | { readonly at: "vendor" | "gateway"; readonly when: "before" | "handled"; readonly n: number };

export const nameOf = ({ at, when, n }: Point) => `${when} ${at} ${n}`;

const PRELOAD = fileURLToPath(new URL("kill-at-commit.mjs", import.meta.url));
/** Short enough that waiting for an open call does not make the matrix long, long enough for two busy cores. */
const TIMING = {
  callTimeout: "600ms",
  proveTimeout: "6s",
  verify: { times: 3, over: "10ms", deadline: "150ms" },
  confirm: { times: 3, apart: "5ms", limit: "20s" },
};

/** A host whose daemon can be killed at a point. The requests are counted by the fakes, the commits by a preload. */
export class KillHost {
  readonly inner: RotationHost;
  readonly counts = { vendor: 0, gateway: 0 };
  #armed = false;
  #point: Point | undefined;
  #key = crypto.randomUUID();

  static async start(): Promise<KillHost> {
    const inner = await RotationHost.make({ timing: TIMING, preload: [PRELOAD] });
    inner.addStranger();
    return new KillHost(inner);
  }

  private constructor(inner: RotationHost) {
    this.inner = inner;
    inner.vendor.onRequest = (seen, phase) => {
      // What the gateway asks of the vendor leaves the gateway, not the daemon.
      if (seen.path.endsWith("/chat/completions")) return;
      if (phase === "before") this.#count("vendor");
      if (phase !== "replied") this.#killAt("vendor", phase);
    };
    inner.gateway.onRequest = (name, phase) => {
      if (name.startsWith("POST ")) return;
      if (phase === "before") this.#count("gateway");
      this.#killAt("gateway", phase === "before" ? "before" : "handled");
    };
  }

  #count(what: "vendor" | "gateway"): void {
    if (this.#armed) this.counts[what] += 1;
  }

  #killAt(at: "vendor" | "gateway", when: "before" | "handled"): void {
    const point = this.#point;
    if (this.#armed && point?.at === at && point.when === when && this.counts[at] === point.n) this.inner.host.daemon?.kill("SIGKILL");
  }

  get vendor() {
    return this.inner.vendor;
  }

  get commits(): number {
    return readFileSync(this.#countFile, "utf8").length;
  }

  get #countFile(): string {
    return this.inner.host.path("commits");
  }

  async launch(point: Point | undefined): Promise<void> {
    this.#point = point;
    const at = point?.at === "commit" ? { KILL_AT: `${point.when}:${point.n}` } : {};
    await this.inner.host.start({ env: { LOG_LEVEL: "info", KILL_COUNT: this.#countFile, ...at } });
    await this.inner.host.client.call("pair", { consumer: "gateway" });
    await this.inner.host.client.call("adopt", { name: "main" });
  }

  /** From here on, points count. */
  arm(): void {
    this.#armed = true;
    writeFileSync(this.#countFile, "");
  }

  /** The daemon was killed at the point; from here on it lives. */
  async relaunch(): Promise<void> {
    this.#armed = false;
    rmSync(this.#countFile, { force: true });
    await this.inner.host.start({ env: { LOG_LEVEL: "info" } });
  }

  /** Waits until the daemon was killed, or until nothing is left to kill it at. */
  async killedOrOver(ms = 60_000): Promise<"killed" | "over"> {
    for (const until = Date.now() + ms; ; await sleep(40)) {
      if (!this.inner.host.alive) return "killed";
      if (Date.now() > until) throw new Error(`neither killed nor over:\n${this.inner.host.tail()}`);
      const open = await this.inner.host.show("main").then(
        (shown) => shown.open,
        () => undefined,
      );
      if (open === null) return "over";
    }
  }

  /** Says it as often as a person would who got no answer; with the same key it counts once. */
  async say(what: "rotate" | "cancel", { overlap = false }: { overlap?: boolean } = {}): Promise<void> {
    const client = openClient(this.inner.host.socket, this.#key);
    await (what === "rotate" ? client.call("rotate", { name: "main", now: !overlap }) : client.call("cancel", { name: "main" }));
  }

  reaches(step: Step) {
    return this.inner.reaches(step);
  }

  async stop(): Promise<void> {
    await this.inner.stop();
  }
}
