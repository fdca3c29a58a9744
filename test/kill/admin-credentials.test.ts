import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { openClient } from "../../src/cli/client.ts";
import { AppRoleHost, adminKeyOf, openAiAdminHost } from "../support/admin-credentials.ts";
import type { Host } from "../support/host.ts";

const PRELOAD = fileURLToPath(new URL("kill-when.mjs", import.meta.url));
/** Short enough that waiting for an open call takes no time, long enough for two busy cores. */
const TIMING = { callTimeout: "1s", verify: { times: 3, over: "10ms", deadline: "1s" } };

const called = (kind: "promote" | "revoke", answered: boolean) =>
  `select 1 from calls where kind = '${kind}' and answered_at is ${answered ? "not null" : "null"}`;
const at = (step: string) => `select 1 from rotations where outcome is null and step = '${step}'`;

/** Where an admin credential differs from others: from when our own calls go by the new value, up to the end of the old one. */
const POINTS = {
  "promote announced, and not done": { KILL_WHEN: called("promote", false), KILL_SIDE: "after" },
  "promote done, and not known": { KILL_WHEN: called("promote", true), KILL_SIDE: "before" },
  "loaded, and not validated": { KILL_WHEN: at("validate"), KILL_SIDE: "after" },
  "validated, and not known": { KILL_WHEN: at("drain"), KILL_SIDE: "before" },
  "revoke announced, and not done": { KILL_WHEN: called("revoke", false), KILL_SIDE: "after" },
  "revoke done, and not known": { KILL_WHEN: called("revoke", true), KILL_SIDE: "before" },
} as const satisfies Record<string, Readonly<Record<string, string>>>;
const POINT_NAMES = Object.keys(POINTS) as (keyof typeof POINTS)[];

/** Rotates, is killed at the point, starts again, and gives the rotation when it has ended. */
async function rotateThrough(host: Host, name: string, point: keyof typeof POINTS, prepare: () => Promise<void>) {
  await host.start({ env: POINTS[point], preload: [PRELOAD] });
  await prepare();
  const { daemon } = host;
  if (daemon === undefined) throw new Error("no daemon");
  const gone = once(daemon, "exit", { signal: AbortSignal.timeout(30_000) });
  const { rotations } = await openClient(host.socket).call("rotate", { name, now: true });
  const [, signal] = await gone;
  expect(signal, "it was killed at the point").toBe("SIGKILL");
  await host.start();
  const rotation = await host.settled(rotations[0]?.rotation.id ?? 0, 60_000);
  expect(rotation.outcome, `${rotation.lastError?.message}; ${rotation.stuck?.reason}\n${host.tail()}`).toBe("done");
  const shown = await host.show(name);
  expect(shown).toMatchObject({ open: null, openIntents: [], current: { vendorId: rotation.target } });
  expect(shown.keys.filter(({ stage }) => stage !== "current" && stage !== "dead")).toEqual([]);
  return rotation;
}

describe("an OpenAI admin key: SIGKILL of the daemon", { timeout: 90_000 }, () => {
  test.each(POINT_NAMES)("%s", async (point) => {
    const inner = await openAiAdminHost({ timing: TIMING });
    try {
      const { host, vendor } = inner;
      const rotation = await rotateThrough(host, "admin", point, async () => {
        await host.client.call("pair", { consumer: "gateway" });
        for (const name of ["admin", "main"]) await host.client.call("adopt", { name });
      });
      expect(vendor.vendor.admins.listed().map(({ id }) => id)).toEqual([rotation.target, vendor.reader.id]);
      expect(adminKeyOf(inner)).toBe(vendor.vendor.admins.byId(rotation.target ?? "").secret);
      const last = await host.settled((await host.rotate("main")).id);
      expect(last.outcome, "the other credential goes on with the new one").toBe("done");
      await host.end();
      expect(inner.written()).not.toContain("canary");
    } finally {
      await inner.stop();
    }
  });
});

describe("the secret-id of an AppRole: SIGKILL of the daemon", { timeout: 90_000 }, () => {
  test.each(POINT_NAMES)("%s", async (point) => {
    const own = await AppRoleHost.make(TIMING);
    try {
      const { host, bao } = own;
      // One that carries a label of ours, as all but the first do: its tokens are found also by a daemon that knows nothing of them.
      const label = "rotated-kill-label";
      const made = await bao.call("POST", "auth/approle/role/rotated/secret-id", { metadata: JSON.stringify({ label }) });
      const { secret_id: old, secret_id_accessor: oldId } = made.body.data;
      host.write("secret-id", old);
      const elsewhere = await own.logIn(old);
      const rotation = await rotateThrough(host, "vault-secret-id", point, async () => {
        await host.client.call("adopt", { name: "vault-secret-id" });
      });
      expect(await own.logIn(old)).toBeUndefined();
      expect(await own.secretIds()).not.toContain(oldId);
      expect(await own.tokenLabels(), "no token of the old one is left, not even of the daemon that was killed").not.toContain(label);
      expect(await own.opens(elsewhere)).toBe(false);
      expect(await own.opens(await own.logIn(host.read("secret-id").trim()))).toBe(true);
      expect(await own.secretIds()).toContain(rotation.target);
    } finally {
      await own.stop();
    }
  });

  test("between the end of a secret-id and that of its tokens", async () => {
    const own = await AppRoleHost.make(TIMING);
    try {
      const { host, proxy } = own;
      await host.start();
      await host.client.call("adopt", { name: "vault-secret-id" });
      await host.settled((await host.rotate("vault-secret-id")).id);
      const old = host.read("secret-id").trim();
      const elsewhere = await own.logIn(old);
      proxy.log.length = 0;
      proxy.faults.add({ method: "GET", path: "/auth/token/accessors$", times: 1, fault: { do: "hang" } });
      const { id } = await host.rotate("vault-secret-id");
      await expect.poll(() => proxy.log.some((line) => line.includes("/auth/token/accessors")), { timeout: 20_000 }).toBe(true);
      await host.end("SIGKILL");
      expect([await own.logIn(old), await own.opens(elsewhere)], "as it was when the daemon died").toEqual([undefined, true]);
      await host.start();
      expect((await host.settled(id, 60_000)).outcome).toBe("done");
      expect(await own.opens(elsewhere)).toBe(false);
    } finally {
      await own.stop();
    }
  });
});
