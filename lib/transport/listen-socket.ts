import type { Server, Socket } from "node:net";
import type { TLSSocket, Server as TlsServer } from "node:tls";
import { CapnpError } from "../errors.ts";
import { type Address, formatAddress, isWebSocketAddress, parseAddress } from "./address.ts";
import { type ByteStreamOptions, ByteStreamTransport } from "./byte-stream.ts";
import { CertificateWatch, type OnReload, withCertificateFiles } from "./certificate-files.ts";
import { ConnectionPlaces } from "./connection-places.ts";
import { readListenLimits, readStreamLimits, readWebSocketLimits } from "./limits.ts";
import { codeOf, translateNodeError } from "./node-error.ts";
import { net } from "./node-modules.ts";
import { addressOf, peerOf, remoteHost } from "./peer.ts";
import { printStray, serveError } from "./receiver-error.ts";
import { socketSettings, socketSettingsFor, type TcpOptions, tcpBinding } from "./tcp.ts";
import {
  createTlsServer,
  pinError,
  pinsOf,
  replaceCertificates,
  type ServerCertificates,
  type ServerTlsOptions,
} from "./tls.ts";
import type { PeerInfo, Transport } from "./transport.ts";
import { removeStaleSocket } from "./unix.ts";
import type { WebSocketGate, WebSocketServerOptions } from "./web-socket-gate.ts";
import type { WebSocketMount } from "./web-socket-mount.ts";

export interface ListenSocketOptions extends Omit<ByteStreamOptions, "peer">, TcpOptions {
  /** Encrypts, whatever the address says. A `tls://` or `wss://` address needs it. */
  readonly tls?: ServerTlsOptions;
  /** For `ws://` and `wss://`. */
  readonly webSocket?: WebSocketServerOptions;
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
  /** Hears of certificates that were read anew from `tls.files`, or could not be: the server goes on with the old ones then. */
  readonly onReload?: OnReload;
  /** Where several listening sockets share the limits on connections. */
  readonly places?: ConnectionPlaces;
}

/** A listening socket. */
export interface SocketServer {
  /** Where it listens, with the port that was chosen: `host:port`, `tls://host:port`, `ws://host:port/path`, `unix:path`. */
  readonly address: string;
  /** Undefined for a Unix socket. */
  readonly port: number | undefined;
  readonly isSecure: boolean;
  /** Connections that are open now, handshakes under way included. */
  readonly connections: number;
  /**
   * Other certificates, for connections from now on. Throws CAPNP_TLS, and changes nothing, where they cannot be used or where this
   * socket does not speak TLS.
   */
  setSecureContext(certificates: ServerCertificates): void;
  /**
   * Stops listening and removes the file of a Unix socket. Handshakes under way come to nothing. Connections that stand belong to
   * those who got them, and live on.
   */
  close(): Promise<void>;
}

/** Makes a transport of a socket that stands; or calls `failed`, and has done with the socket. */
type Adopt = (
  socket: Socket,
  peer: PeerInfo,
  give: (transport: Transport) => void,
  failed: (error: CapnpError) => void,
) => void;

/**
 * Listens, and hands over each connection once it stands (with TLS and WebSocket: after the handshake). Rejects with CAPNP_ADDRESS, CAPNP_LISTEN,
 * or CAPNP_TLS for a key or certificate that cannot be used.
 */
