import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { duplexPair, PassThrough } from "node:stream";
import { MessageChannel, Worker } from "node:worker_threads";
import { WebSocket } from "ws";
import { type Certificates, ensureCertificates } from "../../certs/make.ts";
import { ByteStreamTransport } from "../../lib/transport/byte-stream.ts";
import { type ConnectSocketOptions, connectSocket } from "../../lib/transport/connect-socket.ts";
import { type IpcChannel, ipcTransport } from "../../lib/transport/ipc.ts";
import { type ListenSocketOptions, listenSocket } from "../../lib/transport/listen-socket.ts";
import { memoryTransportPair } from "../../lib/transport/memory.ts";
import { messagePortTransport } from "../../lib/transport/message-port.ts";
import type { TransportOptions } from "../../lib/transport/options.ts";
import { childProcessTransport, stdioTransport } from "../../lib/transport/pipes.ts";
import type { Transport } from "../../lib/transport/transport.ts";
import type { WebSocketMount } from "../../lib/transport/web-socket-mount.ts";
import { webSocketTransport } from "../../lib/transport/web-socket.ts";
import { webStreamsTransport } from "../../lib/transport/web-streams.ts";
import type { Ends, Kind } from "./contract.ts";
import { StandardSocket } from "./standard-socket.ts";

const cleanup: (() => unknown)[] = [];
const release = async (): Promise<void> => {
  for (const undo of cleanup.splice(0).reverse()) await undo();
};

let place: { readonly folder: string; readonly certificates: Certificates } | undefined;
let socketNumber = 0;

/** Certificates, and a folder for sockets, that are there until the process ends. */
const somewhere = async () => {
  if (place !== undefined) return place;
  const folder = mkdtempSync(join(tmpdir(), "capstan-"));
  process.on("exit", () => rmSync(folder, { recursive: true }));
  place = { folder, certificates: await ensureCertificates(folder) };
  return place;
};

type Place = Awaited<ReturnType<typeof somewhere>>;

const socketPath = ({ folder }: Place): string => join(folder, `${socketNumber++}.sock`);

/** A server for one client, and that client. */
const joined = async (
  target: string | WebSocketMount,
  server: ListenSocketOptions,
  connect: (address: string) => Promise<Transport> | Transport,
): Promise<Ends> => {
  let take: (transport: Transport) => void;
  const accepted = new Promise<Transport>((resolve) => {
    take = resolve;
  });
  const listening = await listenSocket(target, server, (transport) => take(transport));
  cleanup.push(() => listening.close());
  const a = await connect(listening.address.replace("*", "localhost"));
  return { a, b: await accepted };
};

const sockets = (
  address: (at: Place) => string,
  tls: (at: Place) => { readonly client?: ConnectSocketOptions; readonly server?: ListenSocketOptions } = () => ({}),
): Kind => ({
  hearsDestroy: "something",
  open: async (a, b) => {
    const at = await somewhere();
    const { client, server } = tls(at);
    return await joined(address(at), { ...server, ...b }, (to) => connectSocket(to, { ...client, ...a }));
  },
  release,
});

const secure = ({ certificates }: Place) => ({
  client: { tls: { ca: certificates.ca } },
  server: { tls: { key: certificates.key, cert: certificates.cert } },
});
const mutual = ({ certificates }: Place) => ({
  client: { tls: { ca: certificates.ca, key: certificates.key, cert: certificates.cert } },
  server: { tls: { key: certificates.key, cert: certificates.cert, ca: certificates.ca, requestCert: true } },
});

/** What ws finds too large it refuses without asking. */
const webSockets = { release, refusesItself: true, hearsDestroy: "an error" } as const;

const mounted = (isSecure: boolean): Kind => ({
  ...webSockets,
  open: async (a, b) => {
    const { key, cert, ca } = (await somewhere()).certificates;
    const server = isSecure ? createHttpsServer({ key, cert }) : createHttpServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    cleanup.push(() => server.close());
    const address = (at: string) => at.replace("127.0.0.1", "localhost");
    const options = isSecure ? { ...a, tls: { ca } } : a;
    return await joined({ server, path: "/rpc" }, b, (at) => connectSocket(address(at), options));
  },
});

const ipc = (serialization: "json" | "advanced"): Kind => ({
  release,
  open: async (a, b) => {
    const child = fork(new URL("./relay-child.js", import.meta.url), ["ipc"], {
      serialization,
      stdio: ["pipe", "pipe", "inherit", "ipc"],
    });
    cleanup.push(() => ended(child));
    return { a: ipcTransport(child, { ...a, serialization }), b: ipcTransport(new LineChannel(child), b) };
  },
});

const ended = async (child: ChildProcess): Promise<void> => {
  child.kill();
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
};

