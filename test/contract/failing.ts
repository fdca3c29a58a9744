import { AdapterError } from "../../src/contract/errors.ts";
import type { Exchange } from "../../src/contract/http.ts";
import type { Files, World } from "../../src/contract/world.ts";

/** As if the process had died at its operation number `at`: this one and all later ones throw. */
export function failingFiles(files: Files, at: number, when: "before" | "after"): { files: Files; failed: () => boolean } {
  let count = 0;
  async function counted<T>(operation: () => Promise<T>): Promise<T> {
    count += 1;
    if (count === at && when === "after") await operation();
    if (count >= at) throw Object.assign(new Error("the process died here"), { code: "EIO" });
    return operation();
  }
  return {
    failed: () => count >= at,
    files: {
      read: (path) => counted(() => files.read(path)),
      replace: (path, content, options) => counted(() => files.replace(path, content, options)),
      remove: (path) => counted(() => files.remove(path)),
      list: (directory) => counted(() => files.list(directory)),
      stat: (path) => counted(() => files.stat(path)),
    },
  };
}

/** The same for exchanges with a server. */
export function failingExchange(real: Exchange, at: number, when: "before" | "after"): { exchange: Exchange; failed: () => boolean } {
  let count = 0;
  return {
    failed: () => count >= at,
    async exchange(request) {
      count += 1;
      if (count === at && when === "after") await real(request);
      if (count >= at) throw new AdapterError("unavailable", `${request.action}: the process died here`);
      return real(request);
    },
  };
}

/** The same for what is sent over WebSockets, whose first operation is to open one. With `after` the answer is lost, and the connection with it. */
export function failingSockets(
  open: World["openWebSocket"],
  at: number,
  when: "before" | "after",
): { openWebSocket: World["openWebSocket"]; failed: () => boolean } {
  let count = 0;
  return {
    failed: () => count >= at,
    async openWebSocket(url) {
      count += 1;
      if (count >= at) throw new AdapterError("unavailable", "the process died here");
      const socket = await open(url);
      const send = socket.send.bind(socket);
      socket.addEventListener("message", (event) => {
        if (count < at) return;
        event.stopImmediatePropagation();
        socket.close();
      });
      socket.send = (data) => {
        count += 1;
        if (count < at || (count === at && when === "after")) send(data);
        else socket.close();
      };
      return socket;
    },
  };
}
