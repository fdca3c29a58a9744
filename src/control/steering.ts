import type { Ask, Control, RotateRequest, StartedRotation, Which } from "../api.ts";
import { ControlError, type ErrorBody } from "../api-errors.ts";
import type { CredentialConfig } from "../config/config.ts";
import type { Rotation } from "../model.ts";
import { planFor } from "../rotation/plans.ts";
import { credentialNamed, type DaemonParts } from "./daemon-parts.ts";
import { rotationView } from "./views.ts";

/** The operations that start, stop and steer rotations. */
export function steering(parts: DaemonParts): Pick<Control, "rotate" | "rehearse" | "pause" | "resume" | "cancel" | "retry" | "abandon"> {
  const { ledger, engine, scheduler, clock } = parts;

  async function start(
    credential: CredentialConfig,
    ask: Ask,
    options: { now: boolean; reason: string | null; rehearsal?: boolean; key: string | null },
  ): Promise<StartedRotation> {
    const state = ledger.credentials.get(credential.name);
    if (state?.retiredAt != null)
      throw new ControlError("conflict", `${credential.name} was retired`, `bring it back with: rotatectl adopt ${credential.name}`);
    if (state?.pausedAt != null) throw new ControlError("conflict", `${credential.name} is paused`, `rotatectl resume ${credential.name}`);
    const supply = parts.config().providers[credential.provider]?.supply;
    if (options.rehearsal === true && (supply === "intake" || supply === "in-place")) {
      const why = supply === "intake" ? "its keys are made by a person, and a rehearsal would use one up" : "it has one value at a time";
      throw new ControlError(
        "conflict",
        `${credential.name} cannot be rehearsed: ${why}`,
        `rotatectl plan ${credential.name} changes nothing`,
      );
    }
    if (options.rehearsal === true && !ledger.keys.live(credential.name).some(({ stage }) => stage === "current")) {
      throw new ControlError(
        "conflict",
        `${credential.name} has no key yet to rehearse the replacement of`,
        "adopt one, or make the first one with rotatectl rotate",
      );
    }
    const at = clock.now();
    const { rotation, started } = ledger.start({
      credential: credential.name,
      plan: planFor(parts, credential, { now: options.now, at, rehearsal: options.rehearsal ?? false }),
      trigger: "operator",
      actor: ask.actor,
      reason: options.reason,
      idempotencyKey: options.key,
    });
    const same = rotation.credential === credential.name && rotation.plan.rehearsal === (options.rehearsal ?? false);
    if (!same) throw notThis(rotation, credential.name);
    if (!started && options.now && rotation.outcome === null && !rotation.plan.now) await hurry(rotation, ask);
    scheduler.touch(credential.name);
    return { rotation: rotationView(ledger, ledger.rotation(rotation.id)), started };
  }

  /** `--now` on a rotation that is open: its waits are cut and its overlap ends. */
  async function hurry({ id }: Rotation, { actor }: Ask): Promise<void> {
    await engine.takeOver(id, () => {
      const rotation = ledger.rotation(id);
      if (rotation.outcome !== null) return;
      ledger.commit(rotation, {
        rotation: {
          plan: { ...rotation.plan, now: true, overlapMs: 0, preflightUntil: null },
          ...(rotation.dueAt === null ? {} : { dueAt: clock.now() }),
        },
        events: [{ code: "operatorSaid", detail: { said: "rotate --now", actor } }],
      });
    });
  }

  function openRotation(name: string): Rotation {
    const rotation = ledger.rotations.open(name);
    if (rotation !== undefined) return rotation;
    credentialNamed(parts, name);
    throw new ControlError("conflict", `${name} has no open rotation`, `rotatectl history ${name} shows the last one`);
  }

  /** When what was said takes effect: for a rotation that `pause` has parked, not before it is resumed. */
  const unlessParked = (rotation: Rotation, now: string): string =>
    engine.isParked(rotation) ? ` after: rotatectl resume ${rotation.credential}` : now;

  const named = (which: Which): string[] =>
    "all" in which ? Object.keys(parts.config().credentials) : [credentialNamed(parts, which.name).name];

  function setPaused(which: Which, paused: boolean, { actor }: Ask) {
    const credentials = named(which).map((name) => {
      const changed = ledger.credentials.isPaused(name) !== paused;
      if (changed) {
        const detail = { said: paused ? "pause" : "resume", actor };
        ledger.record(name, [{ code: "operatorSaid", detail }], () => {
          if (paused) return ledger.credentials.pause(name, clock.now(), actor);
          ledger.credentials.resume(name);
          // In the same transaction: what was resumed once is not resumed again, and would stay parked.
          const open = ledger.rotations.open(name);
          if (open !== undefined && open.dueAt !== null) ledger.rotations.update(open.id, { dueAt: clock.now() });
        });
        scheduler.touch(name);
      }
      return { name, paused, changed };
    });
    return { credentials };
  }

  return {
    async rotate(request: RotateRequest, ask) {
      const { now } = request;
      const reason = request.reason ?? null;
      const key = ask.idempotencyKey ?? null;
      if (!("all" in request))
        return { rotations: [await start(credentialNamed(parts, request.name), ask, { now, reason, key })], refused: [] };
      const rotations: StartedRotation[] = [];
      const refused: { credential: string; error: ErrorBody }[] = [];
      for (const credential of Object.values(parts.config().credentials)) {
        // Out of management, and only its entry is left: nothing that somebody who says "all" can have meant.
        if (ledger.credentials.get(credential.name)?.retiredAt != null) continue;
        try {
          rotations.push(await start(credential, ask, { now, reason, key: key === null ? null : `${key}/${credential.name}` }));
        } catch (error) {
          if (!(error instanceof ControlError)) throw error;
          refused.push({ credential: credential.name, error: { code: error.code, message: error.message, hint: error.hint } });
        }
      }
      return { rotations, refused };
    },

    async rehearse({ name, reason = null }, ask) {
      return start(credentialNamed(parts, name), ask, { now: true, reason, rehearsal: true, key: ask.idempotencyKey ?? null });
    },

    pause: async (which, ask) => setPaused(which, true, ask),
    resume: async (which, ask) => setPaused(which, false, ask),

    async cancel({ name }, ask) {
      const open = openRotation(name);
      const after = await engine.takeOver(open.id, () => {
        const rotation = ledger.rotation(open.id);
        mayCancel(parts, rotation);
        return ledger.commit(rotation, {
          rotation: { cancelRequested: true, dueAt: clock.now(), stuckReason: null, stuckHint: null, attempts: 0, troubleSince: null },
          events: [{ code: "operatorSaid", detail: { said: "cancel", actor: ask.actor } }],
        });
      });
      scheduler.touch(name);
      return {
        rotation: rotationView(ledger, after),
        message: `the way back begins${unlessParked(after, "")}; the key that served goes on serving, the new one is made dead`,
      };
    },

    async retry({ name }, ask) {
      const open = openRotation(name);
      const after = await engine.takeOver(open.id, () => {
        mustBeOpen(ledger.rotation(open.id));
        return ledger.commit(ledger.rotation(open.id), {
          rotation: {
            stuckReason: null,
            stuckHint: null,
            attempts: 0,
            troubleSince: null,
            intents: 0,
            stepSince: clock.now(),
            dueAt: clock.now(),
            memo: { ...ledger.rotation(open.id).memo, saidRetry: true },
          },
          events: [{ code: "operatorSaid", detail: { said: "retry", actor: ask.actor } }],
        });
      });
      scheduler.touch(name);
      return { rotation: rotationView(ledger, after), message: `${after.step} is tried again${unlessParked(after, " now")}` };
    },

    async abandon({ name }, ask) {
      const open = openRotation(name);
      const after = await engine.takeOver(open.id, () => {
        mustBeOpen(ledger.rotation(open.id));
        const pending = ledger.keys.live(name).filter(({ stage }) => stage === "pending");
        return ledger.commit(ledger.rotation(open.id), {
          keys: pending.map(({ id }) => ({ id, set: { stage: "retiring" } })),
          rotation: {
            outcome: "abandoned",
            endedAt: clock.now(),
            dueAt: null,
            stuckReason: null,
            stuckHint: null,
            cancelRequested: false,
            memo: {},
          },
          events: [
            { code: "operatorSaid", detail: { said: "abandon", actor: ask.actor } },
            { code: "ended", detail: { outcome: "abandoned" } },
          ],
        });
      });
      scheduler.touch(name);
      const debts = ledger.keys.live(name).filter(({ stage }) => stage === "retiring");
      const intents = ledger.keys.openIntents(name);
      const left = [
        ...(debts.length === 0 ? [] : [`makes ${debts.map(({ vendorId }) => vendorId).join(", ")} dead`]),
        ...(intents.length === 0 ? [] : [`settles the create call ${intents.map(({ label }) => label).join(", ")}`]),
      ];
      const rest = left.length === 0 ? "nothing is left over" : `the next rotation ${left.join(", and ")}`;
      return { rotation: rotationView(ledger, after), message: `nobody was called; ${rest}` };
    },
  };
}

