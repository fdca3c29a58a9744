import ms from "ms";
import type { Control, CredentialStatus, LastRotation } from "../api.ts";
import { ControlError } from "../api-errors.ts";
import type { CredentialConfig } from "../config/config.ts";
import type { Rotation } from "../model.ts";
import { waitOf } from "../rotation/supply/person.ts";
import type { CredentialState } from "../state/credentials.ts";
import { ownVersion } from "../version.ts";
import { credentialNamed, type DaemonParts } from "./daemon-parts.ts";
import { eventView, keyView, rotationView } from "./views.ts";

/** How often a watcher's rotation is looked at. A look is two indexed reads. */
const WATCH_EVERY_MS = 100;

function lastOf(rotation: Rotation | undefined): LastRotation | null {
  if (rotation === undefined || rotation.outcome === null) return null;
  const { id, outcome, lastError, endedAt, startedAt } = rotation;
  return { rotation: id, outcome, reason: outcome === "done" ? null : lastError, endedAt: endedAt ?? startedAt };
}

/** The operations that only read the ledger. */
export function looking(parts: DaemonParts): Pick<Control, "status" | "show" | "history" | "watch"> {
  const { ledger, scheduler, clock } = parts;
  // Of what runs: an upgrade may lie under it already.
  const version = ownVersion();

  /** What is left of credentials that are no longer in the configuration. Nobody rotates the key of one that nobody has retired. */
  function leftBehind(states: readonly CredentialState[]): string[] {
    const { credentials } = parts.config();
    const owing = [...ledger.rotations.allOpen().map(({ credential }) => credential), ...ledger.keys.indebted()];
    const forgotten = states.filter(
      ({ name, retiredAt }) => retiredAt === null && !Object.hasOwn(credentials, name) && ledger.keys.live(name).length > 0,
    );
    return [...new Set([...owing, ...forgotten.map(({ name }) => name)])].filter((name) => !Object.hasOwn(credentials, name));
  }

  function statusOf(name: string, credential: CredentialConfig | undefined, state: CredentialState | undefined): CredentialStatus {
    const now = clock.now();
    const live = ledger.keys.live(name);
    const current = live.find(({ stage }) => stage === "current");
    const open = ledger.rotations.open(name);
    return {
      name,
      configured: credential !== undefined,
      provider: credential?.provider ?? live[0]?.provider ?? "–",
      store: credential?.store.use ?? "–",
      paused: state !== undefined && state.pausedAt !== null,
      nextAt: scheduler.nextAt(name) ?? null,
      current: current === undefined ? null : keyView(current, now),
      pooled: live.filter(({ stage }) => stage === "pooled").length,
      open: open === undefined ? null : rotationView(ledger, open),
      last: lastOf(ledger.rotations.lastEnded(name)),
    };
  }

  return {
    async status() {
      const { warnings, credentials } = parts.config();
      const all = ledger.credentials.all();
      const states = new Map(all.map((state) => [state.name, state]));
      const inForce = Object.values(credentials).filter(({ name }) => states.get(name)?.retiredAt == null);
      return {
        version,
        since: parts.since,
        config: { path: parts.configPath, loadedAt: parts.configLoadedAt(), warnings },
        credentials: [
          ...inForce.map((credential) => statusOf(credential.name, credential, states.get(credential.name))),
          ...leftBehind(all).map((name) => statusOf(name, undefined, states.get(name))),
        ],
      };
    },

    async show({ name }) {
      const credential = leftBehind(ledger.credentials.all()).includes(name) ? undefined : credentialNamed(parts, name);
      const schedule = credential?.schedule;
      const consumers = credential === undefined ? [] : parts.plugs().consumers(credential, []);
      return {
        ...statusOf(name, credential, ledger.credentials.get(name)),
        consumers: consumers.map((plug) => plug.name),
        schedule: schedule === undefined ? null : "every" in schedule ? `every ${ms(schedule.every)}` : `${schedule.cron} ${schedule.zone}`,
        window: credential?.window ?? null,
        overlapMs: credential?.overlapMs ?? 0,
        keys: ledger.keys
          .all(name)
          .reverse()
          .map((key) => keyView(key, clock.now())),
        openIntents: ledger.keys.openIntents(name).map(({ label, announcedAt }) => ({ label, announcedAt })),
      };
    },

    async history({ name, limit, before }) {
      if (name !== undefined && ledger.credentials.get(name) === undefined) credentialNamed(parts, name);
      const events = ledger.events.history(name, limit, before);
      return { events: events.map(eventView), next: events.length < limit ? null : (events.at(-1)?.id ?? null) };
    },

    async watch({ id, after, waitMs }, { signal }) {
      const until = clock.monotonic() + waitMs;
      for (;;) {
        const rotation = ledger.rotations.get(id);
        if (rotation === undefined) throw new ControlError("unknownRotation", `no rotation ${id}`);
        const events = ledger.events.ofRotation(id, after);
        const settled = rotation.outcome !== null || (rotation.stuckReason !== null && waitOf(rotation) === undefined);
        if (events.length > 0 || settled || clock.monotonic() >= until) {
          return { rotation: rotationView(ledger, rotation), events: events.map(eventView) };
        }
        await clock.sleep(WATCH_EVERY_MS, signal);
      }
    },
  };
}
