/** Something that a pre-flight saw and that would make a rotation fail or prove nothing. */
export interface Finding {
  /** A stable word in camelCase. */
  readonly code: string;
  /** Who, what, why: lower case, no full stop, no secret. */
  readonly message: string;
  /** What a person can do about it, down to the line of configuration. */
  readonly cure: string;
  /** What stood in the way may have passed by itself: another reload would show it. */
  readonly byReload?: true;
}
