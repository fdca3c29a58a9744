import { describe, expect, it } from "vitest";
import { openclaw } from "../../adapters/consumers/openclaw/index.ts";
import { openclawSecrets } from "../../adapters/stores/openclaw-secrets.ts";
import { RpcRefusal } from "../fakes/gateway/handshake.ts";
import { fresh, old, type Scene, scene, signal, thrown } from "./openclaw-world.ts";

// What only this mirror does; the contract suite asks the rest, on a real gateway, too.

const ENTRY = "OPENAI_API_KEY";

/** A gateway whose key is `old`, in its own store, and a mirror of that entry. */
async function stage(place: object = {}, change?: Parameters<typeof scene>[0]) {
  const made = await scene({
    change: ({ models }) => {
      const { openai } = models.providers;
      if (openai !== undefined) openai.apiKey = { source: "store", provider: "default", id: ENTRY };
    },
    ...change,
  });
  made.gateway.store.set(ENTRY, old.reveal(), "secret", "cli");
  await made.gateway.secrets.reload();
  return { ...made, mirror: mirrorOf(made, place) };
}

function mirrorOf({ gateway, world }: Scene, place: object) {
  const settings = openclaw.settings.parse({ url: gateway.url });
  const consumer = { name: "gateway", settings, use: { provider: "openai" } };
  const [store, cell] = [openclawSecrets.settings.parse({ consumer: "gateway" }), openclawSecrets.place.parse({ path: ENTRY, ...place })];
  return openclawSecrets.mirror(store, cell, { credential: "prod", consumer }, world);
}

describe("OpenClaw's own store as a mirror", () => {
  it("keeps an entry as one that agents cannot read, and lets go of none of its own", async () => {
    const { gateway, mirror } = await stage();
    await mirror.write(fresh, old, signal);
    expect(gateway.store.get(ENTRY)).toMatchObject({ kind: "secret", value: fresh.reveal() });
    expect(gateway.secrets.active("models.providers.openai.apiKey")).toBe(fresh.reveal());
  });

  it("refuses an entry that agents can read", async () => {
    const { gateway, mirror } = await stage();
    gateway.store.set(ENTRY, old.reveal(), "env", "cli");
    expect(await thrown(mirror.preflight(signal))).toMatchObject({
      code: "misconfigured",
      message: expect.stringContaining("agents can read"),
      hint: expect.stringContaining("--kind secret"),
    });
  });

  it("refuses a reference that leads elsewhere, and one to another entry", async () => {
    const inFile = await scene();
    expect(await thrown(mirrorOf(inFile, {}).preflight(signal))).toMatchObject({
      code: "misconfigured",
      message: expect.stringMatching(/models\.providers\.openai\.apiKey refers to the source "file"/),
      hint: expect.stringContaining(`"source": "store", "provider": "default", "id": "${ENTRY}"`),
    });
    const { mirror } = await stage({ path: "ANOTHER_NAME" });
    expect(await thrown(mirror.preflight(signal))).toMatchObject({
      code: "misconfigured",
      message: expect.stringContaining("another entry"),
    });
  });

  it("looks where it is told to, in the place of the credential's use of the consumer", async () => {
    const { mirror } = await stage({ reference: "models.providers.acme.apiKey" });
    expect(await thrown(mirror.preflight(signal))).toMatchObject({ message: expect.stringContaining("models.providers.acme.apiKey") });
  });

  it("calls a write that nothing refers to a failure, although it was saved", async () => {
    const made = await scene();
    made.gateway.store.set(ENTRY, "sk-canary-unused", "secret", "cli");
    const error = await thrown(mirrorOf(made, {}).write(fresh, old, signal));
    expect(error).toMatchObject({ code: "misconfigured", message: expect.stringContaining("no reference names this entry") });
    expect(made.gateway.store.get(ENTRY)?.value).toBe(fresh.reveal());
  });

  it("does not call it empty when the gateway could not load what is there", async () => {
    const { gateway, mirror } = await stage();
    gateway.store.remove(ENTRY);
    await gateway.secrets.reloadEntry(ENTRY);
    expect(await mirror.read(signal)).toBeUndefined();
    gateway.store.set(ENTRY, "sk-canary-unloaded", "secret", "cli");
    expect(await thrown(mirror.read(signal))).toMatchObject({ code: "unavailable" });
    expect(await thrown(mirror.write(fresh, undefined, signal))).toMatchObject({ code: "unavailable" });
  });

  it("leaves a call open that was saved and not taken up, and does it again", async () => {
    const { gateway, mirror, write } = await stage(
      {},
      {
        change: ({ models }) => {
          const { openai } = models.providers;
          if (openai === undefined) throw new Error("no provider");
          models.providers["beside"] = { ...openai };
          openai.apiKey = { source: "store", provider: "default", id: ENTRY };
        },
      },
    );
    // One value that is empty keeps the gateway from taking anything up.
    await write("");
    expect(await thrown(mirror.write(fresh, old, signal))).toMatchObject({ code: "unavailable", answered: false });
    expect([gateway.store.get(ENTRY)?.value, (await mirror.read(signal))?.reveal()]).toEqual([fresh.reveal(), old.reveal()]);
    await write(old);
    await mirror.write(fresh, old, signal);
    expect((await mirror.read(signal))?.equals(fresh)).toBe(true);
  });

  it("waits as long as the gateway says when it writes too often", async () => {
    const { mirror } = await stage();
    for (let n = 0; n < 15; n++) {
      await mirror.write(fresh, old, signal);
      await mirror.write(old, fresh, signal);
    }
    const error = await thrown(mirror.write(fresh, old, signal));
    expect(error).toMatchObject({ code: "rateLimited", answered: true });
    expect((error as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(30_000);
  });

  it("says what to do when rotated is not paired, and is an outage when the gateway is down", async () => {
    const unpaired = await scene({ paired: false });
    expect(await thrown(mirrorOf(unpaired, {}).read(signal))).toMatchObject({ code: "misconfigured", hint: "rotatectl pair gateway" });
    const { gateway, mirror } = await stage();
    gateway.knobs.failing.set("secrets.store.set", new RpcRefusal("UNAVAILABLE", "secrets.store.set failed"));
    expect(await thrown(mirror.write(fresh, old, signal))).toMatchObject({ code: "unavailable" });
    await gateway.down();
    for (const call of [() => mirror.preflight(signal), () => mirror.read(signal), () => mirror.write(fresh, old, signal)]) {
      expect(await thrown(call())).toMatchObject({ code: "unreachable", retry: true });
    }
  });
});
