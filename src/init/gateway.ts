import { CREDENTIALS } from "./account.ts";
import { type Discretion, FORM } from "./discretion.ts";
import { followKey } from "./keys.ts";
import { at, entriesAt, type Mapping } from "./mapping.ts";
import type { Entry, Setting } from "./proposal.ts";

export const GATEWAY = "gateway";
const DEFAULT_PORT = 18_789;
const TOKEN = "openclaw-token";

/** The gateway of this configuration, as an entry of `consumers`. */
export function proposeGateway(config: Mapping, home: string, discretion: Discretion): Entry {
  const agents = agentsOf(config, discretion);
  const several = agents.length > 1 ? [`A new key is proved with each of its agents that uses it: ${agents.join(", ")}.`] : [];
  return {
    name: GATEWAY,
    comment: several,
    settings: [{ name: "type", value: "openclaw" }, address(config, discretion), token(config, home, discretion)],
  };
}

/** Whatever it listens on, a gateway on this host answers on its loopback address, too. */
function address(config: Mapping, { tell }: Discretion): Setting {
  if (at(config, "gateway", "mode") === "remote") {
    const remote = tell(at(config, "gateway", "remote", "url"), FORM.address);
    const comment = "this is the configuration of another host's client: a proposal from the gateway's own host knows more";
    return remote === undefined || !/^wss?:/.test(remote) ? { name: "url", comment } : { name: "url", value: remote, comment };
  }
  const given = at(config, "gateway", "port");
  const port = typeof given === "number" && Number.isInteger(given) && given > 0 && given < 65_536 ? given : DEFAULT_PORT;
  const scheme = at(config, "gateway", "tls", "enabled") === true ? "wss" : "ws";
  return { name: "url", value: `${scheme}://127.0.0.1:${port}` };
}

function token(config: Mapping, home: string, discretion: Discretion): Setting {
  const { place } = followKey(at(config, "gateway", "auth", "token"), config, home, discretion);
  const once = "only `rotatectl pair gateway` needs it, afterwards rotated has a token of its own";
  if (place.is === "file" && place.field === undefined) return { name: "token", value: { file: place.path }, comment: once };
  const where =
    at(config, "gateway", "auth", "mode") === "password" ? "gateway.auth.mode must be token" : "the value of gateway.auth.token";
  return { name: "token", value: { credential: TOKEN }, comment: `${where}; put it into ${CREDENTIALS}/${TOKEN}; ${once}` };
}

function agentsOf(config: Mapping, { tell }: Discretion): readonly string[] {
  const list = at(config, "agents", "list");
  const listed = Array.isArray(list) ? list.map((agent) => at(agent, "id")) : [];
  return [...entriesAt(config, "agents", "entries").map(([name]) => name), ...listed].map((name) => tell(name, FORM.name) ?? "…");
}
