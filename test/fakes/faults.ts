/** What goes wrong with a request. */
export type Fault =
  /** Answers so, without doing the work. */
  | { readonly do: "reply"; readonly status: number; readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> }
  /** A page of some proxy in between, without doing the work. */
  | { readonly do: "html"; readonly status?: number }
  /** The vendor's 429. */
  | { readonly do: "rateLimit"; readonly retryAfter?: string }
  /** Waits, then goes on as usual. */
  | { readonly do: "delay"; readonly ms: number }
  /** Does the work, then closes the connection without an answer. */
  | { readonly do: "loseReply" }
  /** Closes the connection before doing anything. */
  | { readonly do: "dropBefore" }
  /** Never answers and does nothing. */
  | { readonly do: "hang" };

/** Which requests a fault meets, and how often. */
export interface FaultRule {
  readonly method?: string;
  /** A regular expression on the path. */
  readonly path?: string;
  /** Lets so many matching requests through first. */
  readonly skip?: number;
  /** How many requests it meets; without it, all. */
  readonly times?: number;
  readonly fault: Fault;
}

/** The list of faults to come; the first rule that matches is used, and used up. */
export function makeFaults() {
  let rules: { rule: FaultRule; skip: number; left: number }[] = [];

  return {
    add(rule: FaultRule): void {
      rules.push({ rule, skip: rule.skip ?? 0, left: rule.times ?? Number.POSITIVE_INFINITY });
    },
    clear(): void {
      rules = [];
    },
    /** The fault that meets this request, if any. */
    take(method: string, path: string): Fault | undefined {
      for (const entry of rules) {
        const { rule } = entry;
        if (entry.left <= 0 || (rule.method !== undefined && rule.method !== method)) continue;
        if (rule.path !== undefined && !new RegExp(rule.path).test(path)) continue;
        if (entry.skip > 0) {
          entry.skip -= 1;
          continue;
        }
        entry.left -= 1;
        return rule.fault;
      }
      return undefined;
    },
  };
}
