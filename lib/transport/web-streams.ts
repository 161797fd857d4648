import { CapnpError } from "../errors.ts";
import { FramedStreamTransport, type DuplexStream } from "./framed-stream.ts";
import type { TransportOptions } from "./options.ts";
import type { PeerInfo, Transport } from "./transport.ts";

/** Both directions of bytes as streams of the web: a WebTransport stream, a socket of Deno or Cloudflare, crossed TransformStreams. */
export interface WebStreams {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}

/** A Node Duplex has properties of these names, too: there they are booleans. */
export const isWebStreams = (stream: object): stream is WebStreams => {
  const { readable, writable } = stream as { readonly readable?: unknown; readonly writable?: unknown };
  const has = (part: unknown, method: string): boolean => typeof part === "object" && part !== null && method in part;
  return has(readable, "getReader") && has(writable, "getWriter");
};

export const webStreamsPeer: PeerInfo = { address: "stream", encrypted: false, authenticated: false };

/** Messages over a pair of web streams. Throws CAPNP_TYPE where one of them is locked: somebody else reads or writes it then. */
export const webStreamsTransport = (streams: WebStreams, options: TransportOptions = {}): Transport =>
  new FramedStreamTransport(new WebStreamDuplex(streams), webStreamsPeer, false, options);

type EventName = "data" | "error" | "end" | "finish" | "drain" | "close";

/**
 * A pair of web streams in the shape of a Duplex. Nothing is read before `resume`. One piece at most is read that nobody has asked
 * for yet: the one that was under way when `pause` was called.
 */
export class WebStreamDuplex implements DuplexStream {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #listeners: Record<EventName, ((argument: never) => void)[]> = {
    data: [],
    error: [],
    end: [],
    finish: [],
    drain: [],
    close: [],
  };
  #flowing = false;
  #pumping = false;
  #held: Uint8Array | undefined;
  #destroyed = false;
  #readableEnded = false;
  #writableFinished = false;
  #needsDrain = false;
  #isEnding = false;

  constructor({ readable, writable }: WebStreams) {
    if (readable.locked || writable.locked) {
      const which = readable.locked ? "readable" : "writable";
      throw new CapnpError("CAPNP_TYPE", `the ${which} stream is locked: somebody else has its reader or writer`);
    }
    this.#reader = readable.getReader();
    this.#writer = writable.getWriter();
    const fail = (error: unknown): void => this.#fail(error);
    // Also while nothing is being read or written.
    this.#reader.closed.catch(fail);
    this.#writer.closed.catch(fail);
  }

  get destroyed(): boolean {
    return this.#destroyed;
  }

  get readableEnded(): boolean {
    return this.#readableEnded;
  }

  get writableFinished(): boolean {
    return this.#writableFinished;
  }

  on(event: EventName, listener: (argument: never) => void): void {
    this.#listeners[event].push(listener);
  }

  write(bytes: Uint8Array, written?: () => void): boolean {
    if (this.#destroyed) return false;
    this.#writer.write(bytes).then(written, (error: unknown) => this.#fail(error));
    if ((this.#writer.desiredSize ?? 0) > 0) return true;
    if (!this.#needsDrain) {
      this.#needsDrain = true;
      const ready = (): void => {
        this.#needsDrain = false;
        this.#emit("drain");
      };
      this.#writer.ready.then(ready, (error: unknown) => this.#fail(error));
    }
    return false;
  }

  /** Pieces of one write are written one by one: a web stream has no way to take them together. */
  cork(): void {}

  uncork(): void {}

  end(): void {
    if (this.#destroyed || this.#isEnding) return;
    this.#isEnding = true;
    const finished = (): void => {
      this.#writableFinished = true;
      this.#emit("finish");
    };
    this.#writer.close().then(finished, (error: unknown) => this.#fail(error));
  }

  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#held = undefined;
    const reason = new CapnpError("CAPNP_DISCONNECTED", "the connection was given up");
    const over = (): void => this.#emit("close");
    // Whatever is wrong with streams that are given up, nobody waits to hear it.
    Promise.allSettled([this.#reader.cancel(reason), this.#writer.abort(reason)]).then(over, over);
  }

  pause(): void {
    this.#flowing = false;
  }

  resume(): void {
    this.#flowing = true;
    if (!this.#pumping) void this.#pump();
  }

  async #pump(): Promise<void> {
    this.#pumping = true;
    try {
      while (this.#flowing && !this.#destroyed && !this.#readableEnded) {
        const piece = this.#held ?? (await this.#reader.read()).value;
        if (this.#destroyed) return;
        this.#held = undefined;
        if (piece === undefined) {
          this.#readableEnded = true;
          this.#emit("end");
        } else if (this.#flowing) {
          this.#emit("data", piece);
        } else {
          this.#held = piece;
        }
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#pumping = false;
    }
  }

  #fail(error: unknown): void {
    if (this.#destroyed) return;
    this.#emit("error", error instanceof Error ? error : new Error(String(error)));
    this.destroy();
  }

  #emit(event: EventName, argument?: unknown): void {
    for (const listener of this.#listeners[event]) (listener as (argument: unknown) => void)(argument);
  }
}
