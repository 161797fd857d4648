import { CapnpError } from "../errors.ts";
import type { CarrierSink } from "./message-transport.ts";
import { translateNodeError } from "./node-error.ts";
import { cut, WebSocketCarrier } from "./web-socket-carrier.ts";

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

const fragmentBytes = 256 * 1024;

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