export async function listenSocket(
  target: string | Address | WebSocketMount,
  options: ListenSocketOptions,
  onConnection: (transport: Transport) => void,
): Promise<SocketServer> {
  if (typeof target === "object" && "server" in target) {
    const { MountedGate } = await import("./web-socket-mount.ts");
    return await MountedGate.open(target, options, onConnection);
  }
  const address = typeof target === "string" ? parseAddress(target) : target;
  const { backlog } = readListenLimits(options);
  readStreamLimits(options);
  readWebSocketLimits(options.webSocket);
  const secure = address.kind === "tls" || address.kind === "wss" || options.tls !== undefined;
  const gate = isWebSocketAddress(address) ? await openGate(address.path, options) : undefined;
  const server = net().createServer(socketSettingsFor(options));
  let tlsServer: TlsServer | undefined;
  let tls = options.tls ?? {};
  try {
    if (secure) {
      tls = await withCertificateFiles(tls);
      pinsOf(tls.fingerprint256);
      tlsServer = createTlsServer(tls);
    }
    await bind(server, address, backlog);
  } catch (error) {
    throw translateNodeError(error, "listen", formatAddress(address));
  }
  const adopt: Adopt =
    gate === undefined
      ? (socket, peer, give) => give(new ByteStreamTransport(socket, { ...options, peer }))
      : (...connection) => gate.adopt(...connection);
  return new Listener(server, tlsServer, address, { ...options, tls }, adopt, onConnection);
}

/** HTTP and WebSockets take longer to load than all else, and most servers need neither. */
async function openGate(path: string, options: ListenSocketOptions): Promise<WebSocketGate> {
  const { WebSocketGate } = await import("./web-socket-gate.ts");
  return await WebSocketGate.open(path, options);
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
  readonly #adopt: Adopt;
  readonly #onConnection: (transport: Transport) => void;
  readonly #pins: ReadonlySet<string> | undefined;
  readonly #places: ConnectionPlaces;
  readonly #certificates: CertificateWatch | undefined;
  #connections = 0;
  #closed: Promise<void> | undefined;

  constructor(
    server: Server,
    tlsServer: TlsServer | undefined,
    address: Address,
    options: ListenSocketOptions,
    adopt: Adopt,
    onConnection: (transport: Transport) => void,
  ) {
    this.#server = server;
    this.#adopt = adopt;
    this.#pins = tlsServer === undefined ? undefined : pinsOf(options.tls?.fingerprint256);
    this.#tlsServer = tlsServer;
    this.#options = options;
    this.#onConnection = onConnection;
    const { maxConnections, maxConnectionsPerAddress } = readListenLimits(options);
    this.#places = options.places ?? new ConnectionPlaces(maxConnections, maxConnectionsPerAddress);
    const bound = server.address();
    this.port = typeof bound === "object" ? bound?.port : undefined;
    this.address = formatAddress(boundAddress(address, this.port, tlsServer !== undefined));
    // Beyond the limit Node closes the connection as it accepts it, and says so with `drop`.
    // Deno would close it without a word: there, it is refused as those beyond maxConnectionsPerAddress are.
    if (process.versions.deno === undefined) server.maxConnections = maxConnections;
    server.on("drop", (peer) => {
      const text = `${server.maxConnections} connections are open, which is maxConnections; one more was refused`;
      this.#failed(new CapnpError("CAPNP_LIMIT", text), peer?.remoteAddress ?? "unknown");
    });
    server.on("error", (error) => this.#failed(translateNodeError(error, "listen", this.address), this.address));
    server.on("connection", (socket) => this.#accept(socket));
    if (tlsServer !== undefined && options.tls?.files !== undefined) {
      const onReload: OnReload = (outcome) => this.#contain(() => options.onReload?.(outcome));
      this.#certificates = new CertificateWatch(options.tls, (tls) => this.setSecureContext(tls), onReload);
    }
    tlsServer?.on("secureConnection", (socket) => this.#verified(socket));
    tlsServer?.on("tlsClientError", (error, socket) => {
      const peer = addressOf(socket);
      socket.destroy();
      this.#failed(handshakeError(error, socket, peer), peer);
    });
  }

  get connections(): number {
    return this.#connections;
  }

  get isSecure(): boolean {
    return this.#tlsServer !== undefined;
  }

  setSecureContext(certificates: ServerCertificates): void {
    if (this.#tlsServer === undefined) {
      throw new CapnpError("CAPNP_TLS", `${this.address} does not speak TLS: it has no certificates to replace`, {
        kind: "failed",
      });
    }
    replaceCertificates(this.#tlsServer, certificates);
  }

  close(): Promise<void> {
    // Not when every connection has ended, as the callback of net.Server.close would have it.
    this.#closed ??= new Promise((resolve) => {
      this.#certificates?.stop();
      this.#server.close();
      setImmediate(resolve);
    });
    return this.#closed;
  }

  #accept(socket: Socket): void {
    // From the first moment on: a peer may reset the connection before anything else listens for errors.
    socket.on("error", ignored);
    const host = remoteHost(socket);
    const refusal = this.#places.take(host);
    if (refusal !== undefined) {
      const peer = addressOf(socket);
      socket.destroy();
      this.#failed(new CapnpError("CAPNP_LIMIT", `${refusal}; one more was refused`), peer);
      return;
    }
    this.#connections++;
    socket.once("close", () => {
      this.#connections--;
      this.#places.leave(host);
    });
    if (this.#tlsServer === undefined) {
      this.#established(socket);
      return;
    }
    // Nobody reads from the socket before the handshake is done: of a client that hangs up before, only its end is heard.
    socket.allowHalfOpen = false;
    this.#tlsServer.emit("connection", socket);
  }

  #verified(socket: TLSSocket): void {
    socket.allowHalfOpen = socketSettings.allowHalfOpen;
    const peer = addressOf(socket);
    const wrong = this.#pins === undefined ? undefined : pinError(socket, this.#pins, peer);
    if (wrong === undefined) {
      this.#established(socket);
      return;
    }
    socket.destroy();
    this.#failed(wrong, peer);
  }

  #established(socket: Socket): void {
    if (this.#closed !== undefined) {
      socket.destroy();
      return;
    }
    const known = peerOf(socket, this.#pins !== undefined);
    // The client's end of a Unix socket has no name: both ends go by the path.
    const peer = this.port === undefined ? { ...known, address: this.address } : known;
    const give = (transport: Transport): void => this.#give(transport);
    this.#adopt(socket, peer, give, (error) => this.#failed(error, peer.address));
  }

  #give(transport: Transport): void {
    if (this.#closed !== undefined) {
      transport.destroy();
      return;
    }
    try {
      this.#onConnection(transport);
    } catch (error) {
      const failure = serveError(error);
      transport.destroy(failure);
      this.#failed(failure, transport.peer.address);
    }
  }

  #failed(error: CapnpError, peerAddress: string): void {
    this.#contain(() => this.#options.onConnectionError?.(error, peerAddress));
  }

  #contain(tell: () => void): void {
    try {
      tell();
    } catch (thrown) {
      printStray(thrown);
    }
  }
}

