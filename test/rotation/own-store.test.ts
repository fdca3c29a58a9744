import { describe, expect, test } from "vitest";
import { openClient } from "../../src/cli/client.ts";
import { RpcRefusal } from "../fakes/gateway/handshake.ts";
import { expectPromisesHold } from "../kill/invariants.ts";
import { ended, events, KEEP, SHORT_CALLS, stuck, until, view, withHost } from "./scenario.ts";

const ENTRY = "OPENAI_API_KEY";
const OWN_STORE = { ownStore: true, timing: SHORT_CALLS } as const;
type Host = Parameters<Parameters<typeof withHost>[1]>[0];

const atRest = (host: Host) => host.gateway.store.get(ENTRY)?.value;
const cancel = (host: Host) => openClient(host.host.socket).call("cancel", { name: "main" });

describe.concurrent("a key in OpenClaw's own store, as the mirror of a file", () => {
  test("is written after the file, is in use from then on, and no request fails", { timeout: 120_000 }, () =>
    withHost(OWN_STORE, async (host) => {
      host.startLoad();
      let atWrite: { stored: string; held: string | undefined } | undefined;
      host.gateway.onRequest = (name, phase) => {
        if (name === "secrets.store.set" && phase === "before") atWrite = { stored: host.stored(), held: host.held() };
      };
      const old = host.vendor.key.secret;
      const { id } = await host.rotate();
      const rotation = await ended(host, id);
      expect(rotation.outcome).toBe("done");
      expect(atWrite, "the file first, and the gateway with it only then").toEqual({ stored: host.stored(), held: old });
      expect(atRest(host)).toBe(host.stored());
      await expectPromisesHold(host, rotation, "made");
    }),
  );

  test("an empty one is filled by the first key", { timeout: 120_000 }, () =>
    withHost({ ...OWN_STORE, empty: true }, async (host) => {
      host.vendor.vendor.deleteKey(host.vendor.key.id);
      const { id } = await host.rotate();
      const rotation = await ended(host, id);
      expect(rotation).toMatchObject({ outcome: "done", plan: "initial" });
      await expectPromisesHold(host, rotation, "made");
    }),
  );

  test("promote waits for a gateway that does not take the write; nothing is undone", { timeout: 120_000 }, () =>
    withHost(OWN_STORE, async (host) => {
      host.startLoad();
      host.gateway.knobs.failing.set("secrets.store.set", new RpcRefusal("UNAVAILABLE", "try again", { retryable: true }));
      const old = host.vendor.key.secret;
      const { id } = await host.rotate();
      await until(
        host,
        "the write was tried",
        async () => (await view(host, id)).lastError?.message.includes("secrets.store.set") === true,
      );
      expect(await view(host, id)).toMatchObject({ step: "promote", outcome: null });
      expect([host.stored() === old, host.held() === old]).toEqual([false, true]);
      host.gateway.knobs.failing.clear();
      const rotation = await ended(host, id);
      expect(rotation.outcome).toBe("done");
      await expectPromisesHold(host, rotation, "made");
    }),
  );

  test("is written again on the way back", { timeout: 120_000 }, () =>
    withHost(OWN_STORE, async (host) => {
      host.startLoad();
      const old = host.vendor.key.secret;
      const release = KEEP.drain(host);
      const { id } = await host.rotate();
      await host.reaches("drain");
      expect(host.held()).not.toBe(old);
      await release();
      await cancel(host);
      const rotation = await ended(host, id);
      expect(rotation.outcome).toBe("cancelled");
      expect([atRest(host), host.held(), host.stored()]).toEqual([old, old, old]);
      await expectPromisesHold(host, rotation, "adopted");
    }),
  );

  test("somebody else's value in it is not overwritten", { timeout: 120_000 }, () =>
    withHost(OWN_STORE, async (host) => {
      host.gateway.store.set(ENTRY, "sk-canary-somebody-elses", "secret", "cli");
      await host.gateway.secrets.reload();
      const { id } = await host.rotate();
      expect(await ended(host, id)).toMatchObject({ outcome: "failed", lastError: { code: "foreign" } });
      expect(atRest(host)).toBe("sk-canary-somebody-elses");
    }),
  );

  test("an entry that nothing refers to is a failure that is told, not a success", { timeout: 120_000 }, () =>
    withHost(
      {
        ...OWN_STORE,
        credential: { mirrors: [{ use: "own", path: "ANOTHER_NAME" }] },
      },
      async (host) => {
        host.gateway.store.set("ANOTHER_NAME", host.vendor.key.secret, "secret", "cli");
        const { id } = await host.rotate();
        expect((await stuck(host, id)).reason).toContain("no reference names this entry");
        expect((await events(host, "keyRevoked")).length).toBe(0);
        expect(host.held()).toBe(host.vendor.key.secret);
      },
    ),
  );
});
