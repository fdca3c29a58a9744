/**
 * Keeps what a plug is logged in with from running out while no rotation calls it, and answers in how many milliseconds to ask
 * again: a token that was given to us, and that we cannot get anew by ourselves, would not live from one rotation to the next.
 * `undefined` when nothing runs out, or when the plug logs in anew by itself. Plugs that sign each call have no such method.
 */
export type KeepSession = (signal: AbortSignal) => Promise<number | undefined>;
