/** Gets told of every call of a plug, how long it took, and how it ended. */
export type Observe = (
  call: { readonly method: string; readonly durationMs: number; readonly code?: string } & Readonly<Record<string, unknown>>,
) => void;

/** The same plug, with every method call reported: logging and timing stay out of the plugs. */
export function observed<Plug extends object>(plug: Plug, names: Readonly<Record<string, string>>, observe: Observe): Plug {
  return new Proxy(plug, {
    get(target, property, receiver) {
      const member: unknown = Reflect.get(target, property, receiver);
      if (typeof member !== "function") return member;
      return (...args: unknown[]) => {
        const from = performance.now();
        const report = (error?: unknown) => {
          const code = error === undefined ? {} : { code: error instanceof Error && "code" in error ? String(error.code) : "error" };
          observe({ ...names, method: String(property), durationMs: Math.round(performance.now() - from), ...code });
        };
        const result: unknown = member.apply(target, args);
        if (!(result instanceof Promise)) return result;
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