/** The other end of the channel of a relaying child: its messages are lines at the child's standard streams. */
class LineChannel implements IpcChannel {
  readonly connected = true;
  readonly #child: ChildProcess;
  readonly #listeners = new Map<unknown, (text: string) => void>();

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout!.setEncoding("utf8");
    child.stdin!.on("error", () => undefined);
  }

  send(message: unknown, ...[callback]: [(error: Error | null) => void]): boolean {
    return this.#child.stdin!.write(`${JSON.stringify(message)}\n`, (error) => callback(error ?? null));
  }

  on(event: "message" | "disconnect", listener: (message?: unknown) => void): void {
    if (event === "disconnect") {
      this.#child.once("exit", listener);
      return;
    }
    let rest = "";
    const read = (text: string): void => {
      const lines = `${rest}${text}`.split("\n");
      rest = lines.pop()!;
      for (const line of lines) listener(JSON.parse(line));
    };
    this.#listeners.set(listener, read);
    this.#child.stdout!.on("data", read);
  }

  off(event: "message" | "disconnect", listener: (message?: unknown) => void): void {
    if (event === "disconnect") this.#child.off("exit", listener);
    else this.#child.stdout!.off("data", this.#listeners.get(listener)!);
  }
}

const standardTo = (address: string, options: TransportOptions): Transport => {
  const socket = new WebSocket(address);
  try {
    return webSocketTransport(new StandardSocket(socket), options);
  } catch (error) {
    socket.on("error", () => undefined).terminate();
    throw error;
  }
};

const crossedStreams = () => {
  const [left, right] = [new TransformStream<Uint8Array>(), new TransformStream<Uint8Array>()];
  return [
    { readable: left.readable, writable: right.writable },
    { readable: right.readable, writable: left.writable },
  ] as const;
};

/** All that need no other process or thread. */
export const kinds: Readonly<Record<string, Kind>> = {
  "in memory": { hasLimits: false, open: async () => memoryTransportPair() },
  "in memory, over a slow line": {
    hasLimits: false,
    open: async () => memoryTransportPair({ latency: 2, bandwidth: 100_000_000 }),
  },
  "any Duplex": {
    hearsDestroy: "nothing",
    open: async (a, b) => {
      const [left, right] = duplexPair();
      return { a: new ByteStreamTransport(left, a), b: new ByteStreamTransport(right, b) };
    },
  },
  "TCP, IPv4": sockets(() => "127.0.0.1:0"),
  "TCP, IPv6": sockets(() => "[::1]:0"),
  TLS: sockets(() => "tls://localhost:0", secure),
  "mutual TLS": sockets(() => "tls://localhost:0", mutual),
  "a Unix socket": sockets((at) => `unix:${socketPath(at)}`),
  "an abstract Unix socket": sockets(() => `unix-abstract:capstan-${process.pid}-${socketNumber++}`),
  "TLS over a Unix socket": sockets(
    (at) => `unix:${socketPath(at)}`,
    (at) => ({ ...secure(at), client: { tls: { ca: at.certificates.ca, servername: "localhost" } } }),
  ),
  WebSocket: { ...sockets(() => "ws://127.0.0.1:0/vat"), ...webSockets },
  "WebSocket over TLS": { ...sockets(() => "wss://localhost:0", secure), ...webSockets },
  "WebSocket at a path of an HTTP server": mounted(false),
  "WebSocket at a path of an HTTPS server": mounted(true),
  "a standard WebSocket": {
    ...webSockets,
    // Once it has begun to close, a standard WebSocket tells of no message any more.
    hasHalfClose: false,
    open: (a, b) => joined("ws://127.0.0.1:0", b, (at) => standardTo(at, a)),
  },
  "standard WebSocket to the other end": {
    refusesItself: false,
    release,
    open: async (a, b) => {
      const { a: left, b: right } = await joined("ws://127.0.0.1:0", a, (at) => standardTo(at, b));
      return { a: right, b: left };
    },
  },
  "web streams": {
    open: async (a, b) => {
      const [left, right] = crossedStreams();
      return { a: webStreamsTransport(left, a), b: webStreamsTransport(right, b) };
    },
  },
  "a MessageChannel": {
    open: async (a, b) => {
      const { port1, port2 } = new MessageChannel();
      return { a: messagePortTransport(port1, a), b: messagePortTransport(port2, b) };
    },
  },
  "standard streams": {
    hearsDestroy: "something",
    open: async (a, b) => {
      const [left, right] = [new PassThrough(), new PassThrough()];
      const one = stdioTransport({ ...a, input: left, output: right });
      return { a: one, b: stdioTransport({ ...b, input: right, output: left }) };
    },
  },
};

/** Those that make another process or thread for each pair. */
export const kindsApart: Readonly<Record<string, Kind>> = {
  "a worker thread": {
    release,
    open: async (a, b) => {
      const { port1, port2 } = new MessageChannel();
      const worker = new Worker(new URL("./relay-worker.js", import.meta.url), {
        workerData: { port: port2 },
        transferList: [port2],
      });
      cleanup.push(() => worker.terminate());
      return { a: messagePortTransport(worker, a), b: messagePortTransport(port1, b) };
    },
  },
  "a child process": {
    hearsDestroy: "something",
    release,
    open: async (a, b) => {
      const path = socketPath(await somewhere());
      const server = createServer({ allowHalfOpen: true }).listen(path);
      await once(server, "listening");
      cleanup.push(() => server.close());
      const child = spawn(process.execPath, [new URL("./relay-child.js", import.meta.url).pathname, "stdio", path], {
        stdio: ["pipe", "pipe", "inherit"],
      });
      cleanup.push(() => ended(child));
      const [socket] = (await once(server, "connection")) as [Socket];
      return { a: childProcessTransport(child, a), b: new ByteStreamTransport(socket, b) };
    },
  },
  "an IPC channel": ipc("json"),
  "an IPC channel with advanced serialization": ipc("advanced"),
};
