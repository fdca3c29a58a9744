import type { Ask, Control, CredentialReply, Operation } from "../../src/api.ts";
import { ControlError, type ErrorBody } from "../../src/api-errors.ts";
import type { ChecklistItem, EventView, KeyView, RotationView } from "../../src/api-views.ts";
import type { Secret } from "../../src/contract/secret.ts";
import { CHECKLIST } from "../../src/model.ts";

/** The time at which the fake lives. */
export const NOW = Date.UTC(2026, 10, 24, 12);
const [MINUTE, HOUR, DAY] = [60_000, 3_600_000, 86_400_000] as const;

function key(vendorId: string, more: Partial<KeyView> = {}): KeyView {
  return {
    vendorId,
    label: `rotated-inst-${vendorId.replace("key_", "")}`,
    stage: "current",
    createdAt: NOW - 3 * DAY,
    ageMs: 3 * DAY,
    expiresAt: null,
    promotedAt: NOW - 3 * DAY,
    disabledAt: null,
    revokedAt: null,
    deadAt: null,
    ...more,
  };
}

/** A checklist of which the first ones are as given, and the rest lies ahead. */
export function checklist(...begun: readonly Omit<ChecklistItem, "name">[]): readonly ChecklistItem[] {
  return CHECKLIST.map((name, index) => ({ name, ...(begun[index] ?? { state: "ahead", text: null }) }));
}

export function rotation(more: Partial<RotationView> = {}): RotationView {
  return {
    id: 12,
    credential: "prod-openai",
    plan: "routine",
    step: "create",
    checklist: checklist({ state: "running", text: null }),
    trigger: "operator",
    actor: null,
    reason: null,
    target: null,
    old: "key_abc",
    startedAt: NOW - 2 * MINUTE,
    stepSince: NOW - MINUTE,
    dueAt: NOW,
    attempts: 0,
    lastError: null,
    stuck: null,
    wanted: null,
    outcome: null,
    endedAt: null,
    ...more,
  };
}

const STUCK = rotation({
  id: 7,
  credential: "batch-openai",
  step: "confirm",
  startedAt: NOW - 5 * HOUR,
  dueAt: null,
  checklist: checklist(
    { state: "done", text: "key_new created, accepted 3 times" },
    { state: "done", text: "local holds key_new" },
    { state: "done", text: "gateway holds it" },
    { state: "done", text: "gateway served by key_new" },
    { state: "running", text: "key_old is still accepted" },
  ),
  stuck: { reason: "the vendor still accepts key_old after 2 h", hint: "delete key_old at the vendor, then: rotatectl retry" },
});

function credential(name: string, more: Partial<CredentialReply> = {}): CredentialReply {
  return {
    name,
    configured: true,
    provider: "openai",
    store: "local",
    paused: false,
    nextAt: NOW + 27 * DAY,
    current: key("key_abc"),
    pooled: 0,
    open: null,
    last: { rotation: 5, outcome: "done", reason: null, endedAt: NOW - 3 * DAY },
    consumers: ["gateway"],
    schedule: "every 30d",
    window: { from: "02:00", to: "05:00", zone: "Europe/Berlin" },
    overlapMs: HOUR,
    keys: [key("key_abc"), key("key_old", { stage: "retiring", ageMs: 33 * DAY + 4 * HOUR })],
    openIntents: [{ label: "rotated-inst-xyz", announcedAt: NOW - 20_000 }],
    ...more,
  };
}

export interface Call {
  readonly operation: Operation;
  readonly request: unknown;
  readonly ask: Ask;
}

/** A daemon's inside that keeps no state but what a test gives it. */
export class FakeControl implements Control {
  readonly calls: Call[] = [];
  /** What each `watch` answers, one after the other; the last one stays. When empty, it waits until its signal aborts. */
  news: RotationView[] = [];
  warnings: string[] = [];
  credentials: CredentialReply[] = [
    credential("prod-openai"),
    credential("batch-openai", { current: key("key_new", { ageMs: 5 * HOUR }), open: STUCK, last: null, nextAt: null }),
  ];
  readonly #failures = new Map<Operation, Error>();

  /** The next call of `operation` throws. */
  fail(operation: Operation, error: Error): void {
    this.#failures.set(operation, error);
  }

  /** The calls of one operation. */
  callsOf(operation: Operation): readonly Call[] {
    return this.calls.filter((call) => call.operation === operation);
  }

  async status(request: object, ask: Ask) {
    this.#note("status", request, ask);
    const config = { path: "/etc/rotated/rotated.yaml", loadedAt: NOW - DAY, warnings: this.warnings };
    return { version: "0.1.0", since: NOW - 90 * MINUTE, config, credentials: this.credentials };
  }

  async show(request: { name: string }, ask: Ask) {
    this.#note("show", request, ask);
    return this.#find(request.name);
  }

  async history(request: { name?: string; limit: number; before?: number }, ask: Ask) {
    this.#note("history", request, ask);
    const events = [event(3, "promote", "local holds key_new"), event(2, "create", "key_new created"), event(1, null, "started by alice")];
    return { events: events.slice(0, request.limit), next: request.limit < 3 ? 2 : null };
  }

  async watch(request: { id: number; after: number; waitMs: number }, ask: Ask) {
    this.#note("watch", request, ask);
    const next = this.news.length > 1 ? this.news.shift() : this.news[0];
    if (next !== undefined) return { rotation: next, events: [event(request.after + 1, next.step, "news")] };
    const { promise, reject } = Promise.withResolvers<never>();
    ask.signal.addEventListener("abort", () => reject(ask.signal.reason));
    return promise;
  }

