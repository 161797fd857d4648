import type { WebSocket } from "ws";
import type { StandardWebSocket } from "../../lib/transport/web-socket.ts";

/** Of a WebSocket of `ws` what the standard has, with the standard's rules, and nothing else. */
export class StandardSocket implements StandardWebSocket {
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  get binaryType(): string {
    return this.#socket.binaryType;
  }

  set binaryType(type: "arraybuffer") {
    this.#socket.binaryType = type;
  }

  get readyState(): number {
    return this.#socket.readyState;
  }

  get bufferedAmount(): number {
    return this.#socket.bufferedAmount;
  }

  get url(): string {
    return this.#socket.url;
  }

  send(data: Uint8Array): void {
    if (this.readyState === 0) throw new DOMException("still connecting", "InvalidStateError");
    this.#socket.send(data.slice());
  }

  close(code?: number, reason?: string): void {
    if (code !== undefined && code !== 1000 && !(code >= 3000 && code <= 4999)) {
      throw new DOMException(`the code ${code} is not for programs`, "InvalidAccessError");
    }
    if (Buffer.byteLength(reason ?? "") > 123) throw new DOMException("the reason is too long", "SyntaxError");
    this.#socket.close(code, reason);
  }

  addEventListener(type: string, listener: (event: never) => void): void {
    const told = listener as (event: unknown) => void;
    if (type !== "message") {
      this.#socket.addEventListener(type as "close", told);
      return;
    }
    this.#socket.addEventListener("message", (event) => {
      if (this.readyState === 1) told(event);
    });
  }
}
