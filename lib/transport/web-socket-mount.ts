import type { IncomingMessage, Server as HttpServer } from "node:http";
import { Server as HttpsServer } from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { CapnpError } from "../errors.ts";
import { formatAddress } from "./address.ts";
import { ConnectionPlaces } from "./connection-places.ts";
import { readListenLimits, readStreamLimits, readWebSocketLimits } from "./limits.ts";
import type { ListenSocketOptions, SocketServer } from "./listen-socket.ts";
import { peerOf, remoteHost } from "./peer.ts";
import { printStray, serveError } from "./receiver-error.ts";
import type { Transport } from "./transport.ts";
import { endWithStatus, WebSocketGate } from "./web-socket-gate.ts";

/** A place for WebSockets on an HTTP server that is there for other things, too. */
export interface WebSocketMount {
  readonly server: HttpServer | HttpsServer;
  /** Default "/". Requests for other paths are left to the server's other listeners. */
  readonly path?: string;
}

type OnConnection = (transport: Transport) => void;

/** Takes WebSockets from an HTTP server, which is otherwise left alone: it is opened, closed and given its certificates by its owner. */
export class MountedGate implements SocketServer {
  readonly #server: HttpServer | HttpsServer;
  readonly #gate: WebSocketGate;
  readonly #options: ListenSocketOptions;
  readonly #onConnection: OnConnection;
  readonly #places: ConnectionPlaces;
  #connections = 0;

  private constructor(
    server: HttpServer | HttpsServer,
    gate: WebSocketGate,
    options: ListenSocketOptions,
    onConnection: OnConnection,
  ) {
    this.#server = server;
    this.#gate = gate;
    this.#options = options;
    this.#onConnection = onConnection;
    const { maxConnections, maxConnectionsPerAddress } = readListenLimits(options);
    this.#places = options.places ?? new ConnectionPlaces(maxConnections, maxConnectionsPerAddress);
    server.on("upgrade", this.#onUpgrade);
  }

  /** Rejects with CAPNP_ADDRESS for a path that is none. */
  static async open(
    { server, path = "/" }: WebSocketMount,
    options: ListenSocketOptions,
    onConnection: OnConnection,
  ): Promise<MountedGate> {
    readStreamLimits(options);
    readWebSocketLimits(options.webSocket);
    if (!/^\/[\x21-\x7e]*$/.test(path) || /[?#]/.test(path)) {
      throw new CapnpError(
        "CAPNP_ADDRESS",
        `"${path}" is not the path of a WebSocket: it begins with a slash, without ? and #`,
      );
    }
    return new MountedGate(server, await WebSocketGate.open(path, options), options, onConnection);
  }

  /** Port 0 until the HTTP server listens. */
  get address(): string {
    const bound = this.#server.address();
    const kind = this.isSecure ? "wss" : "ws";
    if (bound === null || typeof bound === "string") {
      return formatAddress({ kind, host: "*", port: 0, path: this.#gate.path });
    }
    const host = bound.address === "::" || bound.address === "0.0.0.0" ? "*" : bound.address;
    return formatAddress({ kind, host, port: bound.port, path: this.#gate.path });
  }

  get port(): number | undefined {
    const bound = this.#server.address();
    return typeof bound === "object" ? bound?.port : undefined;
  }

  get isSecure(): boolean {
    return this.#server instanceof HttpsServer;
  }

  get connections(): number {
    return this.#connections;
  }

  setSecureContext(): void {
    const text = "the certificates of an HTTP server are its own: call setSecureContext of that server";
    throw new CapnpError("CAPNP_TLS", text, { kind: "failed" });
  }

  async close(): Promise<void> {
    this.#server.off("upgrade", this.#onUpgrade);
  }

  readonly #onUpgrade = (request: IncomingMessage, duplex: Duplex, head: Buffer): void => {
    // An HTTP server of Node gives sockets.
    const socket = duplex as Socket;
    const isAlone = this.#server.listenerCount("upgrade") === 1;
    if (!this.#gate.isFor(request) && !isAlone) return;
    const peer = peerOf(socket);
    const failed = (error: CapnpError): void =>
      this.#contain(() => this.#options.onConnectionError?.(error, peer.address));
    const host = remoteHost(socket);
    const refusal = this.#places.take(host);
    if (refusal !== undefined) {
      endWithStatus(socket, 503, `${refusal}; one more was refused`);
      failed(new CapnpError("CAPNP_LIMIT", `${refusal}; one more was refused`));
      return;
    }
    this.#connections++;
    socket.once("close", () => {
      this.#connections--;
      this.#places.leave(host);
    });
    this.#gate.upgrade(request, socket, head, peer, (transport) => this.#give(transport, failed), failed);
  };

  #give(transport: Transport, failed: (error: CapnpError) => void): void {
    try {
      this.#onConnection(transport);
    } catch (error) {
      const failure = serveError(error);
      transport.destroy(failure);
      failed(failure);
    }
  }

  #contain(tell: () => void): void {
    try {
      tell();
    } catch (thrown) {
      printStray(thrown);
    }
  }
}