  async plan(request: { name: string }, ask: Ask) {
    this.#note("plan", request, ask);
    const vendor = { kind: "provider", name: "openai" } as const;
    const gateway = { kind: "consumer", name: "gateway" } as const;
    return {
      credential: request.name,
      plan: "routine",
      notes: ["replaces key_abc, which stays accepted for 1 h"],
      effects: [
        { step: "create", checklist: "generate", effect: "creates a key", target: vendor, irreversible: false, consumersFeel: null },
        {
          step: "reload",
          checklist: "reload",
          effect: "asks for a reload",
          target: gateway,
          irreversible: false,
          consumersFeel: "a new run waits up to 1 s",
        },
        { step: "revoke", checklist: "revoke", effect: "deletes key_abc", target: vendor, irreversible: true, consumersFeel: null },
      ] as const,
      findings: request.name === "batch-openai" ? [FINDING] : [],
    };
  }

  async check(request: object, ask: Ask) {
    this.#note("check", request, ask);
    return {
      checked: [
        { subject: { kind: "provider", name: "openai" }, findings: [] },
        { subject: { kind: "consumer", name: "gateway" }, findings: [FINDING] },
      ] as const,
    };
  }

  async rotate(request: { name: string } | { all: true }, ask: Ask) {
    this.#note("rotate", request, ask);
    if ("name" in request) return { rotations: [this.#start(request.name)], refused: [] };
    const error: ErrorBody = { code: "conflict", message: "batch-openai is paused", hint: "rotatectl resume batch-openai" };
    return { rotations: [this.#start("prod-openai")], refused: [{ credential: "batch-openai", error }] };
  }

  async rehearse(request: { name: string }, ask: Ask) {
    this.#note("rehearse", request, ask);
    return { ...this.#start(request.name), rotation: rotation({ credential: request.name, plan: "rehearsal" }) };
  }

  async pause(request: { name: string } | { all: true }, ask: Ask) {
    this.#note("pause", request, ask);
    const names = "name" in request ? [this.#find(request.name).name] : this.credentials.map(({ name }) => name);
    return { credentials: names.map((name) => ({ name, paused: true, changed: name !== "batch-openai" })) };
  }

  async resume(request: { name: string } | { all: true }, ask: Ask) {
    this.#note("resume", request, ask);
    const names = "name" in request ? [this.#find(request.name).name] : this.credentials.map(({ name }) => name);
    return { credentials: names.map((name) => ({ name, paused: false, changed: true })) };
  }

  async cancel(request: { name: string }, ask: Ask) {
    this.#note("cancel", request, ask);
    return { rotation: rotation(), message: "takes the way back to key_abc" };
  }

  async retry(request: { name: string }, ask: Ask) {
    this.#note("retry", request, ask);
    return { rotation: { ...STUCK, stuck: null }, message: "confirm runs again" };
  }

  async abandon(request: { name: string }, ask: Ask) {
    this.#note("abandon", request, ask);
    return { rotation: { ...STUCK, outcome: "abandoned", endedAt: NOW } as const, message: "abandoned; key_old stays a debt" };
  }

  async adopt(request: { name: string; keyId?: string }, ask: Ask) {
    this.#note("adopt", request, ask);
    const adopted = request.keyId ?? "key_abc";
    return { credential: request.name, key: key(adopted), message: `${adopted} is ours now, and stays in use` };
  }

  async intake(request: { name: string; secret: Secret; keyId?: string }, ask: Ask) {
    this.#note("intake", request, ask);
    const brought = request.keyId ?? "key_brought";
    const message = `${brought} was taken in; it waits in the pool; it is switched off at the vendor until it is needed`;
    return { credential: request.name, key: key(brought, { stage: "pooled" }), message };
  }

  async retire(request: { name: string }, ask: Ask) {
    this.#note("retire", request, ask);
    const message = "retired; key_abc stays alive and is yours to delete";
    return { credential: request.name, key: key("key_abc"), pooled: [], message };
  }

  async pair(request: { consumer: string }, ask: Ask) {
    this.#note("pair", request, ask);
    return {
      consumer: request.consumer,
      paired: false,
      message: `${request.consumer}: approve the device with: openclaw devices approve 4711`,
    };
  }

  #note(operation: Operation, request: unknown, ask: Ask): void {
    this.calls.push({ operation, request, ask });
    const failure = this.#failures.get(operation);
    this.#failures.delete(operation);
    if (failure !== undefined) throw failure;
  }

  #find(name: string): CredentialReply {
    const found = this.credentials.find((known) => known.name === name);
    if (found !== undefined) return found;
    throw new ControlError("unknownCredential", `no credential "${name}"`, 'did you mean "prod-openai"?');
  }

  #start(name: string) {
    const { open } = this.#find(name);
    return open === null ? { rotation: rotation({ credential: name }), started: true } : { rotation: open, started: false };
  }
}

const FINDING = { code: "shadowed", message: "gateway: OPENAI_API_KEY shadows the credential", cure: "remove it from the unit" };

function event(id: number, step: EventView["step"], text: string): EventView {
  return { id, at: NOW - (10 - id) * MINUTE, credential: "prod-openai", rotation: 12, step, code: "step", detail: {}, text };
}
