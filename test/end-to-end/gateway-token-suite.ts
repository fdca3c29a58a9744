import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RotationView } from "../../src/api-views.ts";
import type { Step } from "../../src/model.ts";
import { startChatVendor } from "../support/chat-vendor.ts";
import { freePort } from "../support/free-port.ts";
import type { Host } from "../support/host.ts";
import { GATEWAY_TOKEN, makeRealGateway, type RealGateway } from "../support/openclaw.ts";
import { adoptToken, makeTokenHost, rotateToken, TOKEN_ENTRY, tokenJson } from "../support/token-host.ts";

// As far apart as in real life: the gateway answers a wrong token later and later.
const TIMING = { callTimeout: "20s", proveTimeout: "110s", confirm: { times: 3, apart: "5s", limit: "2m" }, tellAfter: "60s" };

/** What must hold for the own token of a real OpenClaw gateway, wherever it is kept. Each place is a file of its own: both wait a lot. */
export function testGatewayToken(kept: "file" | "own store"): void {
  describe(`the own token of a real OpenClaw gateway, in its ${kept}`, { timeout: 240_000 }, () => {
    let host: Host;
    let gateway: RealGateway;
    let vendor: Awaited<ReturnType<typeof startChatVendor>>;

    beforeAll(async () => {
      vendor = await startChatVendor();
      vendor.accepted.add("sk-canary-plain");
      const port = await freePort();
      host = makeTokenHost({ kept, folder: "openclaw", url: `ws://127.0.0.1:${port}`, timing: TIMING });
      const file = tokenJson(kept, host.path("openclaw/token"), { vendor: vendor.url, port });
      gateway = await makeRealGateway(file, host.path("openclaw"));
      if (kept === "own store") await gateway.enter(TOKEN_ENTRY, GATEWAY_TOKEN);
      await gateway.start();
      await adoptToken(host);
    }, 240_000);
    afterAll(async () => {
      await host?.end();
      await gateway?.stop();
      await host?.remove();
      await vendor?.stop();
    }, 60_000);

    const token = () => host.read("openclaw/token");
    /** Status of a user's request with this token. */
    const chat = async (bearer: string) => {
      const response = await fetch(`${gateway.http}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" },
        body: JSON.stringify({ model: "openclaw", messages: [{ role: "user", content: "ping" }] }),
      });
      await response.text();
      return response.status;
    };

    async function expectReplaced(before: string, rotation: RotationView): Promise<void> {
      expect(rotation.outcome, `${JSON.stringify(rotation)}\n${host.tail()}`).toBe("done");
      expect(token()).not.toBe(before);
      expect(await chat(before)).toBe(401);
      expect(await chat(token())).toBe(200);
      const { keys, current } = await host.show("main");
      expect(current?.vendorId).toBe(rotation.target);
      expect(keys.filter(({ stage }) => stage !== "current" && stage !== "dead")).toEqual([]);
      expect(await host.client.call("pair", { consumer: "gateway" })).toMatchObject({ message: expect.stringContaining("already") });
      for (const secret of [before, token()]) expect(host.log.includes(secret)).toBe(false);
    }

    test("is replaced: the new one is accepted, the old one refused three times, our pairing stays", async () => {
      expect(await chat(GATEWAY_TOKEN)).toBe(200);
      const before = await host.client.call("plan", { name: "main" });
      expect(before.findings).toEqual([]);
      expect(before.notes.join("\n")).toContain("none measured yet");

      const { id } = await rotateToken(host, crypto.randomUUID());
      await expectReplaced(GATEWAY_TOKEN, await host.settled(id, 120_000));

      const { events } = await host.client.call("history", { name: "main", limit: 200 });
      const detail = (code: string) => events.find((event) => event.code === code)?.detail;
      expect(detail("keyDead")).toMatchObject({ refusals: 3 });
      expect(detail("keyDead")?.["overMs"]).toBeGreaterThanOrEqual(10_000);
      expect(detail("gapMeasured")?.["atMostMs"]).toBeGreaterThanOrEqual(0);
      expect((await host.client.call("plan", { name: "main" })).notes.join("\n")).toContain(
        `at most ${detail("gapMeasured")?.["atMostMs"]} ms`,
      );
      console.info(`gateway token in its ${kept}: at most ${detail("gapMeasured")?.["atMostMs"]} ms without an accepted one`);
    });

    test.each(["promote", "reload", "confirm"] as const satisfies Step[])(
      "SIGKILL of the daemon at %s, and the live one is found again",
      async (step) => {
        const before = token();
        const key = crypto.randomUUID();
        const { id } = await rotateToken(host, key);
        for (const until = Date.now() + 60_000; ; await sleep(2)) {
          const { open } = await host.show("main");
          if (open === null || open.step === step) break;
          if (Date.now() > until) throw new Error(`never at ${step}\n${host.tail()}`);
        }
        await host.end("SIGKILL");
        await host.start();
        expect((await rotateToken(host, key)).id).toBe(id);
        await expectReplaced(before, await host.settled(id, 120_000));
      },
    );

    test("a restart of the gateway finds the new one", async () => {
      await gateway.stop();
      await gateway.start();
      expect(await chat(token())).toBe(200);
      expect((await host.client.call("plan", { name: "main" })).findings).toEqual([]);
    });
  });
}
