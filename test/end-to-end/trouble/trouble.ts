import type { AdapterCode } from "../../../src/contract/errors.ts";
import type { PlugStore } from "../../kill/plug-stores.ts";
import type { Host } from "../../support/host.ts";

/** A document in a real store, of which one field is a credential's and another one is somebody else's. */
export interface TroubledStore {
  open(host: Host): Promise<PlugStore>;
  /** Comes once between the daemon's look at the document and its write. */
  meet: (() => Promise<void>) | undefined;
  /** What stands in the field that is not ours. */
  beside(): Promise<string>;
  writeBeside(text: string): Promise<void>;
}

/** What a store can come to. */
export interface Trouble<Place> {
  readonly name: string;
  /** Makes it, and gives what a person does about it. */
  begin(place: Place, host: Host): Promise<() => Promise<unknown>>;
  readonly code: AdapterCode;
  /** What the person reads. */
  readonly hint: RegExp;
  /** Waiting may cure it: nobody is called at once, and a rotation that has not begun waits, too. */
  readonly passes: boolean;
}
