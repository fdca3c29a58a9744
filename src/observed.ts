/** One call of a plug that has begun: whose it is, as its names in the configuration, and which method. */
export interface ObservedCall {
  readonly method: string;
  readonly provider?: string;
  readonly store?: string;
  readonly mirror?: string;
  readonly consumer?: string;
  readonly credential?: string;
}

/** How long it took, and how it ended where it failed. */
export interface CallEnd {
  readonly durationMs: number;
  readonly code?: string;
}

/** Gets told of every call of a plug when it has begun; what it gives back, when that call has ended. */
export type Observe = (call: ObservedCall) => (end: CallEnd) => void;

/** The same plug, with every method call reported: logging, timing and counting stay out of the plugs. */
export function observed<Plug extends object>(plug: Plug, names: Omit<ObservedCall, "method">, observe: Observe): Plug {
  return new Proxy(plug, {
    get(target, property, receiver) {
      const member: unknown = Reflect.get(target, property, receiver);
      if (typeof member !== "function") return member;
      return (...args: unknown[]) => {
        const from = performance.now();
        const result: unknown = member.apply(target, args);
        if (!(result instanceof Promise)) return result;
        const ended = observe({ ...names, method: String(property) });
        const report = (error?: unknown) => {
          const code = error === undefined ? {} : { code: error instanceof Error && "code" in error ? String(error.code) : "error" };
          ended({ durationMs: Math.round(performance.now() - from), ...code });
        };
        return result.then(
          (value: unknown) => {
            report();
            return value;
          },
          (error: unknown) => {
            report(error);
            throw error;
          },
        );
      };
    },
  });
}
