// Calls over TCP on this machine: a server and a client of each peer, each in a process of its own, the servers on one
// processor and the clients on another where there are two.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { median } from "./measure.js";
import { cppPeer } from "./rpc/cpp-peer.js";

const here = fileURLToPath(new URL("rpc/", import.meta.url));
const milliseconds = 500;
const rounds = 7;

const canPin = availableParallelism() > 1 && spawnSync("taskset", ["-c", "0", "true"]).status === 0;

/** A process that answers each line written to it with a line. */
const start = (processor, command, ...args) => {
  const pinned = canPin ? ["taskset", "-c", String(processor), command, ...args] : [command, ...args];
  const child = spawn(pinned[0], pinned.slice(1), { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${command} ${args.join(" ")} ended, with status ${child.exitCode}`);
    return Number(value);
  };
  return {
    answer,
    ask: (line) => {
      child.stdin.write(`${line}\n`);
      return answer();
    },
    stop: async () => {
      child.stdin.end();
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    },
  };
};

const node = (program, ...args) => ["node", here + program, ...args];

/** What starts a peer's server and, given its port, its client. */
const commandsOf = (peer) => {
  if (peer !== "C++") return { server: node("server.js", peer), client: (port) => node("client.js", peer, port) };
  const cpp = cppPeer();
  return cpp && { name: cpp.name, server: [cpp.program, "serve"], client: (port) => [cpp.program, "call", port] };
};

/** Times a second that each peer does the work: medians of rounds in turn, after one that does not count. */
const measure = async (work, peers) => {
  const running = [];
  try {
    for (const peer of peers) {
      const commands = commandsOf(peer);
      if (commands === undefined) continue;
      const server = start(1, ...commands.server);
      running.push({ name: commands.name ?? peer, processes: [server], figures: [] });
      const port = await server.answer();
      const client = start(0, ...commands.client(String(port)));
      running.at(-1).processes.unshift(client);
      running.at(-1).client = client;
    }
    for (const { client } of running) await client.ask(`${work} ${2 * milliseconds}`);
    for (let round = 0; round < rounds; round++) {
      for (const { client, figures } of running) figures.push(await client.ask(`${work} ${milliseconds}`));
    }
    return Object.fromEntries(running.map(({ name, figures }) => [name, median(figures)]));
  } finally {
    for (const { processes } of running) for (const one of processes) await one.stop();
  }
};

const workOf =
  (work, peers, unit, target, factor = 1) =>
  async () => {
    const { capstan, ...others } = await measure(work, ["capstan", ...peers]);
    const scaled = Object.entries(others).map(([name, figure]) => [name, figure * factor]);
    return { work, unit, capstan: capstan * factor, peers: Object.fromEntries(scaled), target };
  };

const overTls = async () => {
  const figures = await measure("rpc-128", ["capstan", "capstan-tls"]);
  return {
    work: "rpc-128-tls",
    unit: "calls/s",
    capstan: figures["capstan-tls"],
    peers: { "capstan without TLS": figures.capstan },
    target: "0.7x without TLS",
  };
};

/** Data that is sent once each way, in MB of 10^6 bytes. */
const megabytes = 65536 / 1e6;

/** @type {Record<string, () => Promise<Result>>} */
export const rpcWorks = {
  "rpc-1": workOf("rpc-1", ["C++", "capnweb", "grpc-js"], "calls/s", "1.3x C++ 0.9.2"),
  "rpc-128": workOf("rpc-128", ["C++", "capnweb", "grpc-js"], "calls/s", "8x C++ 0.9.2, 10x capnweb, 60x grpc-js"),
  "rpc-128-tls": overTls,
  "pipeline-10": workOf("pipeline-10", ["C++", "capnweb"], "calls/s", "3.5x C++ 0.9.2; chains of ten a second"),
  "echo-64k": workOf("echo-64k", ["C++", "capnweb", "grpc-js"], "MB/s", "0.8x C++ 0.9.2", megabytes),
};
