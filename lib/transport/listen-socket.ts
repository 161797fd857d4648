import { createServer, type Server, type Socket } from "node:net";
import type { TLSSocket, Server as TlsServer } from "node:tls";
import { CapnpError } from "../errors.ts";
import { type Address, formatAddress, parseAddress } from "./address.ts";
import { type ByteStreamOptions, ByteStreamTransport } from "./byte-stream.ts";
import { readListenLimits, readStreamLimits } from "./limits.ts";
import { codeOf, translateNodeError } from "./node-error.ts";
import { addressOf, peerOf, remoteHost } from "./peer.ts";
import { printStray } from "./receiver-error.ts";
import { socketSettings, tcpBinding } from "./tcp.ts";
import { createTlsServer, type ServerTlsOptions } from "./tls.ts";
import { removeStaleSocket } from "./unix.ts";

export interface ListenSocketOptions extends Omit<ByteStreamOptions, "peer"> {
  /** Encrypts, whatever the address says. A `tls://` address needs it. */
  readonly tls?: ServerTlsOptions;
  /** How many connections the system may keep until we accept them. Default 511. */
  readonly backlog?: number;
  /** Most connections at once. Attack: using up the file descriptors and memory of the process. Default 10,000; more are hung up on. */
  readonly maxConnections?: number;
  /** Most connections at once from one host. Attack: one host that takes every place. Default 1,000; not for Unix sockets. */
  readonly maxConnectionsPerAddress?: number;
  /**
   * Hears of each connection that failed before it became a transport (a failed handshake, a limit), of what `onConnection` threw
   * and of errors of the listening socket. The server goes on. A good place for a line in the log.
   */
  readonly onConnectionError?: (error: CapnpError, peerAddress: string) => void;
}

/** A listening socket. */
export interface SocketServer {
  /** Where it listens, with the port that was chosen: `host:port`, `tls://host:port`, `unix:path`. */
  readonly address: string;
  /** Undefined for a Unix socket. */
  readonly port: number | undefined;
  /** Connections that are open now, handshakes under way included. */
  readonly connections: number;
  /**
   * Stops listening and removes the file of a Unix socket. Handshakes under way come to nothing. Connections that stand belong to
   * those who got them, and live on.
   */
  close(): Promise<void>;
}

/**
 * Listens, and hands over each connection once it stands (with TLS: after its handshake). Rejects with CAPNP_ADDRESS, CAPNP_LISTEN,
 * or CAPNP_TLS for a key or certificate that cannot be used.
 */
export async function listenSocket(
  target: string | Address,
  options: ListenSocketOptions,
  onConnection: (transport: ByteStreamTransport) => void,
): Promise<SocketServer> {
  const address = typeof target === "string" ? parseAddress(target) : target;
  const { backlog } = readListenLimits(options);
  readStreamLimits(options);
  const secure = address.kind === "tls" || options.tls !== undefined;
  const server = createServer(socketSettings);
  let tlsServer: TlsServer | undefined;
  try {
    if (secure) tlsServer = createTlsServer(options.tls ?? {});
    await bind(server, address, backlog);
  } catch (error) {
    throw translateNodeError(error, "listen", formatAddress(address));
  }
  return new Listener(server, tlsServer, address, options, onConnection);
}

async function bind(server: Server, address: Address, backlog: number): Promise<void> {
  const binding = address.kind === "unix" ? { path: address.path } : tcpBinding(address.host, address.port);
  const listen = (): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen({ ...binding, backlog }, () => {
        server.off("error", reject);
        resolve();
      });
    });
  try {
    await listen();
  } catch (error) {
    if (address.kind !== "unix" || codeOf(error) !== "EADDRINUSE") throw error;
    await removeStaleSocket(address.path);
    await listen();
  }
}

class Listener implements SocketServer {
  readonly address: string;
  readonly port: number | undefined;
  readonly #server: Server;
  readonly #tlsServer: TlsServer | undefined;
  readonly #options: ListenSocketOptions;
  readonly #onConnection: (transport: ByteStreamTransport) => void;
  readonly #maxPerHost: number;
  readonly #open = new Set<Socket>();
  /** A Map, since its keys are chosen by peers. */
  readonly #openPerHost = new Map<string, number>();
  #closed: Promise<void> | undefined;

