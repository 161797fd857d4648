import { newWebSocketRpcSession, RpcTarget } from "capnweb";
import { WebSocket, WebSocketServer } from "ws";

// Node 20 has none of its own.
globalThis.WebSocket = WebSocket;

class Bench extends RpcTarget {
  add(a, b) {
    return (a + b) | 0;
  }
  next() {
    return this;
  }
  echo(data) {
    return data;
  }
}

export const serve = () =>
  new Promise((resolve) => {
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
    server.on("connection", (socket) => newWebSocketRpcSession(socket, new Bench()));
    server.on("listening", () => resolve(server.address().port));
  });

export const connect = async (port) => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  const bench = newWebSocketRpcSession(socket);
  return {
    add: (a, b) => bench.add(a, b),
    echo: (data) => bench.echo(data),
    chain: (length, a) => {
      let last = bench;
      for (let i = 1; i < length; i++) last = last.next();
      return last.add(a, 7);
    },
  };
};
