import type { Document, Path } from "./document.ts";
import type { Problem } from "./error.ts";
import { pathText } from "./explain.ts";
import type { Parts } from "./parsed.ts";

/** A setting as it is written, and where. */
export interface Value {
  readonly path: Path;
  readonly value: unknown;
}

/** Every setting of a plug, at any depth; not what stands in lists, such as the arguments of a command. */
export function valuesOf({ value }: Document): readonly Value[] {
  const file = (value ?? {}) as Readonly<Record<string, unknown>>;
  return ["providers", "stores", "consumers", "credentials"].flatMap((section) => below([section], file[section]));
}

function below(path: Path, value: unknown): readonly Value[] {
  if (typeof value !== "object" || value === null) return [];
  // Of all lists only that of a credential's consumers holds settings.
  if (Array.isArray(value) && path.at(-1) !== "consumers") return [];
  return Object.entries(value).flatMap(([name, child]) => {
    const at = [...path, Array.isArray(value) ? Number(name) : name];
    return [{ path: at, value: child }, ...below(at, child)];
  });
}

/** Every place of every credential: that of its store, and those of its mirrors. */
export function placesOf(credentials: Parts["credentials"]) {
  return Object.entries(credentials).flatMap(([name, { store, mirrors }]) => [
    { name, path: ["credentials", name, "store"] as Path, used: store, role: "connect" as const },
    ...mirrors.map((used, index) => ({ name, path: ["credentials", name, "mirrors", index] as Path, used, role: "mirror" as const })),
  ]);
}

/** A problem at a place of the file. */
export function tell(document: Document, path: Path, message: string, hint: string): Problem {
  return { path: pathText(path), ...document.valueAt(path), message, hint };
}
