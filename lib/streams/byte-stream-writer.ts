import { CapnpError } from "../errors.ts";
import { describeValue } from "../serialization/scalar.ts";
import type { ByteStream } from "../generated/capnp/compat/byte-stream.capnp.ts";

/** The most that one call carries: the default window of a stream, so that one piece is under way while another is made. */
const pieceSize = 64 * 1024;

/** Writes to a ByteStream; holds the client until it ends or breaks off. */
export class ByteStreamWriter {
  readonly #client: ByteStream.Client;
  #isOver = false;

  /** @param client Taken over. */
  constructor(client: ByteStream.Client) {
    this.#client = client;
  }

  /** Resolves when the stream has room for more. */
  async write(bytes: Uint8Array): Promise<void> {
    if (!(bytes instanceof Uint8Array)) {
      throw new CapnpError("CAPNP_TYPE", `A byte stream carries Uint8Arrays, not ${describeValue(bytes)}.`);
    }
    for (let at = 0; at < bytes.length; at += pieceSize) {
      if (this.#isOver) throw new CapnpError("CAPNP_CALL", "The byte stream was ended or released.");
      await this.#client.write(bytes.subarray(at, at + pieceSize));
    }
  }

  /** Resolves when the other end has taken all bytes. */
  async end(): Promise<void> {
    this.#isOver = true;
    try {
      await this.#client.end();
    } finally {
      this.#client.release();
    }
  }

  /** Breaks off: the other end learns that there would have been more. */
  cutOff(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#client.release();
  }
}

/**
 * A WritableStream that writes to a ByteStream. `write` waits for room in the flow window, `close` until the other end has
 * taken everything, and `abort` cuts the stream off. The stream takes the client over and releases it when it is done.
 */
export const toWebWritable = (client: ByteStream.Client): WritableStream<Uint8Array> => {
  const writer = new ByteStreamWriter(client);
  return new WritableStream<Uint8Array>({
    write: async (chunk) => {
      try {
        await writer.write(chunk);
      } catch (error) {
        writer.cutOff();
        throw error;
      }
    },
    close: () => writer.end(),
    abort: () => writer.cutOff(),
  });
};

/** What bytes may be read from: a Node Readable, a ReadableStream, an (async) generator, an array of pieces. */
export type ByteSource = AsyncIterable<Uint8Array> | Iterable<Uint8Array> | ReadableStream<Uint8Array>;

/**
 * Writes all bytes of a source to a ByteStream and ends it. Resolves with their number when the other end has taken them all.
 * If the source or the stream fails, the other is broken off, and the promise rejects. Takes the client over.
 */
export const pump = async (source: ByteSource, client: ByteStream.Client): Promise<number> => {
  const writer = new ByteStreamWriter(client);
  let count = 0;
  try {
    for await (const bytes of piecesOf(source)) {
      await writer.write(bytes);
      count += bytes.length;
    }
  } catch (error) {
    writer.cutOff();
    throw error;
  }
  await writer.end();
  return count;
};

const piecesOf = (source: ByteSource): AsyncIterable<Uint8Array> | Iterable<Uint8Array> =>
  Symbol.asyncIterator in source || Symbol.iterator in source ? source : read(source);

/** Not every browser's ReadableStream can be iterated. */
async function* read(source: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = source.getReader();
  let isOver = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        isOver = true;
        return;
      }
      yield value;
    }
  } finally {
    if (!isOver) await reader.cancel();
    reader.releaseLock();
  }
}
