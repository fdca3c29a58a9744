import { join } from "node:path";
import { AdapterError } from "../contract/errors.ts";
import { fileError } from "../contract/file-errors.ts";
import { Secret } from "../contract/secret.ts";
import type { SecretRef } from "../contract/settings.ts";
import type { Files } from "../contract/world.ts";

/** Where an operator puts the files that `{ credential }` names. */
const CREDENTIALS_DIRECTORY = "/etc/rotated/credentials";

interface Sources {
  readonly files: Files;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The value of a credential of the configuration; left out where there is none, as in a check without a daemon. */
  readonly store?: (credential: string) => Promise<Secret>;
  /** Where credentials lie when systemd hands in none. */
  readonly credentialsDirectory?: string;
}

/**
 * Finds the secret behind a reference, anew at each call. One line end at its end is not part of it. Throws
 * `AdapterError`: `misconfigured` for one that is missing or empty, `denied` for one that we may not read or that everybody may.
 */
export function secretResolver({ files, env, store, credentialsDirectory = CREDENTIALS_DIRECTORY }: Sources) {
  return async (reference: SecretRef): Promise<Secret> => {
    if ("env" in reference) return fromEnvironment(env, reference.env);
    if ("file" in reference) return fromFile(files, [reference.file], `file ${reference.file}`, makeFile(reference.file));
    if ("store" in reference) return (store ?? noStore)(reference.store);
    return fromCredential(reference.credential);
  };

  function fromCredential(name: string): Promise<Secret> {
    const handedIn = env["CREDENTIALS_DIRECTORY"];
    const source = join(credentialsDirectory, name);
    if (handedIn === undefined) return fromFile(files, [source], `credential "${name}"`, makeFile(source));
    // LoadCredential=rotated:DIRECTORY hands the file x in as rotated_x, and only at the start of the unit.
    const candidates = [join(handedIn, `rotated_${name}`), join(handedIn, name)];
    return fromFile(
      files,
      candidates,
      `credential "${name}"`,
      `${makeFile(source)}, then restart rotated: systemd hands credentials in at start`,
    );
  }
}

function noStore(name: string): never {
  throw new AdapterError("misconfigured", `read secret: credential "${name}" of the configuration: only the daemon can read it`);
}

function fromEnvironment(env: Sources["env"], name: string): Secret {
  const value = withoutLineEnd(env[name] ?? "");
  if (value !== "") return new Secret(value);
  throw new AdapterError("misconfigured", `read secret: variable ${name}: ${env[name] === undefined ? "not set" : "empty"}`, {
    cure: `set ${name} in the daemon's environment, or better give the secret as { credential: NAME }`,
  });
}

async function fromFile(files: Files, candidates: readonly string[], what: string, make: string): Promise<Secret> {
  for (const path of candidates) {
    const action = `read secret: ${what}`;
    try {
      await refuseOpenFile(files, path, action);
      const text = await files.read(path);
      if (text === undefined) continue;
      const value = withoutLineEnd(text);
      if (value === "") throw new AdapterError("misconfigured", `${action}: ${path} is empty`, { cure: make });
      return new Secret(value);
    } catch (error) {
      throw fileError(error, `${action}: ${path}`, {
        denied: `let the daemon's user read ${path}: chown it to that user, chmod 600`,
        notFound: make,
      });
    }
  }
  throw new AdapterError("misconfigured", `read secret: ${what}: no file ${candidates.at(-1)}`, { cure: make });
}

/** A secret that every account of the host can read is no secret; a link hides whether they can. */
async function refuseOpenFile(files: Files, path: string, action: string): Promise<void> {
  const facts = await files.stat(path);
  if (facts === undefined) return;
  if (facts.kind === "symlink") {
    throw new AdapterError("denied", `${action}: ${path} is a symbolic link`, { cure: "name the file itself, not a link to it" });
  }
  if (facts.kind !== "file") throw new AdapterError("misconfigured", `${action}: ${path} is not a file`, { cure: "name a regular file" });
  if ((facts.mode & 0o007) !== 0) {
    throw new AdapterError("denied", `${action}: ${path} is open to every user of this host`, { cure: `chmod 600 ${path}` });
  }
}

function makeFile(path: string): string {
  return `make it with: install -D -m 600 /dev/stdin ${path} (paste the secret, then Ctrl-D)`;
}

function withoutLineEnd(text: string): string {
  return text.replace(/\r?\n$/, "");
}
