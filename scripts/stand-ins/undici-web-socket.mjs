// Its `fetch` comes with it: loaded when the first WebSocket is opened.
export { WebSocket } from "undici/lib/web/websocket/websocket.js";
