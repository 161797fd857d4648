import { CapnpError } from "../errors.ts";
import { type CarrierSink, type MessageCarrier, MessageTransport } from "./message-transport.ts";
import type { TransportOptions } from "./options.ts";
import type { PeerInfo, Transport } from "./transport.ts";
import { unref } from "./watchdog.ts";

/**
 * What is needed of a port: a MessagePort of the web or of Node, a Worker of either as its maker sees it, `parentPort`, or the global
 * scope of a web Worker as the worker sees it.
 */
export interface MessagePortLike {
  // As a method, so that ports fit whatever type they give to what may be transferred.
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  // What the platforms declare of these is too different to have one type.
  readonly on?: unknown;
  readonly addEventListener?: unknown;
  readonly start?: unknown;
  readonly close?: unknown;
}

/** What all of them have in common, as it is called. */
interface Port {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  on?(event: string, listener: (value: never) => void): unknown;
  addEventListener?(event: string, listener: (event: never) => void): void;
  start?(): void;
  close?(): void;
}

/**
 * Messages over a MessagePort, to a worker thread or another realm; the other side makes a transport of its end. Takes the port
 * over, and closes it in the end; a Worker is left to run.
 *
 * A message is posted as one Uint8Array whose buffer is the message's own and is transferred: cloning a view would clone the whole
 * buffer behind it. Ports have no flow control and, mostly, no end; so a number says how many bytes were taken, null ends one side,
 * and `{ error }` says why it broke off.
 */
export function messagePortTransport(port: MessagePortLike, options: TransportOptions = {}): Transport {
  const peer: PeerInfo = { address: "port", encrypted: false, authenticated: false };
  return new MessageTransport(new PortCarrier(port, (options.peer ?? peer).address), peer, options);
}

export class PortCarrier implements MessageCarrier {
  readonly #port: Port;
  readonly #address: string;
  #sink!: CarrierSink;
  #untold = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #hasEnded = false;
  #peerHasEnded = false;
  #isGone = false;

  constructor(port: MessagePortLike, address: string) {
    this.#port = port as Port;
    this.#address = address;
  }

  open(sink: CarrierSink): void {
    this.#sink = sink;
    const port = this.#port;
    const lost = (what: string): void => {
      if (this.#isGone) return;
      this.#peerHasEnded = true;
      sink.ended(new CapnpError("CAPNP_DISCONNECTED", `lost the connection with ${this.#address}: ${what}`));
      this.#over();
    };
    const listen = (event: string, listener: (value: never) => void, ofEvent: (event: never) => void): void => {
      if (typeof port.on === "function") port.on(event, listener);
      else port.addEventListener?.(event, ofEvent);
    };
    const message = (value: unknown): void => this.#onMessage(value);
    const unreadable = (): void =>
      sink.garbled(new CapnpError("CAPNP_FRAME", `${this.#address} sent what is no message`));
    listen("message", message, (event: { readonly data: unknown }) => message(event.data));
    listen("messageerror", unreadable, unreadable);
    listen(
      "close",
      () => lost("its port was closed"),
      () => lost("its port was closed"),
    );
    listen(
      "exit",
      (code: number) => lost(`its thread has exited with code ${code}`),
      () => undefined,
    );
    listen(
      "error",
      (error: Error) => lost(`its thread failed: ${error.message}`),
      (event: { readonly message?: string }) => lost(`its thread failed: ${event.message ?? "no reason given"}`),
    );
    port.start?.();
  }

  send(frame: Uint8Array): void {
    this.#tell();
    // A frame fills its buffer, which nobody else has.
    this.#port.postMessage(frame, [frame.buffer as ArrayBuffer]);
  }

  /** Told together for many frames, or at the latest in a while, since the peer may wait for it. */
  consumed(bytes: number): void {
    this.#untold += bytes;
    if (this.#untold >= tellBytes) {
      this.#tell();
    } else if (this.#timer === undefined) {
      this.#timer = setTimeout(() => this.#tell(), tellTime);
      unref(this.#timer);
    }
  }

  #tell(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const bytes = this.#untold;
    if (bytes === 0) return;
    this.#untold = 0;
    if (!this.#isGone && !this.#hasEnded) this.#port.postMessage(bytes, []);
  }

  end(error?: CapnpError): void {
    if (this.#hasEnded || this.#isGone) return;
    this.#tell();
    this.#hasEnded = true;
    this.#port.postMessage(error === undefined ? null : { error: error.message }, []);
    if (this.#peerHasEnded) this.#over();
  }

  destroy(error: CapnpError): void {
    if (this.#isGone) return;
    if (!this.#hasEnded) this.#port.postMessage({ error: error.message }, []);
    this.#hasEnded = true;
    this.#over();
  }

  #onMessage(value: unknown): void {
    if (this.#isGone || this.#peerHasEnded) return;
    if (typeof value === "number" && value >= 0) {
      this.#sink.taken(value);
    } else if (value === null || isFailure(value)) {
      this.#peerHasEnded = true;
      this.#sink.ended(value === null ? undefined : this.#broken(value.error));
      if (this.#hasEnded) this.#over();
    } else {
      const bytes = bytesOf(value);
      if (bytes !== undefined) this.#sink.frame(bytes);
      else this.#sink.garbled(new CapnpError("CAPNP_TYPE", `${this.#address} posted a ${typeof value}, not bytes`));
    }
  }

  #broken(reason: string): CapnpError {
    const text = `${this.#address} broke the connection off: ${reason.slice(0, longestReason)}`;
    return new CapnpError("CAPNP_DISCONNECTED", text);
  }

  #over(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    clearTimeout(this.#timer);
    // What was posted is delivered before the port closes.
    this.#port.close?.();
    this.#sink.gone();
  }
}

const tellBytes = 64 * 1024;
/** Milliseconds that the peer may wait to hear what was taken. */
const tellTime = 20;
const longestReason = 1000;

const isFailure = (value: unknown): value is { readonly error: string } =>
  typeof value === "object" && value !== null && "error" in value && typeof value.error === "string";

/** Not of a SharedArrayBuffer, which the peer could change while it is read. Realms differ, so `instanceof` would not do. */
const bytesOf = (value: unknown): Uint8Array | undefined => {
  if (!ArrayBuffer.isView(value)) return undefined;
  if (Object.prototype.toString.call(value) !== "[object Uint8Array]") return undefined;
  if (Object.prototype.toString.call(value.buffer) !== "[object ArrayBuffer]") return undefined;
  return new Uint8Array(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength);
};
