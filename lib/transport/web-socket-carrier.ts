import { CapnpError, type ErrorCode } from "../errors.ts";
import type { CarrierSink, MessageCarrier } from "./message-transport.ts";
import type { PeerInfo } from "./transport.ts";

/** What the URL of a WebSocket tells of the peer. */
export const webSocketPeer = (url: string | null | undefined): PeerInfo => {
  const address = typeof url === "string" && url !== "" ? url : "websocket";
  return { address, encrypted: address.startsWith("wss:"), authenticated: address.startsWith("wss:") };
};

/** `readyState` of both kinds. */
const connecting = 0;
export const open = 1;

/** Until the socket is open, what is sent waits here; so does the end. */
export abstract class WebSocketCarrier implements MessageCarrier {
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

/** Added to a code of RFC 6455 where the standard WebSocket does not let a program send it. */
export const ownCodes = 3000;

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

export function closeCode(code: ErrorCode): number {
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
export function cut(reason: string): string {
  let short = reason.slice(0, 123);
  while (new TextEncoder().encode(short).byteLength > 123) short = short.slice(0, -1);
  // Half of a pair of surrogates would be no text.
  return short.replace(/[\uD800-\uDBFF]$/, "");
}
