export interface Reply {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer, or a stream of server-sent events. */
export type Answer = Reply | { readonly status: 200; readonly events: readonly unknown[] };

/** Azure's one error shape; thrown where something is refused. */
export class Refusal extends Error {
  readonly answer: Reply;

  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.answer = { status, body: { error: { code, message } }, headers };
  }
}
