import { CapnpError } from "../errors.ts";
import type { DuplexStream } from "./framed-stream.ts";

interface Written {
  readonly bytes: Uint8Array;
  readonly taken: (() => void) | undefined;
}

type EventName = "data" | "error" | "end" | "finish" | "drain" | "close";

/**
 * A stream without anything at its end: its user carries the bytes. What is written to it is handed out by `pull`, what
 * `feed` is given is read from it. Both wait, so that neither direction holds much more than 64 KiB.
 *
 * It behaves as Node's Duplex does, and is none, so that it works where there is no Node.
 */
export class TwoWayPipe implements DuplexStream {
  readonly #listeners: Record<EventName, ((argument: never) => void)[]> = {
    data: [],
    error: [],
    end: [],
    finish: [],
    drain: [],
    close: [],
  };
  #destroyed = false;

  // Outward
  /** What is being handed out: the rest of it, and whom to tell when it is all taken. */
  #piece: Uint8Array | undefined;
  #pieceTaken: Written[] = [];
  /** What was written after it. */
  #waiting: Written[] = [];
  #waitingBytes = 0;
  #corked = 0;
  #needsDrain = false;
  /** Nothing more will be written. */
  #isEnding = false;
  #writableFinished = false;
  readonly #takers: { readonly maxBytes: number; readonly resolve: (bytes: Uint8Array | undefined) => void }[] = [];

  // Inward
  #incoming: Uint8Array[] = [];
  #incomingBytes = 0;
  #givers: (() => void)[] = [];
  #isFed = false;
  #readableEnded = false;
  #flowing: boolean | undefined;
  #isDelivering = false;

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
    if (event === "data" && this.#flowing === undefined) this.resume();
  }

  /** Up to `maxBytes` of what was written, as soon as there are any; undefined after the end. */
  pull(maxBytes: number): Promise<Uint8Array | undefined> {
    if (!(maxBytes >= 1)) {
      throw new CapnpError("CAPNP_RANGE", `At least 1 byte must be asked for, not ${maxBytes}.`);
    }
    return new Promise((resolve) => {
      this.#takers.push({ maxBytes: Math.floor(maxBytes), resolve });
      this.#serve();
    });
  }

  /** Makes bytes readable. Resolves when there is room for more: false where nobody will read them any more. */
  feed(bytes: Uint8Array): Promise<boolean> {
    if (!(bytes instanceof Uint8Array)) {
      throw new CapnpError("CAPNP_TYPE", `Received bytes must be a Uint8Array or Buffer, not ${typeof bytes}.`);
    }
    if (this.#destroyed || this.#isFed) return Promise.resolve(false);
    if (bytes.byteLength === 0) return Promise.resolve(true);
    // What was received may lie in a buffer that is used again; `slice` of a Buffer would share it.
    this.#incoming.push(new Uint8Array(bytes));
    this.#incomingBytes += bytes.byteLength;
    this.#deliverLater();
    if (this.#incomingBytes < room) return Promise.resolve(true);
    return new Promise((resolve) => {
      this.#givers.push(() => resolve(!this.#destroyed));
    });
  }

  /** Nothing more will be fed. */
  feedEnd(): void {
    if (this.#destroyed || this.#isFed) return;
    this.#isFed = true;
    this.#deliverLater();
  }

  write(bytes: Uint8Array, taken?: () => void): boolean {
    if (this.#destroyed || this.#isEnding) return false;
    this.#waiting.push({ bytes, taken });
    this.#waitingBytes += bytes.byteLength;
    this.#piece ??= this.#nextPiece();
    this.#serve();
    if (this.#waitingBytes < room) return true;
    this.#needsDrain = true;
    return false;
  }

  cork(): void {
    this.#corked++;
  }

  uncork(): void {
    this.#corked--;
    this.#piece ??= this.#nextPiece();
    this.#serve();
  }

  end(): void {
    this.#isEnding = true;
    this.#corked = 0;
    this.#serve();
  }

  /** Whoever pulls or feeds waits no longer, and hears that it is over. */
  destroy(error?: Error): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#piece = undefined;
    this.#pieceTaken = [];
    this.#waiting = [];
    this.#incoming = [];
    this.#serve();
    this.#freeGivers();
    queueMicrotask(() => {
      if (error !== undefined) this.#emit("error", error);
      this.#emit("close");
    });
  }

  pause(): void {
    this.#flowing = false;
  }

  resume(): void {
    this.#flowing = true;
    this.#deliverLater();
  }

  #serve(): void {
    while (this.#takers.length > 0) {
      this.#piece ??= this.#nextPiece();
      const isOver = this.#destroyed || (this.#isEnding && this.#piece === undefined);
      if (this.#piece === undefined && !isOver) return;
      const { maxBytes, resolve } = this.#takers.shift()!;
      resolve(this.#piece === undefined ? undefined : this.#takeFrom(this.#piece, maxBytes));
    }
    this.#finish();
  }

  /** All that has gathered while the piece before it was handed out. */
  #nextPiece(): Uint8Array | undefined {
    if (this.#waiting.length === 0 || this.#corked > 0) return undefined;
    const all = this.#waiting;
    this.#waiting = [];
    this.#pieceTaken = all;
    if (all.length === 1) return all[0]!.bytes;
    const joined = new Uint8Array(all.reduce((sum, { bytes }) => sum + bytes.byteLength, 0));
    let at = 0;
    for (const { bytes } of all) {
      joined.set(bytes, at);
      at += bytes.byteLength;
    }
    return joined;
  }

  /** A copy: who wrote it has its memory back as soon as all was taken. */
  #takeFrom(piece: Uint8Array, maxBytes: number): Uint8Array {
    const bytes = new Uint8Array(piece.subarray(0, maxBytes));
    this.#waitingBytes -= bytes.byteLength;
    if (bytes.byteLength < piece.byteLength) {
      this.#piece = piece.subarray(bytes.byteLength);
      return bytes;
    }
    this.#piece = undefined;
    const all = this.#pieceTaken;
    this.#pieceTaken = [];
    // Not from within `pull`: what they do may write again.
    queueMicrotask(() => this.#acknowledge(all));
    return bytes;
  }

  #acknowledge(all: readonly Written[]): void {
    for (const { taken } of all) if (!this.#destroyed) taken?.();
    if (this.#needsDrain && this.#waitingBytes === 0 && !this.#destroyed) {
      this.#needsDrain = false;
      this.#emit("drain");
    }
    this.#finish();
  }

  #finish(): void {
    const isEmpty = this.#piece === undefined && this.#waiting.length === 0;
    if (!this.#isEnding || !isEmpty || this.#writableFinished || this.#destroyed) return;
    this.#writableFinished = true;
    queueMicrotask(() => this.#emit("finish"));
  }

  #deliverLater(): void {
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    queueMicrotask(() => {
      this.#isDelivering = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    while (this.#flowing === true && !this.#destroyed) {
      const bytes = this.#incoming.shift();
      if (bytes === undefined) {
        if (this.#isFed && !this.#readableEnded) {
          this.#readableEnded = true;
          this.#emit("end");
        }
        return;
      }
      this.#incomingBytes -= bytes.byteLength;
      if (this.#incomingBytes < room) this.#freeGivers();
      this.#emit("data", bytes);
    }
  }

  #freeGivers(): void {
    const givers = this.#givers;
    this.#givers = [];
    for (const giver of givers) giver();
  }

  #emit(event: EventName, argument?: unknown): void {
    for (const listener of this.#listeners[event]) (listener as (argument: unknown) => void)(argument);
  }
}

/** Bytes in one direction from which on whoever brings more has to wait. */
const room = 64 * 1024;
