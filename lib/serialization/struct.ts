import { Arena } from "./arena.ts";
import { unlimitedNesting } from "./read-limiter.ts";
import { resolveStruct, target } from "./resolve-pointer.ts";
import { Segment } from "./segment.ts";

/**
 * Where a struct lies in a message: the base of every reader and builder.
 *
 * The members are public and not `#private` because accessors made outside this class read them on every field access,
 * and V8 keeps such loads fast over many struct classes only for ordinary properties (measured: 8 ns against 160 ns for
 * four fields over ten classes). Their names begin with a dollar sign, which no
 * identifier of Cap'n Proto holds (an underscore may begin the name of a param).
 */
export class Struct {
  /** @internal */
  declare readonly $segment: Segment;
  /** Byte offset of the data section; the pointer section follows it at once. @internal */
  declare readonly $data: number;
  /** Size of the data section in bytes. @internal */
  declare readonly $dataBytes: number;
  /** @internal */
  declare readonly $pointerCount: number;
  /** How many levels of pointers may still be followed from here. @internal */
  declare readonly $depth: number;

  constructor(segment: Segment, data: number, dataBytes: number, pointerCount: number, depth: number) {
    this.$segment = segment;
    this.$data = data;
    this.$dataBytes = dataBytes;
    this.$pointerCount = pointerCount;
    this.$depth = depth;
  }
}

/** A class whose instances stand for a struct at a place in a message. */
export type StructConstructor<T> = new (
  segment: Segment,
  data: number,
  dataBytes: number,
  pointerCount: number,
  depth: number,
) => T;

/** A segment with nothing in it: what reading a null pointer reads. */
export const emptySegment: Segment = (() => {
  const arena = new Arena(Number.POSITIVE_INFINITY, unlimitedNesting);
  const segment = new Segment(arena, 0, new Uint8Array(0), 0);
  arena.segments = [segment];
  return segment;
})();

/** Makes a default value readable: `message` is one unframed segment (see `Value` in schema/node.ts), trusted. */
export const defaultSegment = (message: Uint8Array): Segment => {
  const arena = new Arena(Number.POSITIVE_INFINITY, unlimitedNesting);
  const segment = new Segment(arena, 0, message, message.length);
  arena.segments = [segment];
  return segment;
};

/** Reads the struct that a pointer leads to; the default value, or an empty struct, where the pointer is null. */
export const readStruct = <T>(
  Reader: StructConstructor<T>,
  segment: Segment,
  position: number,
  depth: number,
  defaultValue?: Segment,
): T => {
  if (resolveStruct(segment, position, depth)) {
    return new Reader(target.segment, target.start, target.dataBytes, target.pointerCount, depth - 1);
  }
  if (defaultValue !== undefined && resolveStruct(defaultValue, 0, depth)) {
    return new Reader(target.segment, target.start, target.dataBytes, target.pointerCount, depth - 1);
  }
  return new Reader(emptySegment, 0, 0, 0, depth);
};

/** Byte offset of a struct's pointer, which must be within its pointer section. */
export const pointerPosition = (struct: Struct, index: number): number => struct.$data + struct.$dataBytes + index * 8;
