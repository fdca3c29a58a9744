import { ControlError } from "../api-errors.ts";
import type { CredentialConfig } from "../config/config.ts";
import type { Engine } from "../rotation/engine.ts";
import type { EngineParts } from "../rotation/parts.ts";
import type { Shelf } from "../rotation/supply/shelf.ts";
import type { Scheduler } from "../scheduler.ts";

/** What the operations of the control socket work on. */
export interface DaemonParts extends Omit<EngineParts, "atRest"> {
  readonly engine: Engine;
  readonly scheduler: Scheduler;
  readonly shelf: Shelf;
  readonly configPath: string;
  readonly configLoadedAt: () => number;
  /** When the daemon started. */
  readonly since: number;
}

/** The configuration of a credential, or the error that says that there is none. */
export function credentialNamed(parts: Pick<DaemonParts, "config">, name: string): CredentialConfig {
  const { credentials } = parts.config();
  const credential = Object.hasOwn(credentials, name) ? credentials[name] : undefined;
  if (credential !== undefined) return credential;
  const known = Object.keys(credentials);
  const hint =
    known.length === 0
      ? "the configuration has no credentials"
      : known.length <= 10
        ? `there are: ${known.join(", ")}`
        : "rotatectl status lists them";
  throw new ControlError("unknownCredential", `no credential "${name}"`, hint);
}
