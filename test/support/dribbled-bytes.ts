import { Duplex } from "node:stream";
import { collectGarbage } from "./budget.ts";

/** Bytes one by one. */
export function* dribble(bytes: Uint8Array): Generator<Uint8Array> {
  for (let i = 0; i < bytes.length; i++) yield bytes.subarray(i, i + 1);
}

/** How often memory is measured while bytes are given out. */
const measurements = 5;

/** Bytes that are given out one by one, and the most memory that was in use meanwhile. */
export class DribbledBytes {
  readonly #bytes: Uint8Array;
  readonly #before: number;
  readonly #every: number;
  #given = 0;
  /** The most that was alive, above what there was at the beginning. */
  mostMemory = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#every = Math.ceil(bytes.length / measurements);
    this.#before = inUse();
  }

  *pieces(): Generator<Uint8Array> {
    for (const piece of dribble(this.#bytes)) {
      this.#count();
      yield piece;
    }
  }

  /** One end of a connection whose other end takes anything. */
  duplex(): Duplex {
    const pieces = this.pieces();
    return new Duplex({
      highWaterMark: 1024,
      read() {
        for (let i = 0; i < 1000; i++) {
          const { done, value } = pieces.next();
          this.push(done === true ? null : value);
          if (done === true) return;
        }
      },
      write: (_chunk, _encoding, done) => done(),
    });
  }

  #count(): void {
    if (++this.#given % this.#every === 0) this.mostMemory = Math.max(this.mostMemory, inUse() - this.#before);
  }
}

const inUse = (): number => {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};
