// A server that holds connections: `node --expose-gc server.js capstan|bare tcp|tls`. Prints its port; answers each line on
// standard input with the bytes that it holds after its garbage was collected: the heap and what lies outside of it.
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { createServer as createTlsServer } from "node:tls";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ensureCertificates } from "../../dist/certs/make.js";

const [, , who, carrier] = process.argv;
const tls = carrier === "tls" ? await ensureCertificates() : undefined;

const serveCapstan = async () => {
  const capnp = await import("../../dist/package/index.js");
  const { Bench } = capnp.loadSync(fileURLToPath(new URL("../rpc/bench.capnp", import.meta.url)));
  class BenchImpl extends Bench.Server {
    add({ a, b }) {
      return { sum: (a + b) | 0 };
    }
  }
  const server = await capnp.listen("127.0.0.1:0", {
    bootstrap: new BenchImpl(),
    maxConnections: Number.POSITIVE_INFINITY,
    maxConnectionsPerAddress: Number.POSITIVE_INFINITY,
    ...(tls === undefined ? {} : { tls: { key: tls.key, cert: tls.cert } }),
  });
  return server.port;
};

/** The sockets alone, set as capstan sets them, which answer what they are sent. */
const serveBare = async () => {
  const settings = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000, allowHalfOpen: true };
  const held = (socket) => {
    sockets.add(socket);
    socket.on("data", (bytes) => socket.write(bytes));
    socket.on("error", () => undefined);
  };
  const sockets = new Set();
  const server = tls === undefined ? createServer(settings, held) : createTlsServer({ ...settings, ...tls }, held);
  await new Promise((resolve) => server.listen({ port: 0, host: "127.0.0.1", backlog: 511 }, resolve));
  return server.address().port;
};

console.log(who === "capstan" ? await serveCapstan() : await serveBare());
for await (const _ of createInterface({ input: process.stdin })) {
  // Twice, for what finalizers let go of; with a pause, for what the handshakes still hold.
  for (let i = 0; i < 4; i++) {
    globalThis.gc();
    await delay(50);
  }
  const { heapUsed, external } = process.memoryUsage();
  console.log(heapUsed + external);
}
process.exit(0);
