import { fileURLToPath } from "node:url";
import * as capnp from "../../dist/package/index.js";

const { Bench } = capnp.loadSync(fileURLToPath(new URL("bench.capnp", import.meta.url)));

class BenchImpl extends Bench.Server {
  add({ a, b }) {
    return { sum: (a + b) | 0 };
  }
  next() {
    return { next: this };
  }
  echo({ data }) {
    return { data };
  }
}

export const serveAt = async (address, options) => {
  const server = await capnp.listen(address, { bootstrap: new BenchImpl(), ...options });
  return server.port;
};

export const connectTo = async (address, options) => {
  const client = await capnp.connect(address, options);
  const bench = client.bootstrap(Bench);
  return {
    add: async (a, b) => (await bench.add({ a, b })).sum,
    echo: async (data) => (await bench.echo({ data })).data,
    chain: async (length, a) => {
      let last = bench;
      for (let i = 1; i < length; i++) last = last.next().next;
      return (await last.add({ a, b: 7 })).sum;
    },
  };
};

export const serve = () => serveAt("127.0.0.1:0");

export const connect = (port) => connectTo(`127.0.0.1:${port}`);
