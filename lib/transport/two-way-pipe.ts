import { Duplex } from "node:stream";
import { CapnpError } from "../errors.ts";

type Done = (error?: Error | null) => void;

/**
 * A stream without anything at its end: its user carries the bytes. What is written to it is handed out by `pull`, what
 * `feed` is given is read from it. Both wait, so that neither direction holds more than the streams' usual buffers.
 */
export class TwoWayPipe extends Duplex {
  /** What was written and has not been taken, oldest first. */
  #outgoing: Uint8Array[] = [];
  /** Asks for more to be written. */
  #taken: Done | undefined;
  /** Nothing more will be written. */
  #isOver = false;
  readonly #takers: { readonly maxBytes: number; readonly resolve: (bytes: Uint8Array | undefined) => void }[] = [];
  #givers: (() => void)[] = [];
  #isFed = false;

  constructor() {
    super({ writableHighWaterMark: 64 * 1024, readableHighWaterMark: 64 * 1024 });
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
    if (this.destroyed || this.#isFed) return Promise.resolve(false);
    // What was received may lie in a buffer that is used again; `slice` of a Buffer would share it.
    if (bytes.byteLength === 0 || this.push(Buffer.from(bytes))) return Promise.resolve(true);
    return new Promise((resolve) => {
      this.#givers.push(() => resolve(!this.destroyed));
    });
  }

  /** Nothing more will be fed. */
  feedEnd(): void {
    if (this.destroyed || this.#isFed) return;
    this.#isFed = true;
    this.push(null);
  }

  #serve(): void {
    while (this.#takers.length > 0) {
      const [first] = this.#outgoing;
      if (first === undefined && !this.#isOver) return;
      const { maxBytes, resolve } = this.#takers.shift()!;
      if (first === undefined) resolve(undefined);
      else resolve(this.#takeFrom(first, maxBytes));
    }
  }

  /** A copy: who wrote it has its memory back as soon as all was taken. */
  #takeFrom(first: Uint8Array, maxBytes: number): Uint8Array {
    const bytes = new Uint8Array(first.subarray(0, maxBytes));
    if (bytes.byteLength < first.byteLength) {
      this.#outgoing[0] = first.subarray(bytes.byteLength);
      return bytes;
    }
    this.#outgoing.shift();
    if (this.#outgoing.length === 0) {
      const taken = this.#taken;
      this.#taken = undefined;
      taken?.();
    }
    return bytes;
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: Done): void {
    this.#outgoing.push(chunk);
    this.#taken = done;
    this.#serve();
  }

  override _writev(chunks: { readonly chunk: Uint8Array }[], done: Done): void {
    this.#outgoing.push(Buffer.concat(chunks.map(({ chunk }) => chunk)));
    this.#taken = done;
    this.#serve();
  }

  override _final(done: Done): void {
    this.#isOver = true;
    this.#serve();
    done();
  }

  override _read(): void {
    this.#freeGivers();
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#outgoing = [];
    this.#isOver = true;
    this.#serve();
    this.#freeGivers();
    done(error);
  }

  #freeGivers(): void {
    const givers = this.#givers;
    this.#givers = [];
    for (const giver of givers) giver();
  }
}
