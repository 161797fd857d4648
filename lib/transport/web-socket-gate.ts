import { createServer, type IncomingMessage, type Server as HttpServer, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { WebSocketServer } from "ws";
import { CapnpError } from "../errors.ts";
import { readWebSocketLimits, type WebSocketLimits } from "./limits.ts";
import { loadWs, wsLimits, wsTransport } from "./node-web-socket.ts";
import type { TransportOptions } from "./options.ts";
import type { PeerInfo, PeerRequest, Transport } from "./transport.ts";

export interface WebSocketServerOptions extends WebSocketLimits {
  /**
   * Web pages that may connect, by their origin (`https://app.example`), or "*" for all. Browsers tell the origin of the page, and let
   * any page connect to any server, also to one on the user's own machine; with the user's cookies. Default: pages whose host is the
   * one that the browser asked for. What is no browser tells no origin, and may connect.
   */
  readonly origins?: readonly string[] | "*";
  /** How long a connection may take to ask for a WebSocket. Milliseconds, default 10 s; 0 or Infinity: for ever. */
  readonly upgradeTimeout?: number;
}

export interface WebSocketGateOptions extends Omit<TransportOptions, "peer"> {
  readonly webSocket?: WebSocketServerOptions;
}

type Give = (transport: Transport) => void;
type Failed = (error: CapnpError) => void;

interface Visitor {
  readonly peer: PeerInfo;
  readonly give: Give;
  readonly failed: Failed;
}

/** Turns the HTTP requests that ask for a WebSocket on one path into transports, and tells all others why not. */
export class WebSocketGate {
  readonly path: string;
  readonly #options: WebSocketGateOptions;
  readonly #server: WebSocketServer;
  /** Who has not asked yet, by socket. */
  readonly #visitors = new WeakMap<object, Visitor>();
  /** What ws itself does not accept is refused this way. */
  readonly #refusals = new WeakMap<IncomingMessage, (status: number, why: string) => void>();
  #http: HttpServer | undefined;

  private constructor(path: string, options: WebSocketGateOptions, server: WebSocketServer) {
    this.path = path;
    this.#options = options;
    this.#server = server;
    server.on("wsClientError", (error, _socket, request) => this.#refusals.get(request)!(400, error.message));
  }

  static async open(path: string, options: WebSocketGateOptions): Promise<WebSocketGate> {
    const { WebSocketServer } = await loadWs();
    const limits = wsLimits(options, options.webSocket);
    return new WebSocketGate(path, options, new WebSocketServer({ noServer: true, clientTracking: false, ...limits }));
  }

  /** Takes a socket of which nothing has been read, and speaks HTTP with it. */
  adopt(socket: Socket, peer: PeerInfo, give: Give, failed: Failed): void {
    const { upgradeTimeout } = readWebSocketLimits(this.#options.webSocket);
    const limited = upgradeTimeout > 0 && upgradeTimeout < 2 ** 31;
    const expire = (): void => {
      const text = `${peer.address} did not ask for a WebSocket within ${upgradeTimeout} ms (upgradeTimeout)`;
      failed(new CapnpError("CAPNP_TIMEOUT", text, { kind: "disconnected" }));
      socket.destroy();
    };
    const timer = limited ? setTimeout(expire, upgradeTimeout) : undefined;
    timer?.unref();
    const settle = (): void => clearTimeout(timer);
    socket.once("close", settle);
    const visitor = {
      peer,
      give: (transport: Transport) => {
        settle();
        give(transport);
      },
      failed: (error: CapnpError) => {
        settle();
        failed(error);
      },
    };
    this.#visitors.set(socket, visitor);
    this.#http ??= this.#speakHttp();
    this.#http.emit("connection", socket);
  }

  /** A server that listens nowhere: sockets are handed to it. */
  #speakHttp(): HttpServer {
    const http = createServer();
    http.on("request", (request: IncomingMessage, response) => {
      const status = this.isFor(request) ? 426 : 404;
      const text = status === 426 ? "This is a Cap'n Proto service: open a WebSocket.\n" : "Nothing is here.\n";
      response.writeHead(status, { connection: "close", "content-type": "text/plain", ...upgradeHeader(status) });
      response.end(text);
      this.#visitors.get(request.socket)?.failed(refusal(request, `${status} ${STATUS_CODES[status]}`));
    });
    http.on("upgrade", (request: IncomingMessage, socket, head) => {
      const { peer, give, failed } = this.#visitors.get(request.socket)!;
      this.upgrade(request, socket, head, peer, give, failed);
    });
    http.on("clientError", (error: Error & { readonly rawPacket?: Uint8Array }, socket) => {
      const visitor = this.#visitors.get(socket);
      const text = `${visitor?.peer.address ?? "a peer"} sent no HTTP request${looksLike(error.rawPacket)}: ${error.message}`;
      visitor?.failed(new CapnpError("CAPNP_PROTOCOL", text, { cause: error }));
      endWithStatus(socket, 400, "This port speaks HTTP, for WebSockets.");
    });
    return http;
  }

  /** Whether a request is for this gate's path. */
  isFor(request: IncomingMessage): boolean {
    return pathOf(request) === pathOf({ url: this.path });
  }

  /** Answers one request that asks for a WebSocket. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, peer: PeerInfo, give: Give, failed: Failed): void {
    socket.on("error", ignored);
    const refuse = (status: number, why: string): void => {
      failed(refusal(request, `${status} ${STATUS_CODES[status]}: ${why}`));
      endWithStatus(socket, status, why);
    };
    if (!this.isFor(request)) {
      refuse(404, "no WebSocket is served at this path");
    } else if (!this.#isWelcome(request)) {
      refuse(403, `web pages of the origin ${request.headers.origin} may not connect (webSocket.origins)`);
    } else {
      this.#refusals.set(request, refuse);
      this.#server.handleUpgrade(request, socket, head, (webSocket) => {
        const known = { ...peer, request: requestOf(request) };
        give(wsTransport(webSocket, socket, known, this.#options, this.#options.webSocket));
      });
    }
  }

  #isWelcome({ headers }: IncomingMessage): boolean {
    const { origin } = headers;
    const { origins } = this.#options.webSocket ?? {};
    if (origin === undefined || origins === "*") return true;
    if (origins !== undefined) return origins.includes(origin);
    return URL.canParse(origin) && new URL(origin).host === headers.host;
  }
}

const pathOf = ({ url }: { readonly url?: string | undefined }): string => (url ?? "/").replace(/\?.*$/s, "");

const requestOf = ({ url, headers }: IncomingMessage): PeerRequest => ({
  path: url ?? "/",
  headers: new Map(Object.entries(headers).map(([name, value]) => [name, String(value)])),
});

const refusal = ({ method, url }: IncomingMessage, why: string): CapnpError =>
  new CapnpError(
    "CAPNP_PROTOCOL",
    `an HTTP request that opens no WebSocket here, ${method} ${url}, was answered ${why}`,
  );

const upgradeHeader = (status: number) => (status === 426 ? { upgrade: "websocket" } : {});

/** Answers over a socket that no longer belongs to an HTTP server, and ends it. */
export function endWithStatus(socket: Duplex, status: number, text: string): void {
  socket.on("error", ignored);
  const body = `${text}\n`;
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "connection: close",
    "content-type: text/plain",
    `content-length: ${Buffer.byteLength(body)}`,
    ...(status === 400 ? ["sec-websocket-version: 13"] : []),
  ];
  socket.once("finish", () => socket.destroy());
  socket.end(`${lines.join("\r\n")}\r\n\r\n${body}`);
}

function looksLike(bytes: Uint8Array | undefined): string {
  if (bytes === undefined) return "";
  if (bytes[0] === 0x16 && bytes[1] === 3)
    return " but a TLS handshake; connect with ws://, or give the server a certificate";
  return "; is it a WebSocket client at all?";
}

/** The transport, or nobody, has to hear of it: the connection comes to nothing. */
const ignored = (): void => undefined;
