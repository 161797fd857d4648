import { CapnpError } from "../errors.ts";
import type { ByteStream } from "../serialization/byte-source.ts";
import { setStruct } from "../serialization/copy.ts";
import { decodeFrame, encodeFrame, frameHeader } from "../serialization/framing.ts";
import { MessageBuilder, MessageReader } from "../serialization/message.ts";
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
import { followPointer, target } from "../serialization/resolve-pointer.ts";
import { wrongType } from "../serialization/scalar.ts";
import type { Struct, StructConstructor } from "../serialization/struct.ts";
import { structSize } from "../serialization/total-size.ts";
import { structKind, structPart } from "../serialization/wire-pointer.ts";
import { assignStruct } from "./struct-class.ts";
import { StructBase, type StructBuilder, type StructReader } from "./struct-base.ts";

/**
 * Structs as messages: to and from bytes, segments and streams. What is written is always a whole message with the struct as its
 * root. A struct that is part of another message is copied into one of its own first.
 */

/** Whether the struct is what the root pointer of its message leads to. */
const isRoot = (struct: Struct): boolean => {
  const first = struct._segment.arena.segments[0];
  return (
    first !== undefined &&
    first.end >= 8 &&
    followPointer(first, 0) &&
    (target.low & 3) === structKind &&
    target.segment === struct._segment &&
    target.start === struct._data &&
    target.high === structPart(struct._dataBytes / 8, struct._pointerCount)
  );
};

/** A message of one segment with a copy of the struct; of a group, the fields of the group alone. */
const messageOf = (struct: StructBase): MessageBuilder => {
  if (struct._schema.isGroup) {
    const { Builder, dataBytes, pointerCount } = struct._class;
    const message = new MessageBuilder();
    assignStruct(message.initRoot<StructBuilder>(Builder, dataBytes, pointerCount), struct);
    return message;
  }
  const { _segment, _data, _dataBytes, _pointerCount, _depth } = struct;
  const { wordCount } = structSize(_segment, _data, _dataBytes, _pointerCount, _depth);
  const message = new MessageBuilder({ firstSegmentWords: 1 + wordCount });
  setStruct(message.rootSegment, 0, struct);
  return message;
};

/**
 * The segments of a message with the struct as its root. Of a root: views of the message, no copy, which change as the message
 * does. Capabilities are no part of them.
 */
export const toSegmentViews = (struct: StructBase): Uint8Array[] => {
  if (!(struct instanceof StructBase)) throw wrongType("A message", "a struct as its root", struct);
  if (!struct._schema.isGroup && isRoot(struct)) {
    return struct._segment.arena.segments.map(({ bytes, end }) => bytes.subarray(0, end));
  }
  const message = messageOf(struct);
  // The copy holds references of its own to the capabilities, which nobody can reach through bytes.
  message.capTable.release();
  return message.segments();
};

/** As {@link toSegmentViews}, copied. */
export const toSegments = (struct: StructBase): Uint8Array[] =>
  toSegmentViews(struct).map((segment) => segment.slice());

/** The message in the stream format: a table of segment sizes and the segments. */
export const toBytes = (struct: StructBase): Uint8Array => encodeFrame(toSegmentViews(struct));

/** The message in the stream format, packed. */
export const toBytesPacked = (struct: StructBase): Uint8Array => {
  const segments = toSegmentViews(struct);
  return packPieces([frameHeader(segments), ...segments]);
};

/**
 * Writes the message to a stream, which stays open. Resolves when the stream has taken it: awaiting each write is all that
 * backpressure needs. Rejects with the stream's error. The message is as it is now, whatever happens to it before it is written.
 */
export const write = (struct: StructBase, sink: ByteSink): Promise<void> => writeBytes(sink, toBytes(struct));

/** As {@link write}, packed. */
export const writePacked = (struct: StructBase, sink: ByteSink): Promise<void> =>
  writeBytes(sink, toBytesPacked(struct));

/** What the functions below need of a struct class. */
interface Readable<R> {
  readonly Reader: StructConstructor<R>;
}

const rootOf = <R>(type: Readable<R>, segments: readonly Uint8Array[], options: MessageOptions | undefined): R =>
  new MessageReader(segments, options).root(type.Reader);

const bytesOf = (value: Uint8Array | ArrayBuffer | ArrayBufferView): Uint8Array => {
  if (value instanceof Uint8Array) return value;
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  throw wrongType("A message", "bytes (a Uint8Array)", value);
};

/** Bytes that a message may be read from. They are read in place and must not change while the message is in use. */
export type MessageBytes = Uint8Array | ArrayBuffer | ArrayBufferView;

/** The message that `bytes` begin with. What follows it is ignored; `readMultipleBytes` reads that, too. */
export const fromBytes = <R extends StructReader>(
  type: Readable<R>,
  bytes: MessageBytes,
  options?: MessageOptions,
): R => {
  // No limit on the size: the message is in memory already, and every word of it has a cost when it is read.
  const limits = { maxFrameBytes: Number.POSITIVE_INFINITY };
  const { maxSegments } = options ?? {};
  const { segments } = decodeFrame(bytesOf(bytes), maxSegments === undefined ? limits : { ...limits, maxSegments });
  return rootOf(type, segments, options);
};

/** The packed message that `bytes` begin with. Its unpacked size is limited to the traversal limit. */
export const fromBytesPacked = <R extends StructReader>(
  type: Readable<R>,
  bytes: MessageBytes,
  options?: MessageOptions,
): R => {
  for (const message of readMultipleBytesPacked(type, bytes, options)) return message;
  throw new CapnpError("CAPNP_TRUNCATED", "There is no message in 0 packed bytes.");
};

/** The message of these segments, which are read in place. */
export const fromSegments = <R extends StructReader>(
  type: Readable<R>,
  segments: readonly MessageBytes[],
  options?: MessageOptions,
): R => rootOf(type, segments.map(bytesOf), options);

const readAs =
  (encoding: Encoding) =>
  async <R extends StructReader>(
    type: Readable<R>,
    stream: ByteStream,
    options?: MessageOptions,
  ): Promise<R | undefined> => {
    const segments = await readMessage(stream, encoding, options);
    return segments === undefined ? undefined : rootOf(type, segments, options);
  };

/** Reads one message from a stream and leaves what follows it there. Undefined at the end of the stream. */
export const read = readAs("plain");

/** As {@link read}, of packed messages. */
export const readPacked = readAs("packed");

const readMultipleAs = (encoding: Encoding) =>
  async function* <R extends StructReader>(
    type: Readable<R>,
    stream: ByteStream,
    options?: MessageOptions,
  ): AsyncGenerator<R, void, undefined> {
    for await (const segments of readMessages(stream, encoding, options)) yield rootOf(type, segments, options);
  };

/** All messages of a stream, in order. Stopping early leaves the rest in the stream. */
export const readMultiple = readMultipleAs("plain");

/** As {@link readMultiple}, of packed messages. */
export const readMultiplePacked = readMultipleAs("packed");

const readMultipleBytesAs = (encoding: Encoding) =>
  function* <R extends StructReader>(
    type: Readable<R>,
    bytes: MessageBytes,
    options?: MessageOptions,
  ): Generator<R, void, undefined> {
    for (const segments of readMessagesOf(bytesOf(bytes), encoding, options)) yield rootOf(type, segments, options);
  };

/** The messages that stand one behind the other in `bytes`. */
export const readMultipleBytes = readMultipleBytesAs("plain");

/** As {@link readMultipleBytes}, of packed messages. */
export const readMultipleBytesPacked = readMultipleBytesAs("packed");
