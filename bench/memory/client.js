// Opens connections, uses each once, and leaves them idle: `node client.js capstan|bare tcp|tls PORT COUNT`. Prints when they stand.
import { once } from "node:events";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { fileURLToPath } from "node:url";
import { ensureCertificates } from "../../dist/certs/make.js";

const [, , who, carrier, port, count] = process.argv;
const tls = carrier === "tls" ? { ca: (await ensureCertificates()).ca } : undefined;
const kept = [];

const openCapstan = async () => {
  const capnp = await import("../../dist/package/index.js");
  const { Bench } = capnp.loadSync(fileURLToPath(new URL("../rpc/bench.capnp", import.meta.url)));
  return async () => {
    const client = await capnp.connect(`127.0.0.1:${port}`, tls === undefined ? {} : { tls });
    const bench = client.bootstrap(Bench);
    await bench.add({ a: 1, b: 2 });
    kept.push(client, bench);
  };
};

const openBare = () => async () => {
  const to = { port: Number(port), host: "127.0.0.1" };
  const socket = tls === undefined ? connect(to) : connectTls({ ...to, ...tls });
  await once(socket, tls === undefined ? "connect" : "secureConnect");
  socket.write(new Uint8Array(64));
  await once(socket, "data");
  kept.push(socket);
};

const open = who === "capstan" ? await openCapstan() : openBare();
for (let left = Number(count); left > 0; left -= 50) {
  await Promise.all(Array.from({ length: Math.min(50, left) }, open));
}
console.log("0");
process.stdin.on("end", () => process.exit(0)).resume();
