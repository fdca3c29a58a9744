/**
 * One credential, the fakes and the real daemon, with a small file system at `SMALL` for one part of it: run in a mount
 * namespace of its own by disk.test.ts, which reads what this prints as JSON.
 *
 * The first argument says which part lies there: `state`, `store` or `read-only` (the store, again).
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { rotatectl } from "../support/rotatectl.ts";
import { RotationHost } from "../support/rotation-host.ts";
import { errors, refusedStart, waiting } from "./daemon.ts";

const what = process.argv[2];
const small = process.env["SMALL"] ?? "";
const inner = await RotationHost.make();
const { host } = inner;
const ctl = (...args: string[]) => rotatectl(host.socket, ...args);
const seen: Record<string, unknown> = {};

// The other part lies elsewhere: TMPDIR, and with it the host, is on the small file system, or the state directory alone.
const elsewhere = mkdtempSync(join(what === "state" ? small : "/dev/shm", "rotated-state-"));
symlinkSync(elsewhere, host.path("state"));

const filler = join(small, "filler");
function fill(): void {
  for (const size of [65_536, 4096, 1]) {
    try {
      for (;;) writeFileSync(filler, Buffer.alloc(size), { flag: "a" });
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
    }
  }
}
const free = () => rmSync(filler, { force: true });
const mount = (mode: "ro" | "rw") => execFileSync("mount", ["-o", `remount,${mode}`, small]);

try {
  await host.start();
  await host.client.call("pair", { consumer: "gateway" });
  await host.client.call("adopt", { name: "main" });

  if (what === "state") {
    fill();
    seen["rotate"] = await ctl("rotate", "main");
    seen["pause"] = await ctl("pause", "main");
    seen["status"] = (await ctl("status")).code;
    await host.end();
    // There is nothing to write at a start, but at the very first one.
    const config = host.read("rotated.yaml");
    host.write("rotated.yaml", config.replace(`stateDirectory: ${host.path("state")}`, `stateDirectory: ${join(small, "fresh")}`));
    seen["first"] = await refusedStart(host);
    host.write("rotated.yaml", config);
    await host.start();
    seen["again"] = await ctl("rotate", "main");
    free();
    // And in the middle: the answer to the create call cannot be written down.
    inner.vendor.onRequest = ({ method }, phase) => {
      if (method === "POST" && phase === "handled" && seen["full"] === undefined) {
        fill();
        seen["full"] = true;
      }
    };
    await inner.rotate();
    for (let tries = 0; tries < 100 && !errors(host).some(({ msg }) => msg === "cannot write the ledger"); tries += 1)
      await new Promise((resolve) => setTimeout(resolve, 50));
    seen["said"] = errors(host).find(({ msg }) => msg === "cannot write the ledger");
    free();
  } else {
    if (what === "store") fill();
    else mount("ro");
    seen["check"] = await ctl("check", "--online");
    if (what === "store") {
      await inner.rotate();
      seen["waits"] = (await waiting(host, /./)).lastError;
      free();
    } else {
      seen["rotate"] = await ctl("rotate", "main", "--now", "--wait");
      mount("rw");
      await inner.rotate();
    }
  }
  const { last, open } = await host.show("main");
  const rotation = await host.settled(open?.id ?? last?.rotation ?? 1, 30_000);
  const { events } = await host.client.call("history", { name: "main", limit: 1000 });
  const live = inner.liveKeys();
  seen["outcome"] = rotation.outcome;
  seen["error"] = rotation.lastError;
  seen["created"] = inner.vendor.vendor.everyKey().length - 1;
  seen["intents"] = events.filter(({ code }) => code === "intentMade").length;
  seen["serves"] = live.length === 1 && live[0]?.secret === inner.stored() && inner.held() === inner.stored();
  seen["dead"] = inner.vendor.key.deletedAt !== null;
  seen["leaked"] = host.log.includes("canary");
} catch (error) {
  seen["failed"] = `${String(error)}\n${host.tail()}`;
} finally {
  if (what === "read-only") mount("rw");
  await inner.stop();
  rmSync(elsewhere, { recursive: true, force: true });
  console.log(JSON.stringify(seen));
}
