import { CapnpError, type ErrorCode } from "../errors.ts";
import { type CarrierSink, type MessageCarrier, MessageTransport } from "./message-transport.ts";
import { translateNodeError } from "./node-error.ts";
import type { TransportOptions } from "./options.ts";
import type { Transport } from "./transport.ts";
import { unref } from "./watchdog.ts";

/** What is needed of the standard WebSocket, that of browsers, Node 22, Deno, Bun and Workers. */
export interface StandardWebSocket {
  binaryType: string;
  readonly readyState: number;
  readonly bufferedAmount: number;
  readonly url?: string | null;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: "open" | "error", listener: () => void): void;
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(type: "close", listener: (event: { readonly code: number; readonly reason: string }) => void): void;
}

/** What is needed of a WebSocket of the package `ws`, on either side. */
export interface WsWebSocket {
  binaryType: string;
  readonly readyState: number;
  readonly url?: string | undefined;
  send(data: Uint8Array, options: WsSendOptions, done: (error?: Error | null) => void): void;
  close(code?: number, reason?: string): void;
  terminate(): void;
  pause(): void;
  resume(): void;
  on(event: "open", listener: () => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "message", listener: (data: unknown, isBinary: boolean) => void): unknown;
  on(event: "close", listener: (code: number, reason: Uint8Array) => void): unknown;
}

export interface WsSendOptions {
  readonly binary: boolean;
  readonly compress: boolean;
  readonly fin: boolean;
}

export type WebSocketLike = StandardWebSocket | WsWebSocket;

/**
 * Messages over a WebSocket, standard or of the package `ws`, of either side; it may still be connecting. Each message is one
 * binary message, which is also what C++'s `WebSocketMessageStream` has it. Takes the socket over.
 *
 * A standard WebSocket cannot be held back: `maxHeldBytes` bounds what comes while nothing is read. Make a `ws` socket with
 * `maxPayload` and without `perMessageDeflate`; `connect` and `listen` see to that by themselves.
 */
export function webSocketTransport(socket: WebSocketLike, options: TransportOptions = {}): Transport {
  const address = typeof socket.url === "string" && socket.url !== "" ? socket.url : "websocket";
  const peer = { address, encrypted: address.startsWith("wss:"), authenticated: address.startsWith("wss:") };
  return new MessageTransport(webSocketCarrier(socket, (options.peer ?? peer).address), peer, options);
}

export function isWsWebSocket(socket: WebSocketLike): socket is WsWebSocket {
  return "terminate" in socket && "on" in socket;
}

export function webSocketCarrier(socket: WebSocketLike, address: string): MessageCarrier {
  return isWsWebSocket(socket) ? new WsCarrier(socket, address) : new StandardCarrier(socket, address);
}

/** `readyState` of both kinds. */
const connecting = 0;
const open = 1;

/** Until the socket is open, what is sent waits here; so does the end. */
abstract class WebSocketCarrier implements MessageCarrier {
  protected readonly address: string;
  protected sink!: CarrierSink;
  #waiting: Uint8Array[] = [];
  #end: { readonly error: CapnpError | undefined } | undefined;
  /** What the socket itself said was wrong, before it closed. */
  protected error: CapnpError | undefined;

  constructor(address: string) {
    this.address = address;
  }

  protected abstract readonly readyState: number;
  protected abstract transmit(frame: Uint8Array): void;
  protected abstract close(code: number, reason: string): void;
  abstract open(sink: CarrierSink): void;
  abstract destroy(error: CapnpError): void;

  send(frame: Uint8Array): void {
    if (this.readyState === connecting) this.#waiting.push(frame);
    else if (this.readyState === open) this.transmit(frame);
  }

  end(error?: CapnpError): void {
    if (this.readyState === connecting) this.#end = { error };
    else this.close(error === undefined ? 1000 : closeCode(error.code), error === undefined ? "" : error.message);
  }

  protected opened(): void {
    for (const frame of this.#waiting.splice(0)) this.transmit(frame);
    if (this.#end !== undefined) this.end(this.#end.error);
  }

  protected closed(code: number, reason: string): void {
    this.sink.ended(closeError(code, reason, this.address, this.error));
    this.sink.gone();
  }

  protected refuseText(): void {
    const text = `${this.address} sent a text message; Cap'n Proto goes in binary messages of a WebSocket`;
    this.sink.garbled(new CapnpError("CAPNP_TYPE", text));
  }
}

class StandardCarrier extends WebSocketCarrier {
  readonly #socket: StandardWebSocket;
  /** Sent and not yet reported as taken. */
  #untaken = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(socket: StandardWebSocket, address: string) {
    super(address);
    this.#socket = socket;
  }

  protected get readyState(): number {
    return this.#socket.readyState;
  }

  open(sink: CarrierSink): void {
    this.sink = sink;
    const socket = this.#socket;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => this.opened());
    // It says nothing, and the close that follows hardly more.
    socket.addEventListener("error", () => undefined);
    socket.addEventListener("message", ({ data }) => {
      if (data instanceof ArrayBuffer) sink.frame(new Uint8Array(data));
      else if (data instanceof Uint8Array) sink.frame(data);
      else this.refuseText();
    });
    socket.addEventListener("close", ({ code, reason }) => {
      clearTimeout(this.#timer);
      this.closed(code, reason);
    });
  }

  protected transmit(frame: Uint8Array): void {
    this.#untaken += frame.byteLength;
    this.#socket.send(frame as Uint8Array<ArrayBuffer>);
    this.#poll();
  }

  update(): void {
    const taken = this.#untaken - this.#socket.bufferedAmount;
    if (taken <= 0) return;
    this.#untaken -= taken;
    this.sink.taken(taken);
  }

  /** No event tells that bytes have left. */
  #poll(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.update();
      if (this.#untaken > 0 && this.readyState === open) this.#poll();
    }, pollTime);
    unref(this.#timer);
  }

  protected close(code: number, reason: string): void {
    // Programs may choose codes from 3000 on only.
    this.#socket.close(code === 1000 ? code : code + ownCodes, cut(reason));
  }

  /** It cannot be cut off; the code tells the peer that this is no clean end. */
  destroy(error: CapnpError): void {
    this.#socket.close(closeCode(error.code) + ownCodes, cut(error.message));
  }
}

/** Over a WebSocket of the package `ws`. */
export class WsCarrier extends WebSocketCarrier {
  readonly #socket: WsWebSocket;
  #isPaused = false;

