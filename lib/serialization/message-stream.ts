import { CapnpError } from "../errors.ts";
import { type ByteStream, openSource } from "./byte-source.ts";
import { type FileHandleLike, isFileHandle, writeAll } from "./file-handle.ts";
import { FrameReader, type FrameLimits } from "./framing.ts";
import { PackedReader } from "./packed-reader.ts";
import { checkReaderOptions, defaultTraversalLimitInWords, type ReaderOptions } from "./read-limiter.ts";

/** How the messages of a stream are encoded. */
export type Encoding = "plain" | "packed";

/** What is accepted of each message in a stream. */
export interface MessageOptions extends ReaderOptions {
  /** The most segments of a message. Default: 511. */
  readonly maxSegments?: number;
}

/** As C++ does it: a message larger than what may be read of it is refused before it is in memory. */
const frameLimits = (options?: MessageOptions): FrameLimits => {
  if (options !== undefined) checkReaderOptions(options);
  const maxFrameBytes = (options?.traversalLimitInWords ?? defaultTraversalLimitInWords) * 8;
  return options?.maxSegments === undefined ? { maxFrameBytes } : { maxFrameBytes, maxSegments: options.maxSegments };
};

const readerOf = (encoding: Encoding, options?: MessageOptions): FrameReader | PackedReader =>
  encoding === "packed" ? new PackedReader(frameLimits(options)) : new FrameReader(frameLimits(options));

const nothing = new Uint8Array(0);

/** The end of the last piece that a reader has not looked at. */
const tail = (piece: Uint8Array, reader: FrameReader | PackedReader): Uint8Array =>
  piece.subarray(piece.length - reader.buffered);

/**
 * Reads one message and leaves all that follows in the stream. Undefined at its end.
 *
 * Rejects with CAPNP_TRUNCATED, CAPNP_FRAME, CAPNP_FRAME_TOO_LARGE or CAPNP_PACKED for what is not a message, and with the
 * stream's own error where that fails.
 */
export const readMessage = async (
  stream: ByteStream,
  encoding: Encoding,
  options?: MessageOptions,
): Promise<Uint8Array[] | undefined> => {
  const reader = readerOf(encoding, options);
  const opened = openSource(stream);
  const source = opened instanceof Promise ? await opened : opened;
  let segments: Uint8Array[] | undefined;
  const take = (piece: Uint8Array): Uint8Array | undefined => {
    reader.push(piece);
    segments = reader.next();
    return segments === undefined ? undefined : tail(piece, reader);
  };
  try {
    while (segments === undefined) {
      if (!(await source.next(take))) {
        reader.end();
        break;
      }
    }
  } finally {
    source.close(nothing);
  }
  return segments;
};

/** All messages up to the end of the stream. To stop early leaves the rest in the stream, which is not destroyed. */
export async function* readMessages(
  stream: ByteStream,
  encoding: Encoding,
  options?: MessageOptions,
): AsyncGenerator<Uint8Array[], void, undefined> {
  const reader = readerOf(encoding, options);
  const opened = openSource(stream);
  const source = opened instanceof Promise ? await opened : opened;
  // Behind an error nobody knows where a message begins: nothing is given back then.
  let unused: Uint8Array = nothing;
  let piece: Uint8Array = nothing;
  const take = (taken: Uint8Array): undefined => {
    piece = taken;
    reader.push(taken);
  };
  try {
    do {
      for (let segments = reader.next(); segments !== undefined; segments = reader.next()) {
        unused = tail(piece, reader);
        yield segments;
        unused = nothing;
      }
    } while (await source.next(take));
    reader.end();
  } finally {
    source.close(unused);
  }
}

/** The messages that stand one behind the other in `bytes`, which are not copied unless they are packed. */
export function* readMessagesOf(
  bytes: Uint8Array,
  encoding: Encoding,
  options?: MessageOptions,
): Generator<Uint8Array[], void, undefined> {
  const reader = readerOf(encoding, options);
  reader.push(bytes);
  for (let segments = reader.next(); segments !== undefined; segments = reader.next()) yield segments;
  reader.end();
}

/** What is needed of Node's `Writable`. */
export interface WritableLike {
  write(chunk: Uint8Array, callback: (error?: Error | null) => void): boolean;
  on(event: "error", listener: (error: Error) => void): unknown;
  off(event: "error", listener: (error: Error) => void): unknown;
}

/** What is needed of the web's `WritableStream<Uint8Array>`. */
export interface WebWritable {
  getWriter(): { write(chunk: Uint8Array): Promise<void>; releaseLock(): void };
}

/** Where bytes can be written to: a Writable of Node, a stream of the web, or a FileHandle, from where it stands on. */
export type ByteSink = WritableLike | WebWritable | FileHandleLike;

/**
 * Resolves when the stream has taken the bytes to where they go, which is also when it has room for more. Rejects with the
 * stream's error where it fails. The stream stays open.
 */
export const writeBytes = (sink: ByteSink, bytes: Uint8Array): Promise<void> => {
  if (typeof sink === "object" && sink !== null) {
    if (isFileHandle(sink)) return inLine(sink, () => writeAll(sink, bytes));
    if ("getWriter" in sink) return writeToWeb(sink, bytes);
    if ("write" in sink && "on" in sink) return writeToNode(sink, bytes);
  }
  const problem = "Messages are written to a Writable, a WritableStream or a FileHandle. For bytes there is toBytes.";
  return Promise.reject(new CapnpError("CAPNP_TYPE", problem));
};

const writeToNode = (sink: WritableLike, bytes: Uint8Array): Promise<void> =>
  new Promise((resolve, reject) => {
    // A failing Writable calls back and then emits `error`, which ends the process where nobody listens. Whoever waits for this
    // promise has been told, so the listener stays on a stream that has failed.
    sink.on("error", reject);
    sink.write(bytes, (error) => {
      if (error !== null && error !== undefined) return reject(error);
      sink.off("error", reject);
      resolve();
    });
  });

const writeToWeb = (sink: WebWritable, bytes: Uint8Array): Promise<void> =>
  inLine(sink, async () => {
    const writer = sink.getWriter();
    try {
      await writer.write(bytes);
    } finally {
      writer.releaseLock();
    }
  });

/** Ends of the line of writers of what lets one writer hold it at a time. */
const lines = new WeakMap<object, Promise<void>>();

/** Writes when all that came before have written. */
const inLine = (sink: object, write: () => Promise<void>): Promise<void> => {
  const before = lines.get(sink) ?? Promise.resolve();
  const written = before.then(write);
  // The next writer's turn comes whether or not this one succeeded; the failure itself is this caller's.
  lines.set(
    sink,
    written.catch(() => undefined),
  );
  return written;
};
