import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";

const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
});

it("serves from a process of its own, and ends when told to", async () => {
  const program = fileURLToPath(new URL("openai-main.ts", import.meta.url));
  const child = spawn(process.execPath, [program, "--project", "proj_demo"], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  const { url, control, project, adminKey, serviceAccount, key } = JSON.parse(line);
  expect([project, serviceAccount]).toEqual(["proj_demo", expect.stringMatching(/^svc_acct_/)]);

  const get = (address: string, secret: string) => fetch(address, { headers: { authorization: `Bearer ${secret}`, connection: "close" } });
  expect((await get(`${url}/models`, key.secret)).status).toBe(200);
  expect(await (await get(`${url}/organization/projects/proj_demo/api_keys/${key.id}`, adminKey)).json()).toMatchObject({ id: key.id });
  expect(await (await fetch(`${control}/state`, { headers: { connection: "close" } })).json()).toMatchObject({ keys: [{ id: key.id }] });

  child.kill("SIGTERM");
  expect((await once(child, "exit"))[0]).toBe(0);
});
