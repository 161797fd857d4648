import { CapnpError } from "../errors.ts";
import { type ByteStream, checkUnshared } from "../serialization/byte-source.ts";
import { decodeFrame, encodeFrame, frameHeader } from "../serialization/framing.ts";
import {
  type ByteSink,
  type Encoding,
  type MessageOptions,
  readMessage,
  readMessages,
  readMessagesOf,
  writeBytes,
} from "../serialization/message-stream.ts";
import { packPieces } from "../serialization/packed.ts";
import { wrongType } from "../serialization/scalar.ts";
import { readRoot, type Root, rootArena, type RootOf, type RootType } from "./message-root.ts";
import { StructBase } from "./struct-base.ts";

/**
 * Structs as messages: to and from bytes, segments and streams. What is written is always a whole message with the struct as its
 * root. A struct that is part of another message is copied into one of its own first.
 */

/**
 * The segments of a message with the struct as its root. Of a root: views of the message, no copy, which change as the message
 * does. Capabilities are no part of them.
 */
export const toSegmentViews = (struct: Root): Uint8Array[] => {
  const { segments } = rootArena(struct);
  return segments.map((segment) => segment.expose(0, segment.end));
};

/** The segments of such a message, to be copied at once: unlike views that users hold, they let the message move. */
const segmentsOf = (struct: Root): Uint8Array[] => {
  const segments = rootArena(struct).segments.map(({ bytes, end }) => bytes.subarray(0, end));
  if (struct instanceof StructBase) struct.$schema._expectedBytes = segments[0]?.length ?? 0;
  return segments;
};

/** As {@link toSegmentViews}, copied. */
export const toSegments = (struct: Root): Uint8Array[] => segmentsOf(struct).map((segment) => segment.slice());

/** The message in the stream format: a table of segment sizes and the segments. */
export const toBytes = (struct: Root): Uint8Array => encodeFrame(segmentsOf(struct));

/** The message in the stream format, packed. */
export const toBytesPacked = (struct: Root): Uint8Array => {
  const segments = segmentsOf(struct);
  return packPieces([frameHeader(segments), ...segments]);
};

/**
 * Writes the message to a stream, which stays open. Resolves when the stream has taken it: awaiting each write is all that
 * backpressure needs. Rejects with the stream's error. The message is as it is now, whatever happens to it before it is written.
 */
export const write = (struct: Root, sink: ByteSink): Promise<void> => writeBytes(sink, toBytes(struct));

/** As {@link write}, packed. */
export const writePacked = (struct: Root, sink: ByteSink): Promise<void> => writeBytes(sink, toBytesPacked(struct));

const bytesOf = (value: Uint8Array | ArrayBuffer | ArrayBufferView): Uint8Array => {
  if (value instanceof Uint8Array) return checkUnshared(value);
  if (ArrayBuffer.isView(value)) {
    return checkUnshared(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  }
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  throw wrongType("A message", "bytes (a Uint8Array)", value);
};

/** Bytes that a message may be read from. They are read in place and must not change while the message is in use. */
export type MessageBytes = Uint8Array | ArrayBuffer | ArrayBufferView;

/** The message that `bytes` begin with. What follows it is ignored; `readMultipleBytes` reads that, too. */
export const fromBytes = <T extends RootType>(type: T, bytes: MessageBytes, options?: MessageOptions): RootOf<T> => {
  // No limit on the size: the message is in memory already, and every word of it has a cost when it is read.
  const limits = { maxFrameBytes: Number.POSITIVE_INFINITY };
  const { maxSegments } = options ?? {};
  const { segments } = decodeFrame(bytesOf(bytes), maxSegments === undefined ? limits : { ...limits, maxSegments });
  return readRoot(type, segments, options);
};

/** The packed message that `bytes` begin with. Its unpacked size is limited to the traversal limit. */
export const fromBytesPacked = <T extends RootType>(
  type: T,
  bytes: MessageBytes,
  options?: MessageOptions,
): RootOf<T> => {
  for (const message of readMultipleBytesPacked(type, bytes, options)) return message;
  throw new CapnpError("CAPNP_TRUNCATED", "There is no message in 0 packed bytes.");
};

export interface SegmentOptions extends MessageOptions {
  /** Whether the message is read from copies, so that the segments may change afterwards. Default: false. */
  readonly copy?: boolean;
}

/** The message of these segments, which are read in place unless `copy` is set. */
export const fromSegments = <T extends RootType>(
  type: T,
  segments: readonly MessageBytes[],
  options?: SegmentOptions,
): RootOf<T> => {
  const views = segments.map(bytesOf);
  return readRoot(type, options?.copy === true ? views.map((view) => view.slice()) : views, options);
};

const readAs =
  (encoding: Encoding) =>
  async <T extends RootType>(type: T, stream: ByteStream, options?: MessageOptions): Promise<RootOf<T> | undefined> => {
    const segments = await readMessage(stream, encoding, options);
    return segments === undefined ? undefined : readRoot(type, segments, options);
  };

/** Reads one message from a stream and leaves what follows it there. Undefined at the end of the stream. */
export const read = readAs("plain");

/** As {@link read}, of packed messages. */
export const readPacked = readAs("packed");

const readMultipleAs = (encoding: Encoding) =>
  async function* <T extends RootType>(
    type: T,
    stream: ByteStream,
    options?: MessageOptions,
  ): AsyncGenerator<RootOf<T>, void, undefined> {
    for await (const segments of readMessages(stream, encoding, options)) yield readRoot(type, segments, options);
  };

/** All messages of a stream, in order. Stopping early leaves the rest in the stream. */
export const readMultiple = readMultipleAs("plain");

/** As {@link readMultiple}, of packed messages. */
export const readMultiplePacked = readMultipleAs("packed");

const readMultipleBytesAs = (encoding: Encoding) =>
  function* <T extends RootType>(
    type: T,
    bytes: MessageBytes,
    options?: MessageOptions,
  ): Generator<RootOf<T>, void, undefined> {
    for (const segments of readMessagesOf(bytesOf(bytes), encoding, options)) yield readRoot(type, segments, options);
  };

/** The messages that stand one behind the other in `bytes`. */
export const readMultipleBytes = readMultipleBytesAs("plain");

/** As {@link readMultipleBytes}, of packed messages. */
export const readMultipleBytesPacked = readMultipleBytesAs("packed");