/** Clients look at the certificate when the handshake is as good as done, and send no alert: all that is seen is that they are gone. */
export const hungUpText =
  "the client hung up at the handshake, without a word; does it accept this server's certificate: its authority, its name, its dates?";

/** What to connect to: the port that was chosen, and the scheme that is spoken. */
function boundAddress(address: Address, port: number | undefined, isSecure: boolean): Address {
  if (address.kind === "unix") return address;
  const at = { host: address.host, port: port ?? address.port };
  if (isWebSocketAddress(address)) return { kind: isSecure ? "wss" : "ws", ...at, path: address.path };
  return { kind: isSecure ? "tls" : "tcp", ...at };
}

/** The transport, or the TLS server, hears of the same error and deals with it. */
const ignored = (): void => undefined;

/** A client certificate that was looked at and refused shows as a mere hang-up, which was our own; other hang-ups are the client's. */
function handshakeError(error: Error, socket: TLSSocket, peer: string): CapnpError {
  const verdict: unknown = socket.authorizationError;
  if (codeOf(error) !== "ECONNRESET") return translateNodeError(error, "stream", peer);
  if (!verdict) return new CapnpError("CAPNP_TLS", `TLS with ${peer} failed: ${hungUpText}`, { cause: error });
  const text = `TLS with ${peer} failed: the client's certificate is not accepted (${verdict}); does tls.ca hold its authority?`;
  return new CapnpError("CAPNP_TLS", text, { cause: error });
}
