import type { Database } from "better-sqlite3";
import { expect, vi } from "vitest";
import type { RotationView } from "../../src/api-views.ts";
import type { RotationHost } from "../support/rotation-host.ts";

interface Row {
  readonly [column: string]: string | number | null;
}

/** A call without an answer is open until its time is over. */
function revokesWhileOpen(db: Database): readonly unknown[] {
  return db
    .prepare(
      `select later.* from calls later join calls open on open.credential = later.credential and open.id < later.id
       where later.kind in ('revoke', 'disable') and later.announced_at < min(open.open_until, coalesce(open.answered_at, open.open_until))`,
    )
    .all();
}

function revokesUnproven(db: Database): readonly unknown[] {
  return db
    .prepare(
      `select calls.* from calls join keys on keys.id = calls.key where calls.kind = 'revoke' and keys.promoted_at is not null and not exists
       (select 1 from events where events.rotation = calls.rotation and code = 'consumerProven' and events.at <= calls.announced_at)`,
    )
    .all();
}

/**
 * The promises of ARCHITECTURE.md, asked of a host at rest: everything that can be seen at the vendor, in the store, at the
 * consumer and in the ledger must fit together. The daemon is ended for it. `started`: how many rotations were asked for.
 */
export async function expectPromisesHold(
  inner: RotationHost,
  rotation: RotationView,
  serves: "adopted" | "made",
  { started = 1 }: { started?: number } = {},
): Promise<void> {
  const { vendor } = inner;
  const shown = await inner.host.show("main");
  expect(shown.open, "I6: nothing is left open").toBeNull();
  expect(shown.openIntents, "I2: every intent is settled").toEqual([]);

  const live = inner.liveKeys();
  expect(
    live.map(({ id }) => id),
    "I3: one live key, and the ledger names it",
  ).toEqual([shown.current?.vendorId]);
  const [serving] = live;
  expect(serving?.id === vendor.key.id, `I3: the ${serves} key serves`).toBe(serves === "adopted");
  expect(inner.stored(), "I8: the store holds the key that serves").toBe(serving?.secret);
  expect(inner.held(), "I4: the consumer uses it").toBe(serving?.secret);
  if (inner.stranger !== undefined)
    expect(inner.stranger, "I7: a key that is not ours is left alone").toMatchObject({ deletedAt: null, name: "rotated-old-one" });
  expect(
    shown.keys.filter(({ stage }) => stage !== "current" && stage !== "dead"),
    "I6: every other key is proven dead",
  ).toEqual([]);
  // A try of the store that a cancel found under way ends by itself, and takes its file along.
  await vi.waitFor(() => expect(inner.kept(), "dead secrets have left the keep").toHaveLength(1), { timeout: 10_000 });

  await inner.load?.stop();
  expect(inner.load?.failures ?? [], "I1: nobody was refused").toEqual([]);
  expect(inner.load?.served ?? 1, "I1: somebody was served").toBeGreaterThan(0);

  const rotations = (await inner.host.client.call("history", { name: "main", limit: 1000 })).events.filter(
    ({ code }) => code === "started",
  );
  expect(rotations, "I10: one trigger, one rotation").toHaveLength(started);
  expect(rotation.endedAt).not.toBeNull();

  await inner.host.end();
  inner.ledger((db) => {
    const intents = db.prepare("select * from intents").all() as Row[];
    for (const key of vendor.vendor.everyKey()) {
      if (key.id === vendor.key.id || key === inner.stranger) continue;
      expect(
        intents.map(({ label }) => label),
        "I2: every key that we caused has its intent",
      ).toContain(key.name);
    }
    for (const key of db.prepare("select * from keys where stage = 'dead'").all() as Row[]) {
      const dead = vendor.vendor.everyKey().find(({ id }) => id === key["vendor_id"]);
      expect(dead?.deletedAt, "I8: what the ledger calls dead is dead").not.toBeNull();
    }
    expect(revokesWhileOpen(db), "I5: nothing is revoked while a call has no answer").toEqual([]);
    expect(revokesUnproven(db), "I4: nothing that served is revoked before its successor was seen in use").toEqual([]);
    const created = db.prepare("select count(*) as n from calls where kind = 'create'").get() as Row;
    expect(intents, "I2: one intent a call").toHaveLength(Number(created["n"]));
  });
  for (const { secret } of vendor.vendor.everyKey()) expect(inner.written().includes(secret), "I9: no secret in log or ledger").toBe(false);
  expect(inner.written().includes("canary"), "I9: no part of a secret either").toBe(false);
}
