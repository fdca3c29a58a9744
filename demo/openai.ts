import type { Stage } from "./stage.ts";
import { PACE, type Vendor } from "./vendor.ts";

/** What the stand-in says of itself. */
interface Said {
  readonly url: string;
  readonly control: string;
  readonly project: string;
  readonly adminKey: string;
  readonly key: { readonly id: string; readonly secret: string };
}

/** The stand-in for OpenAI, as a process of its own. */
export async function startOpenAi(stage: Stage): Promise<Vendor> {
  const { ready } = await stage.start("vendor", [process.execPath, "test/fakes/openai-main.ts", "--project", "proj_demo"], {
    says: "stdout",
    ready: (line) => JSON.parse(line) as Said,
  });
  const { url, control, project, adminKey, key } = ready;
  await fetch(`${control}/set`, { method: "POST", body: JSON.stringify({ pace: PACE }), signal: stage.signal });
  return {
    type: "openai",
    title: `a stand-in with OpenAI's admin and inference API, ${url}`,
    url,
    settings: {
      baseUrl: url,
      project,
      adminKey: stage.secret("openai-admin", adminKey),
      listLag: "200ms",
      lastUsedLag: "1s",
      lastUsedPrecision: "1ms",
    },
    key,
    identifies: true,
    refuses: ({ status, code }) => status === 401 && code === "invalid_api_key",
    async served() {
      const log = (await (await fetch(`${control}/log`, { signal: stage.signal })).json()) as SeenChat[];
      const chats = log.filter(({ path, status }) => path.endsWith("/chat/completions") && status === 200);
      const old = chats.filter(({ keyId }) => keyId === key.id).length;
      return { old, others: chats.length - old };
    },
  };
}

interface SeenChat {
  readonly path: string;
  readonly keyId: string;
  readonly status: number | null;
}
