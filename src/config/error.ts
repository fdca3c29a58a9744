/** One thing that is wrong with the configuration, and what to do about it. It never holds a value of the file. */
export interface Problem {
  /** The setting, such as `credentials.prod-openai.overlap`; empty for the file as a whole. */
  readonly path: string;
  /** Counted from 1; left out when the file could not be read at all. */
  readonly line?: number;
  readonly column?: number;
  /** Lower case, no full stop. */
  readonly message: string;
  readonly hint: string;
}

/** The operator's file is not accepted. Knows all its problems, in the order of the file. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly file: string;
  readonly problems: readonly Problem[];

  constructor(file: string, problems: readonly Problem[]) {
    super(problems.map((problem) => `${describeProblem(file, problem)}\nhint: ${problem.hint}`).join("\n"));
    this.file = file;
    this.problems = problems;
  }
}

/** `rotated.yaml:12:5: credentials.prod-openai.overlap: not a valid value`. */
export function describeProblem(file: string, { path, line, column, message }: Omit<Problem, "hint">): string {
  const place = line === undefined ? file : `${file}:${line}:${column ?? 1}`;
  return path === "" ? `${place}: ${message}` : `${place}: ${path}: ${message}`;
}