  constructor(socket: WsWebSocket, address: string) {
    super(address);
    this.#socket = socket;
  }

  protected get readyState(): number {
    return this.#socket.readyState;
  }

  open(sink: CarrierSink): void {
    this.sink = sink;
    const socket = this.#socket;
    socket.binaryType = "nodebuffer";
    socket.on("open", () => {
      // What was asked for while it was connecting was not heard.
      if (this.#isPaused) socket.pause();
      this.opened();
    });
    socket.on("error", (error) => this.#failed(error));
    socket.on("message", (data, isBinary) => {
      if (isBinary) sink.frame(data as Uint8Array);
      else this.refuseText();
    });
    socket.on("close", (code, reason) => this.closed(code, new TextDecoder().decode(reason)));
  }

  #failed(error: Error): void {
    const breach = wsBreach(error, this.address);
    this.error = breach ?? translateNodeError(error, "stream", this.address);
    // A breach is the peer's; ws has closed the socket with the code that says so. Anything else is followed by the close.
    if (breach !== undefined) this.sink.garbled(breach);
  }

  /** Long messages leave in fragments, so that a peer that takes them slowly is not mistaken for one that takes nothing. */
  protected transmit(frame: Uint8Array): void {
    for (let at = 0; at < frame.byteLength; at += fragmentBytes) {
      const piece = frame.subarray(at, at + fragmentBytes);
      const fin = at + fragmentBytes >= frame.byteLength;
      this.#socket.send(piece, { binary: true, compress: false, fin }, (error) => {
        // What was not sent is of no account: the close that follows says why.
        if (!error) this.sink.taken(piece.byteLength);
      });
    }
  }

  setReading(reading: boolean): void {
    this.#isPaused = !reading;
    if (reading) this.#socket.resume();
    else this.#socket.pause();
  }

  protected close(code: number, reason: string): void {
    this.#socket.close(code, cut(reason));
  }

  destroy(): void {
    this.#socket.terminate();
  }
}

/** Milliseconds between two looks at what a standard WebSocket still has to send. */
const pollTime = 20;
const fragmentBytes = 256 * 1024;

/** Added to a code of RFC 6455 where the standard WebSocket does not let a program send it. */
const ownCodes = 3000;

const meanings: Readonly<Record<number, string>> = {
  1002: "it was sent what is no Cap'n Proto message, or no WebSocket frame",
  1003: "it was sent a text message",
  1006: "broke off without a close",
  1007: "it was sent text that is not UTF-8",
  1008: "it was sent more than its limits allow",
  1009: "it was sent a message larger than it accepts",
  1011: "it failed",
  1012: "it is starting anew",
  1013: "it is overloaded",
};

function closeCode(code: ErrorCode): number {
  switch (code) {
    case "CAPNP_FRAME_TOO_LARGE":
      return 1009;
    case "CAPNP_TYPE":
      return 1003;
    case "CAPNP_LIMIT":
    case "CAPNP_TIMEOUT":
      return 1008;
    case "CAPNP_DISCONNECTED":
      return 1011;
    default:
      return 1002;
  }
}

/** Undefined for a clean end: normal, going away, or without a code, as C++ closes. */
function closeError(
  code: number,
  reason: string,
  address: string,
  before: CapnpError | undefined,
): CapnpError | undefined {
  if (before !== undefined) return before;
  if (code === 1000 || code === 1001 || code === 1005) return undefined;
  const meaning = meanings[code] ?? meanings[code - ownCodes];
  const why = [meaning, reason].filter((part) => part !== undefined && part !== "").join(": ");
  const text =
    code === 1006
      ? `lost the connection with ${address}: its WebSocket broke off (1006)`
      : `${address} closed the WebSocket with code ${code}${why === "" ? "" : `: ${why}`}`;
  return new CapnpError("CAPNP_DISCONNECTED", text);
}

/** The reason of a close has room for 123 bytes. */
function cut(reason: string): string {
  let short = reason.slice(0, 123);
  while (new TextEncoder().encode(short).byteLength > 123) short = short.slice(0, -1);
  // Half of a pair of surrogates would be no text.
  return short.replace(/[\uD800-\uDBFF]$/, "");
}

/** What `ws` found wrong with what the peer sent. */
function wsBreach(error: Error, address: string): CapnpError | undefined {
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (!code.startsWith("WS_ERR_")) return undefined;
  if (code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH" || code === "WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH") {
    const text = `${address} sent a message larger than maxFrameBytes allows (WebSocket close code 1009)`;
    return new CapnpError("CAPNP_FRAME_TOO_LARGE", text, { cause: error });
  }
  if (code === "WS_ERR_TOO_MANY_BUFFERED_PARTS") {
    const text = `${address} sent a message in too many pieces (${error.message}; WebSocket close code 1008)`;
    return new CapnpError("CAPNP_LIMIT", text, { kind: "disconnected", cause: error });
  }
  const text = `${address} broke the WebSocket protocol: ${error.message} (${code})`;
  return new CapnpError("CAPNP_PROTOCOL", text, { cause: error });
}
