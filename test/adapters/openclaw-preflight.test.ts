import { chmod, chown, link, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { fresh, old, type Scene, scene, signal, thrown } from "./openclaw-world.ts";

async function findings({ consumer }: Scene, current = old, use?: Parameters<Scene["consumer"]>[0]) {
  return consumer(use).preflight(current, signal);
}

describe("the pre-flight of openclaw", () => {
  it("finds a variable of the environment that beats the reference, and names the line that cures it", async () => {
    const env = { OPENAI_API_KEY: "sk-canary-environment" };
    const found = await findings(await scene({ env, pinned: false }));
    expect(found).toMatchObject([{ code: "environmentCredential", message: expect.stringContaining("OPENAI_API_KEY") }]);
    expect(found[0]?.cure).toContain('"auth": "api-key" under models.providers.openai');
  });

  it("finds nothing in the same environment once that line stands there", async () => {
    expect(await findings(await scene({ env: { OPENAI_API_KEY: "sk-canary-environment" } }))).toEqual([]);
  });

  it("asks nothing of the gateway that a debug line does not tell, without a secret", async () => {
    const stage = await scene({ pinned: false });
    const asked: string[] = [];
    stage.gateway.onRequest = (name, phase) => void (phase === "before" && !name.startsWith("POST ") && asked.push(name));
    await findings(stage);
    const told = stage.world.logged
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ message }) => message === "gateway call");
    expect(asked).toContain("secrets.resolve");
    expect(told.map(({ method }) => method).slice(-asked.length)).toEqual(asked);
    expect(stage.world.logged.join("\n")).not.toContain("canary");
  });

  it("finds an auth profile beside the reference", async () => {
    const stage = await scene({ pinned: false, agents: ["main", "helper"] });
    stage.gateway.runs.profiles.push({ agent: "helper", provider: "openai", id: "openai:manual", key: "sk-canary-profile" });
    expect(await findings(stage)).toMatchObject([{ code: "authProfile", message: expect.stringContaining("openai:manual") }]);
  });

  it("finds an auth profile in the place of the reference", async () => {
    const stage = await scene({
      change: ({ models }) => {
        if (models.providers["openai"] !== undefined) models.providers["openai"].apiKey = "openai:manual";
      },
    });
    expect(await findings(stage)).toMatchObject([{ code: "plainKey", cure: expect.stringContaining('"apiKey": {') }]);
  });

  it("finds a reference to the environment", async () => {
    const stage = await scene({
      env: { KEY: old.reveal() },
      change: ({ models }) => {
        if (models.providers["openai"] !== undefined) models.providers["openai"].apiKey = { source: "env", provider: "default", id: "KEY" };
      },
    });
    expect(await findings(stage)).toMatchObject([{ code: "environmentReference" }]);
  });

  it("finds a reference to the environment at a path of its own, and among those that follow", async () => {
    const stage = await scene({
      env: { KEY: old.reveal() },
      change: ({ models }) => {
        const entry = models.providers["openai"];
        if (entry !== undefined) models.providers["second"] = { ...entry, apiKey: { source: "env", provider: "default", id: "KEY" } };
      },
    });
    const path = "models.providers.second.apiKey";
    const expected = [{ code: "environmentReference", message: expect.stringContaining(path) }];
    expect(await findings(stage, old, { provider: "openai", also: [path] })).toMatchObject(expected);
    expect(await findings(stage, old, { provider: "openai", path })).toMatchObject(expected);
  });

  it("finds that the store is not where the reference looks", async () => {
    const found = await findings(await scene(), fresh);
    expect(found).toMatchObject([{ code: "otherValue", message: expect.stringContaining("models.providers.openai.apiKey") }]);
    expect(JSON.stringify(found)).not.toContain("canary");
  });

  it("finds a second setting with the same key, unless it is listed", async () => {
    const stage = await scene({
      change: ({ models }) => {
        const entry = models.providers["openai"];
        if (entry !== undefined) models.providers["second"] = { ...entry };
      },
    });
    const path = "models.providers.second.apiKey";
    expect(await findings(stage)).toMatchObject([{ code: "otherReference", cure: expect.stringContaining(`also: [${path}]`) }]);
    expect(await findings(stage, old, { provider: "openai", also: [path] })).toEqual([]);
  });

  it("finds the same key where OpenClaw talks with it, and follows it there once it is listed", async () => {
    const apiKey = { source: "file", provider: "keys", id: "/openai/apiKey" } as const;
    const stage = await scene({
      change: (config) => {
        config.talk = { realtime: { providers: { openai: { apiKey } } } };
      },
    });
    const path = "talk.realtime.providers.openai.apiKey";
    expect(await findings(stage)).toMatchObject([{ code: "otherReference", cure: expect.stringContaining(`also: [${path}]`) }]);
    expect(await findings(stage, old, { provider: "openai", also: [path] })).toEqual([]);
  });

  it("asks for the settings of plugins only where a reference stands: it costs the gateway a look at all of them", async () => {
    const asked = async (entries: object) => {
      const stage = await scene({
        change: ({ plugins }) => {
          Object.assign(plugins, { entries });
        },
      });
      let count = 0;
      stage.gateway.onRequest = (name, phase) => {
        if (name === "secrets.resolve" && phase === "before") count += 1;
      };
      return [await findings(stage), count] as const;
    };
    const [none, few] = await asked({});
    const apiKey = { source: "file", provider: "keys", id: "/openai/apiKey" };
    const [some, more] = await asked({ exa: { config: { webSearch: { apiKey } } } });
    expect(none).toEqual([]);
    expect(some).toMatchObject([{ cure: expect.stringContaining("also: [plugins.entries.exa.config.webSearch.apiKey]") }]);
    expect(more).toBe(few + 1);
  });

  it.each(["302ai", "z.ai"])("knows a provider called %s, whose path OpenClaw writes with brackets", async (provider) => {
    const stage = await scene({
      change: ({ models }) => {
        const entry = models.providers["openai"];
        if (entry !== undefined) models.providers[provider] = { ...entry };
      },
    });
    const also = `models.providers["${provider}"].apiKey`;
    expect(await findings(stage)).toMatchObject([{ cure: expect.stringContaining(`also: ['${also}']`) }]);
    expect(await findings(stage, old, { provider: "openai", also: [also] })).toEqual([]);
    expect(await findings(stage, old, { provider, also: ["models.providers.openai.apiKey"] })).toEqual([]);
    expect(await stage.consumer({ provider, also: ["models.providers.openai.apiKey"] }).prove(old, signal)).toMatchObject({
      result: "proven",
    });
  });

  it("finds no provider of that name", async () => {
    expect(await findings(await scene(), old, { provider: "openia" })).toMatchObject([{ code: "noProvider" }]);
  });

  const spoilt = {
    "a mode that others can read": ({ secretFile }: Scene) => chmod(secretFile, 0o640),
    "a second hard link": ({ secretFile }: Scene) => link(secretFile, `${secretFile}.bak`),
    "a link in its place": async ({ secretFile }: Scene) => {
      await rename(secretFile, `${secretFile}.real`);
      await symlink(`${secretFile}.real`, secretFile);
    },
  };
  it.each(Object.entries(spoilt))("finds a file with %s, as soon as the gateway has stumbled over it", async (_, spoil) => {
    const stage = await scene();
    await spoil(stage);
    const holding = await stage.consumer().reload(old, signal);
    expect(holding).toMatchObject({
      holds: "stale",
      cause: expect.stringContaining("secret provider failed"),
      cure: expect.stringContaining("0600"),
    });
    expect(await findings(stage)).toMatchObject([{ code: "degraded", cure: expect.stringContaining("0600") }]);
  });

  describe("with an exec reference", () => {
    /** A program in the place of the wrapper, which answers what is in the secret file under the name `prod`. */
    const PROGRAM = `#!/bin/sh
cat > /dev/null
key=$(sed 's/.*"apiKey":"\\([^"]*\\)".*/\\1/' secrets.json)
echo "{\\"protocolVersion\\":1,\\"values\\":{\\"prod\\":\\"$key\\"},\\"errors\\":{\\"other\\":{\\"code\\":\\"NOT_FOUND\\"}}}"
`;

    async function execScene(id = "prod"): Promise<Scene & { readonly command: string; reload(): Promise<unknown> }> {
      let command = "";
      const stage = await scene({
        async change({ secrets, models }, directory) {
          command = join(directory, "rotated-resolve");
          await writeFile(command, PROGRAM, { mode: 0o700 });
          secrets.providers["rotated"] = { source: "exec", command };
          if (models.providers["openai"] !== undefined) models.providers["openai"].apiKey = { source: "exec", provider: "rotated", id };
        },
      });
      return { ...stage, command, reload: () => stage.consumer().reload(old, signal) };
    }

    it("finds nothing, and a reload brings the next value", async () => {
      const stage = await execScene();
      expect(await findings(stage)).toEqual([]);
      await stage.write(fresh);
      expect(await stage.consumer().reload(fresh, signal)).toEqual({ holds: "expected" });
      expect(await findings(stage, fresh)).toEqual([]);
    });

    const root = process.getuid?.() === 0;
    const wrong = {
      "a link in its place": async ({ command }: { command: string }) => {
        await rename(command, `${command}.real`);
        await symlink(`${command}.real`, command);
      },
      "a program that others can write": ({ command }: { command: string }) => chmod(command, 0o770),
      "no program at all": ({ command }: { command: string }) => rm(command),
      "a program that says that the daemon is down": async ({ command }: { command: string }) =>
        writeFile(command, (await readFile(command, "utf8")).replace("key=", "exit 1; key=")),
      ...(root && { "a program of another account": ({ command }: { command: string }) => chown(command, 4242, 4242) }),
    };
    it.each(Object.entries(wrong))(
      "%s leaves the value that was there, which is no contradiction, and says what to look at",
      async (_, spoil) => {
        const stage = await execScene();
        await spoil(stage);
        expect(await stage.reload()).toMatchObject({ holds: "stale", cause: expect.stringContaining("(stale): secret provider failed") });
        const [found, ...more] = await findings(stage);
        expect(more).toEqual([]);
        expect(found).toMatchObject({ code: "degraded", byReload: true });
        expect(found?.cure).toMatch(/source must answer.*plain one \(no link\) of the account.*writable by nobody else: run by hand/);
      },
    );

    it("an id that is not granted says what the id must be", async () => {
      const stage = await execScene("other");
      const [found] = await findings(stage);
      expect(found).toMatchObject({ code: "degraded", message: expect.stringContaining("(cold): secret reference was not found") });
      expect(found?.cure).toMatch(/the id is the name of a credential whose `resolve` names the account/);
    });
  });

  it("does not mind another owner that is degraded", async () => {
    const stage = await scene({
      change: ({ models }) => {
        const entry = models.providers["openai"];
        if (entry !== undefined)
          models.providers["other"] = { ...entry, apiKey: { source: "file", provider: "keys", id: "/other/apiKey" } };
      },
    });
    expect(stage.gateway.secrets.degraded()).toMatchObject([{ ownerId: "other" }]);
    expect(await findings(stage)).toEqual([]);
    expect(await stage.consumer().reload(old, signal)).toEqual({ holds: "expected" });
  });

  it("throws while the gateway starts: that passes", async () => {
    const stage = await scene();
    stage.gateway.knobs.starting = true;
    expect(await thrown(findings(stage))).toMatchObject({ code: "unavailable", retryAfterMs: 500 });
  });

  it("throws what a person must cure about the connection: scopes, an old version", async () => {
    const stage = await scene();
    stage.gateway.knobs.scopes = [];
    expect(await thrown(findings(stage))).toMatchObject({ code: "misconfigured", cure: "rotatectl pair gateway" });
    stage.gateway.knobs.scopes = undefined;
    stage.gateway.knobs.missing = ["models.probe"];
    expect(await thrown(findings(stage))).toMatchObject({ code: "misconfigured", cure: expect.stringContaining("update OpenClaw") });
  });
});