/** What was found is another rotation than the one that is asked for: joining it would answer for what is not done. */
function notThis({ credential, plan, outcome }: Rotation, asked: string): ControlError {
  if (credential !== asked || outcome !== null) {
    const other = plan.rehearsal ? "a rehearsal" : "a rotation";
    const message = `${asked}: the idempotency key belongs to another request, for ${other} of ${credential}`;
    return new ControlError("conflict", message, "give each request a key of its own");
  }
  const hint = plan.rehearsal ? `wait for the rehearsal, or say rotatectl abandon ${credential}` : "wait until it is over";
  return new ControlError("conflict", `${credential} has an open rotation (${plan.name})`, hint);
}

function mustBeOpen({ credential, outcome }: Rotation): void {
  if (outcome !== null)
    throw new ControlError("conflict", `${credential}: the rotation has ended (${outcome})`, `rotatectl history ${credential}`);
}

function mayCancel({ ledger }: DaemonParts, rotation: Rotation): void {
  const { credential } = rotation;
  mustBeOpen(rotation);
  if (rotation.plan.wayBack)
    throw new ControlError("conflict", `${credential}: the rotation is on its way back already`, `rotatectl show ${credential}`);
  const old = rotation.old === null ? undefined : ledger.keys.get(rotation.old);
  if (old === undefined) {
    throw new ControlError(
      "conflict",
      `${credential}: no key served before this rotation, so there is nothing to go back to`,
      `rotatectl abandon ${credential}`,
    );
  }
  if (old.disabledAt !== null || old.revokeAnnouncedAt !== null || old.stage === "dead") {
    throw new ControlError(
      "conflict",
      `${credential}: the old key ${old.vendorId} is off already`,
      "it goes forward only; rotatectl retry or abandon",
    );
  }
}
