import type { ChecklistItem, EventView, KeyView, RotationView } from "../api-views.ts";
import { CHECKLIST, type Checklist, type Event, type Key, type Rotation } from "../model.ts";
import { STEPS } from "../rotation/steps.ts";
import { waitOf } from "../rotation/supply/person.ts";
import { EVENTS } from "../state/events.ts";
import type { Ledger } from "../state/ledger.ts";

export function keyView(key: Key, now: number): KeyView {
  const { vendorId, version, stage, createdAt, expiresAt, promotedAt, disabledAt, revokedAt, deadAt } = key;
  return { vendorId, label: version, stage, createdAt, ageMs: now - createdAt, expiresAt, promotedAt, disabledAt, revokedAt, deadAt };
}

export function rotationView(ledger: Ledger, rotation: Rotation): RotationView {
  const { id, credential, step, trigger, actor, reason, startedAt, stepSince, dueAt, attempts, outcome, endedAt } = rotation;
  const events = ledger.events.ofRotation(id, 0);
  const wait = waitOf(rotation);
  const vendorId = (key: number | null) => (key === null ? null : (ledger.keys.get(key)?.vendorId ?? null));
  return {
    id,
    credential,
    plan: rotation.plan.name,
    step,
    checklist: checklist(rotation, events),
    trigger,
    actor,
    reason,
    target: vendorId(rotation.target),
    old: vendorId(rotation.old),
    startedAt,
    stepSince,
    dueAt,
    attempts,
    lastError: rotation.lastError === null ? null : lastError(rotation.lastCode ?? "unknown", rotation.lastError, events),
    stuck: rotation.stuckReason === null ? null : { reason: rotation.stuckReason, hint: rotation.stuckHint ?? "" },
    wanted: wait === undefined ? null : { label: wait.label, until: wait.until, told: wait.told },
    outcome,
    endedAt,
  };
}

/** What went wrong last; its hint is in the event that told of it. */
function lastError(code: string, message: string, events: readonly Event[]): RotationView["lastError"] {
  const hint = events.findLast(({ detail }) => detail["text"] === message)?.detail["hint"];
  return { code, message, ...(typeof hint === "string" && { hint }) };
}

/** Where the rotation stands in the operator's five steps, with what its history says of each. */
function checklist(rotation: Rotation, events: readonly Event[]): ChecklistItem[] {
  const planned = rotation.plan.steps.map((step) => STEPS[step].checklist);
  const reached = planned[rotation.plan.steps.indexOf(rotation.step)] ?? null;
  const begun = reached === null ? -1 : CHECKLIST.indexOf(reached);
  const since = events.findLast((event) => event.code === "planChanged" && "plan" in event.detail)?.id ?? 0;
  const ofThisPlan = events.filter((event) => event.id > since);
  const wait = waitOf(rotation);
  return CHECKLIST.map((name, index) => {
    const text = said(name, ofThisPlan);
    const state = stateOf(rotation, planned.includes(name), index, begun);
    if (wait === undefined || index !== begun) return { name, state, text };
    const until = wait.until === null ? "" : ` until ${new Date(wait.until).toISOString().slice(0, 16)}Z`;
    return { name, state: "running", text: `waits${until} for a key that a person makes` };
  });
}

function stateOf(rotation: Rotation, planned: boolean, index: number, begun: number): ChecklistItem["state"] {
  if (!planned) return "skipped";
  if (rotation.outcome === "done" || index < begun) return "done";
  if (index > begun) return "ahead";
  if (rotation.outcome === null) return rotation.stuckReason === null ? "running" : "failed";
  return rotation.plan.wayBack ? "done" : "failed";
}

function said(name: Checklist, events: readonly Event[]): string | null {
  const clauses = events.flatMap((event) =>
    event.step !== null && STEPS[event.step].checklist === name ? (CLAUSES[event.code]?.(event.detail) ?? []) : [],
  );
  return clauses.length === 0 ? null : [...new Set(clauses)].map(withoutRepeatedSubject).join(", ");
}

/** `key_abc idle, key_abc revoked` reads better as `key_abc idle, revoked`. */
function withoutRepeatedSubject(clause: string, index: number, clauses: readonly string[]): string {
  const [subject = ""] = clause.split(" ", 1);
  return clauses[index - 1]?.startsWith(`${subject} `) ? clause.slice(subject.length + 1) : clause;
}

type Detail = Readonly<Record<string, unknown>>;

/** What an event means to somebody who watches, where it is worth a clause. */
const CLAUSES: Readonly<Record<string, (detail: Detail) => string>> = {
  keyCreated: ({ keyId }) => `${keyId} created and staged`,
  keyFound: ({ keyId }) => `${keyId} found under the label of an earlier call`,
  keyBrought: ({ keyId }) => `${keyId} brought by a person`,
  keyDrawn: ({ keyId }) => `${keyId} taken from the pool`,
  keyVerified: ({ times }) => `accepted ${times} times in a row`,
  keyPromoted: ({ keyId }) => `${keyId} is the current value`,
  consumerReloaded: ({ consumer }) => `${consumer} picked it up`,
  consumerProven: ({ consumer, grade }) => `${consumer} proven to use it (${grade})`,
  keyIdle: ({ keyId }) => `${keyId} idle`,
  keyDisabled: ({ keyId }) => `${keyId} switched off`,
  keyEnabled: ({ keyId }) => `${keyId} switched on again`,
  keyRevoked: ({ keyId }) => `${keyId} revoked`,
  keySuperseded: ({ keyId }) => `${keyId} no longer accepted: the reload was its revoke`,
  gapMeasured: ({ atMostMs }) => `${atMostMs} ms at most without an accepted value`,
  keyDead: ({ keyId, refusals }) => `${keyId} proven dead (${refusals} times in a row)`,
};

export function eventView(event: Event): EventView {
  return { ...event, text: eventText(event) };
}

function eventText({ code, detail }: Event): string {
  const clause = CLAUSES[code]?.(detail);
  if (clause !== undefined) return clause;
  const sentence: string = Object.hasOwn(EVENTS, code) ? EVENTS[code as keyof typeof EVENTS] : code;
  const facts = Object.entries(detail)
    .filter(([, value]) => value !== null && typeof value !== "object")
    .map(([name, value]) => `${name} ${value}`);
  return facts.length === 0 ? sentence : `${sentence}: ${facts.join(", ")}`;
}
