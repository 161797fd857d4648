import { Writable } from "node:stream";
import { ByteStream } from "../../lib/generated/capnp/compat/byte-stream.capnp.ts";
import { byteStream } from "../../lib/streams/byte-stream.ts";

/** A Writable that keeps what it gets, and takes each piece only when the test says so. */
export class SlowSink extends Writable {
  readonly pieces: string[] = [];
  readonly #takes: (() => void)[] = [];
  /** What it was destroyed with. */
  brokenBy: Error | undefined;

  constructor() {
    super({ highWaterMark: 1 });
    this.on("error", (error) => {
      this.brokenBy = error;
    });
  }

  override _write(chunk: Buffer, _encoding: string, callback: (error?: Error | null) => void): void {
    this.pieces.push(chunk.toString("latin1"));
    this.#takes.push(callback);
  }

  /** Takes the piece that came last; false where there is none. */
  take(): boolean {
    const take = this.#takes.shift();
    take?.();
    return take !== undefined;
  }
}

/** A Writable that takes everything at once. */
export class Sink extends Writable {
  readonly #chunks: Buffer[] = [];
  brokenBy: Error | undefined;

  constructor() {
    super();
    this.on("error", (error) => {
      this.brokenBy = error;
    });
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString("latin1");
  }

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    this.#chunks.push(Buffer.from(chunk));
    callback();
  }
}

/** A client of a byte stream that ends in a Writable. */
export const streamTo = (sink: Writable): ByteStream.Client => new ByteStream.Client(byteStream(sink));

export const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");

/** Text that repeats nowhere within any few bytes, so that lost or moved pieces show. */
export const longText = (length: number): string => {
  let state = 12_345;
  let text = "";
  while (text.length < length) {
    state = (state * 1_103_515_245 + 12_345) & 0x7fffffff;
    text += state.toString(36);
  }
  return text.slice(0, length);
};
