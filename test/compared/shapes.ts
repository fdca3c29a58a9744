/**
 * Where a double's answer is of another shape than the real one: a field that the real one lacks, or a value of another kind. What
 * the real one has more is its own affair. A refusal must be the same word for word, but for its message, of which the words count
 * that both say of any request.
 */
export function differences(ours: unknown, theirs: unknown, at = "body"): readonly string[] {
  if (ours === null || theirs === null) return [];
  if (kindOf(ours) !== kindOf(theirs)) return [`${at}: ${kindOf(ours)}, and really ${kindOf(theirs)}`];
  if (Array.isArray(ours) && Array.isArray(theirs)) {
    if (ours.length !== theirs.length) return [`${at}: ${ours.length} entries, and really ${theirs.length}`];
    return ours.flatMap((entry, index) => differences(entry, theirs[index], `${at}[${index}]`));
  }
  if (isObject(ours) && isObject(theirs)) {
    return Object.entries(ours).flatMap(([name, value]) => {
      if (!(name in theirs)) return [`${at}.${name}: there is no such field`];
      const words = WORDS.has(name) && (at === "body.error" || at.startsWith("body.detail"));
      if (words && value !== theirs[name]) return [`${at}.${name}: ${value}, and really ${theirs[name]}`];
      return differences(value, theirs[name], `${at}.${name}`);
    });
  }
  return [];
}

/** What a program tells refusals apart by. */
const WORDS: ReadonlySet<string> = new Set(["type", "code"]);

function kindOf(value: unknown): string {
  return Array.isArray(value) ? "list" : typeof value;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
