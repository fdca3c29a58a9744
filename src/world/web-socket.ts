/** A file of its own, because `scripts/build.ts` takes other parts of undici for it: with a WebSocket comes a whole `fetch`. */
export { WebSocket } from "undici";
