import { userInfo } from "node:os";
import { expect, vi } from "vitest";
import type { RotationHost } from "./rotation-host.ts";

/** As the socket sees whoever runs the tests. */
export const ACTOR = `${userInfo().username} (uid ${userInfo().uid})`;

/** What rotatectl gives where the daemon refuses. */
export const refused = (message: string, hint: string) => ({
  code: 1,
  stdout: "",
  stderr: `rotatectl: error: ${message}\nrotatectl: hint: ${hint}\n`,
});

export const eventsOf = async (host: RotationHost, code: string) =>
  (await host.host.client.call("history", { name: "main", limit: 200 })).events.filter((event) => event.code === code);

/** Puts a value into the store past the daemon. */
export function writeStore(host: RotationHost, value: string): void {
  host.host.write("secrets.json", JSON.stringify({ note: "not ours", openai: { apiKey: value } }));
}

/** Puts another configuration in force. */
export async function putInForce({ host }: RotationHost, config: object): Promise<void> {
  const before = host.log.split("configuration read again").length;
  host.configure(config);
  host.daemon?.kill("SIGHUP");
  await vi.waitFor(() => expect(host.log.split("configuration read again").length).toBeGreaterThan(before), 10_000);
}
