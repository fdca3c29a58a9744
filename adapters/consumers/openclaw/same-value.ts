import type { Finding } from "../../../src/contract/finding.ts";
import type { Secret } from "../../../src/contract/secret.ts";
import { activeValues, pathsThatHold } from "../../openclaw/active.ts";
import type { Gateway } from "../../openclaw/gateway.ts";

/** What should have one value in a gateway, and where else that could stand unseen. */
interface Watched {
  /** The consumer's name. */
  readonly name: string;
  readonly what: "key" | "token";
  readonly paths: readonly string[];
  readonly elsewhere: readonly string[];
  /** Why some reference has no value was told already. */
  readonly isDegraded: boolean;
}

/** Where the gateway does not use `current`, and where it uses it without anybody watching. */
export async function notTheSame(gateway: Gateway, watched: Watched, current: Secret): Promise<readonly Finding[]> {
  const { name, what, paths, elsewhere, isDegraded } = watched;
  const active = await activeValues(gateway, paths);
  const differing = paths.flatMap((path) => {
    const value = active.find((one) => one.path === path)?.value;
    if (value?.equals(current) === true || (value === undefined && isDegraded)) return [];
    return {
      code: "otherValue",
      message: `${name}: ${path} ${value === undefined ? "is no reference that the gateway resolved" : "has another value than the store"}`,
      cure: `${path} must refer to the place that this credential's store or mirror writes; if it does, run: openclaw secrets reload`,
    };
  });
  const unwatched = (await pathsThatHold(gateway, current, elsewhere)).filter((path) => !paths.includes(path));
  return [
    ...differing,
    ...unwatched.map((path) => ({
      code: "otherReference",
      message: `${name}: ${path} holds the same ${what}, and nobody would see whether it follows`,
      cure: `let it refer to the same place and list it: also: [${path.includes("[") ? `'${path}'` : path}]`,
    })),
  ];
}
