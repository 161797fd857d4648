import type { Arena } from "../serialization/arena.ts";
import { copyPointer, setStruct } from "../serialization/copy.ts";
import { MessageBuilder, MessageReader } from "../serialization/message.ts";
import type { ReaderOptions } from "../serialization/read-limiter.ts";
import { followPointer, target } from "../serialization/resolve-pointer.ts";
import { wrongType } from "../serialization/scalar.ts";
import { Struct, type StructConstructor } from "../serialization/struct.ts";
import { pointerSize, structSize } from "../serialization/total-size.ts";
import { structKind, structPart } from "../serialization/wire-pointer.ts";
import { AnyPointerReader } from "./any-pointer.ts";
import { AnyStructReader } from "./any-struct.ts";
import { assignStruct } from "./struct-class.ts";
import { StructBase, type StructBuilder, type StructReader } from "./struct-base.ts";
import type { AnyPointerReader as TypedAnyPointerReader } from "./typed-any-pointer.ts";

/** What functions that read messages need of a struct class. */
export interface Readable<R> {
  readonly Reader: StructConstructor<R>;
}

/**
 * What the root of a message is read as: a struct class; or `AnyPointer` or `AnyStruct`, for streams of messages of several types
 * and programs without their schemas.
 */
export type RootType = Readable<StructReader> | "AnyPointer" | "AnyStruct";

/** What is read of a message whose root is of a type. */
export type RootOf<T extends RootType> =
  T extends Readable<infer R> ? R : T extends "AnyPointer" ? TypedAnyPointerReader : AnyStructReader;

/** The root of a message that is read. */
export const readRoot = <T extends RootType>(
  type: T,
  segments: readonly Uint8Array[],
  options: ReaderOptions | undefined,
): RootOf<T> => {
  const message = new MessageReader(segments, options);
  if (type === "AnyPointer") {
    return new AnyPointerReader(message.rootSegment, 0, message.arena.nestingLimit) as RootOf<T>;
  }
  if (type === "AnyStruct") return message.root(AnyStructReader) as RootOf<T>;
  return message.root((type as Readable<StructReader>).Reader) as RootOf<T>;
};

/** What can be the root of a message that is written. */
export type Root = StructBase | AnyStructReader | AnyPointerReader;

/** Whether the struct is what the root pointer of its message leads to. */
const isRoot = (struct: Struct): boolean => {
  const first = struct.$segment.arena.segments[0];
  return (
    first !== undefined &&
    first.end >= 8 &&
    followPointer(first, 0) &&
    (target.low & 3) === structKind &&
    target.segment === struct.$segment &&
    target.start === struct.$data &&
    target.high === structPart(struct.$dataBytes / 8, struct.$pointerCount)
  );
};

/** A message of one segment with a copy of the struct; of a group, the fields of the group alone. */
const messageOf = (struct: Struct): MessageBuilder => {
  if (struct instanceof StructBase && struct.$schema.isGroup) {
    const { Builder, dataBytes, pointerCount } = struct.$class;
    const message = new MessageBuilder();
    assignStruct(message.initRoot<StructBuilder>(Builder, dataBytes, pointerCount), struct);
    return message;
  }
  const { $segment, $data, $dataBytes, $pointerCount, $depth } = struct;
  const { wordCount } = structSize($segment, $data, $dataBytes, $pointerCount, $depth);
  const message = new MessageBuilder({ firstSegmentWords: 1 + wordCount });
  setStruct(message.rootSegment, 0, struct);
  return message;
};

const messageOfPointer = ({ $segment, $position, $depth }: AnyPointerReader): MessageBuilder => {
  const { wordCount } = pointerSize($segment, $position, $depth);
  const message = new MessageBuilder({ firstSegmentWords: 1 + wordCount });
  copyPointer(message.rootSegment, 0, $segment, $position, $depth);
  return message;
};

/** Whether an AnyPointer is the root pointer of its message itself. */
const isRootPointer = ({ $segment, $position }: AnyPointerReader): boolean =>
  $position === 0 && $segment.arena.segments[0] === $segment;

/** The arena of a message with the value as its root: its own where it is the root there, else that of a copy. */
export const rootArena = (value: Root): Arena => {
  let message: MessageBuilder;
  if (value instanceof AnyPointerReader) {
    if (isRootPointer(value)) return value.$segment.arena;
    message = messageOfPointer(value);
  } else if (value instanceof Struct) {
    if (!(value instanceof StructBase && value.$schema.isGroup) && isRoot(value)) return value.$segment.arena;
    message = messageOf(value);
  } else throw wrongType("A message", "a struct as its root", value);
  // The copy holds references of its own to the capabilities, which nobody can reach through bytes.
  if (message.arena.hasCapTable) message.capTable.release();
  return message.arena;
};
