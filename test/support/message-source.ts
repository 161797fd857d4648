import { Readable } from "node:stream";
import type { Loose } from "./loose.ts";

/**
 * A stream of as many messages as one likes that takes no memory: the same piece of whole messages over and over, cut at places
 * that move, so that every message straddles two pieces sooner or later. `Type` is a struct of `number`, `name` and `payload`.
 */
export class SourceOfMessages {
  /** Bytes of the piece that is repeated. */
  readonly pieceBytes: number;
  readonly bytesPerMessage: number;
  readonly totalBytes: number;
  readonly messages: number;
  /** Bytes that the stream has been asked for so far. */
  bytesGiven = 0;
  readonly #block: Buffer;
  readonly #perBlock: number;

  /** @param atLeast Bytes of the whole stream, rounded up. */
  constructor(Type: Loose, form: "plain" | "packed", atLeast: number) {
    const name = "a name of some length";
    const payload = new Uint8Array(1024).map((_, i) => (i % 3 === 0 ? 0 : i));
    const perBlock = 64;
    const one = Array.from({ length: perBlock }, (_, i) => {
      const message = Type.newMessage({ number: BigInt(i + 1) * 0x01010101n, name, payload });
      return form === "plain" ? message.toBytes() : message.toBytesPacked();
    });
    this.#perBlock = perBlock;
    this.#block = Buffer.concat(one);
    this.bytesPerMessage = this.#block.length / perBlock;
    const blocks = Math.ceil(atLeast / this.#block.length);
    this.totalBytes = blocks * this.#block.length;
    this.messages = blocks * perBlock;
    // Not a divisor of the block's size.
    this.pieceBytes = Math.floor(this.#block.length * 0.61);
  }

  /** The `number` of a message. */
  numberOf(index: number): bigint {
    return BigInt((index % this.#perBlock) + 1) * 0x01010101n;
  }

  readable(): Readable {
    const { totalBytes, pieceBytes } = this;
    const block = this.#block;
    const source = this;
    return new Readable({
      read() {
        const at = source.bytesGiven % block.length;
        const size = Math.min(pieceBytes, block.length - at, totalBytes - source.bytesGiven);
        source.bytesGiven += size;
        this.push(size === 0 ? null : block.subarray(at, at + size));
      },
    });
  }
}
