import type { CapnpError } from "../errors.ts";
import { type CarrierSink, MessageTransport } from "./message-transport.ts";
import type { TransportOptions } from "./options.ts";
import type { Transport } from "./transport.ts";
import { unref } from "./watchdog.ts";
import { closeCode, cut, open, ownCodes, WebSocketCarrier, webSocketPeer } from "./web-socket-carrier.ts";

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

/** Messages over a standard WebSocket; see `webSocketTransport`, which takes those of the package `ws`, too. */
export function standardWebSocketTransport(socket: StandardWebSocket, options: TransportOptions): Transport {
  const peer = webSocketPeer(socket.url);
  return new MessageTransport(new StandardCarrier(socket, (options.peer ?? peer).address), peer, options);
}

/** Milliseconds between two looks at what a standard WebSocket still has to send. */
const pollTime = 20;

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