  constructor(
    server: Server,
    tlsServer: TlsServer | undefined,
    address: Address,
    options: ListenSocketOptions,
    onConnection: (transport: ByteStreamTransport) => void,
  ) {
    this.#server = server;
    this.#tlsServer = tlsServer;
    this.#options = options;
    this.#onConnection = onConnection;
    const { maxConnections, maxConnectionsPerAddress } = readListenLimits(options);
    this.#maxPerHost = maxConnectionsPerAddress;
    const bound = server.address();
    this.port = typeof bound === "object" ? bound?.port : undefined;
    this.address = formatAddress(
      address.kind === "unix"
        ? address
        : { kind: tlsServer === undefined ? "tcp" : "tls", host: address.host, port: this.port ?? address.port },
    );
    // Beyond the limit Node closes the connection as it accepts it, and says so with `drop`.
    server.maxConnections = maxConnections;
    server.on("drop", (peer) => {
      const text = `${server.maxConnections} connections are open, which is maxConnections; one more was refused`;
      this.#failed(new CapnpError("CAPNP_LIMIT", text), peer?.remoteAddress ?? "unknown");
    });
    server.on("error", (error) => this.#failed(translateNodeError(error, "listen", this.address), this.address));
    server.on("connection", (socket) => this.#accept(socket));
    tlsServer?.on("secureConnection", (socket) => this.#established(socket));
    tlsServer?.on("tlsClientError", (error, socket) => {
      const peer = addressOf(socket);
      socket.destroy();
      this.#failed(handshakeError(error, socket, peer), peer);
    });
  }

  get connections(): number {
    return this.#open.size;
  }

  close(): Promise<void> {
    // Not when every connection has ended, as the callback of net.Server.close would have it.
    this.#closed ??= new Promise((resolve) => {
      this.#server.close();
      setImmediate(resolve);
    });
    return this.#closed;
  }

  #accept(socket: Socket): void {
    // From the first moment on: a peer may reset the connection before anything else listens for errors.
    socket.on("error", ignored);
    const host = remoteHost(socket);
    const open = host === undefined ? 0 : (this.#openPerHost.get(host) ?? 0);
    if (open >= this.#maxPerHost) {
      const peer = addressOf(socket);
      socket.destroy();
      const text = `${host} has ${open} connections open, which is maxConnectionsPerAddress; one more was refused`;
      this.#failed(new CapnpError("CAPNP_LIMIT", text), peer);
      return;
    }
    this.#open.add(socket);
    if (host !== undefined) this.#openPerHost.set(host, open + 1);
    socket.once("close", () => this.#forget(socket, host));
    if (this.#tlsServer === undefined) this.#established(socket);
    else this.#tlsServer.emit("connection", socket);
  }

  #forget(socket: Socket, host: string | undefined): void {
    this.#open.delete(socket);
    if (host === undefined) return;
    const left = this.#openPerHost.get(host)! - 1;
    if (left === 0) this.#openPerHost.delete(host);
    else this.#openPerHost.set(host, left);
  }

  #established(socket: Socket): void {
    if (this.#closed !== undefined) {
      socket.destroy();
      return;
    }
    // The client's end of a Unix socket has no name: both ends go by the path.
    const peer = this.port === undefined ? { ...peerOf(socket), address: this.address } : peerOf(socket);
    const transport = new ByteStreamTransport(socket, { ...this.#options, peer });
    try {
      this.#onConnection(transport);
    } catch (error) {
      const text = `the connection could not be served: ${error instanceof Error ? error.message : String(error)}`;
      const failure = error instanceof CapnpError ? error : new CapnpError("CAPNP_LISTEN", text, { cause: error });
      transport.destroy(failure);
      this.#failed(failure, transport.peer.address);
    }
  }

  #failed(error: CapnpError, peerAddress: string): void {
    try {
      this.#options.onConnectionError?.(error, peerAddress);
    } catch (thrown) {
      printStray(thrown);
    }
  }
}

/** The transport, or the TLS server, hears of the same error and deals with it. */
const ignored = (): void => undefined;

/** A client certificate that was looked at and refused shows as a mere hang-up, which was our own. */
function handshakeError(error: Error, socket: TLSSocket, peer: string): CapnpError {
  const verdict: unknown = socket.authorizationError;
  if (codeOf(error) !== "ECONNRESET" || !verdict) return translateNodeError(error, "stream", peer);
  const text = `TLS with ${peer} failed: the client's certificate is not accepted (${verdict}); does tls.ca hold its authority?`;
  return new CapnpError("CAPNP_TLS", text, { cause: error });
}
