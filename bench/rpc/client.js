// The client of one peer, in a process of its own: `node client.js PEER PORT`. For each line of standard input,
// `WORK MILLISECONDS`, it does the work so long and answers how many times a second it was done.
import { createInterface } from "node:readline";
import { performance } from "node:perf_hooks";

const [, , peer, port] = process.argv;
const { connect } = await import(`./peer-${peer}.js`);
const bench = await connect(Number(port));

/** So many loops at a time, each of which begins again when what it did has been answered. */
const inFlight = async (count, milliseconds, once) => {
  const end = performance.now() + milliseconds;
  let done = 0;
  const loop = async (seed) => {
    for (let i = seed; performance.now() < end; i = (i + 1) | 0) {
      await once(i);
      done++;
    }
  };
  const begin = performance.now();
  await Promise.all(Array.from({ length: count }, (_, i) => loop(i)));
  return (done * 1000) / (performance.now() - begin);
};

const addOnce = async (i) => {
  const sum = await bench.add(i, 7);
  if (sum !== ((i + 7) | 0)) throw new Error(`${i} + 7 is not ${sum}`);
};

const data = new Uint8Array(65536).map((_, i) => i * 7);

const echoOnce = async () => {
  const echo = await bench.echo(data);
  if (echo.length !== data.length || echo[65535] !== data[65535]) throw new Error("not what was sent");
};

const chainOnce = async (i) => {
  const sum = await bench.chain(10, i);
  if (sum !== ((i + 7) | 0)) throw new Error(`${i} + 7 is not ${sum}`);
};

const works = {
  "rpc-1": (ms) => inFlight(1, ms, addOnce),
  "rpc-128": (ms) => inFlight(128, ms, addOnce),
  "pipeline-10": (ms) => inFlight(1, ms, chainOnce),
  "echo-64k": (ms) => inFlight(16, ms, echoOnce),
};

for await (const line of createInterface({ input: process.stdin })) {
  const [work, milliseconds] = line.split(" ");
  console.log(await works[work](Number(milliseconds)));
}
process.exit(0);
