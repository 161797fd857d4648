// What an idle connection costs a server: thousands of them on one process, each of which was used once and holds a
// capability, beside as many bare sockets of Node's.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL("memory/", import.meta.url));

const start = (...args) => {
  const child = spawn(process.execPath, ["--expose-gc", ...args], { cwd: here, stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    answer: async () => {
      const { value, done } = await lines.next();
      if (done) throw new Error(`${args.join(" ")} ended, with status ${child.exitCode}`);
      return Number(value);
    },
    ask(line) {
      child.stdin.write(`${line}\n`);
      return this.answer();
    },
    stop: () => child.kill("SIGKILL"),
  };
};

/** Bytes that a server holds for each of so many connections. */
const held = async (who, carrier, count) => {
  const processes = [];
  const run = (...args) => {
    const one = start(...args);
    processes.push(one);
    return one;
  };
  try {
    const server = run("server.js", who, carrier);
    const port = await server.answer();
    // What the first connections set up for all is not theirs.
    await run("client.js", who, carrier, port, 100).answer();
    const before = await server.ask("measure");
    await run("client.js", who, carrier, port, count).answer();
    return ((await server.ask("measure")) - before) / count;
  } finally {
    for (const { stop } of processes) stop();
  }
};

const workOf = (work, carrier, count) => async () => {
  const socket = await held("bare", carrier, count);
  const capstan = (await held("capstan", carrier, count)) - socket;
  return { work, unit: "bytes", capstan, peers: { "the socket itself": socket }, target: "16,384 beside the socket's" };
};

/** @type {Record<string, () => Promise<Result>>} */
export const memoryWorks = {
  "memory-idle-connection": workOf("memory-idle-connection", "tcp", 10_000),
  "memory-idle-connection-tls": workOf("memory-idle-connection-tls", "tls", 5_000),
};
