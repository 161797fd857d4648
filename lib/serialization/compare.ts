import { nestingLimitExceeded } from "./read-limiter.ts";
import { followPointer, resolveAnyList, resolveCapability, resolveStruct, target } from "./resolve-pointer.ts";
import type { Segment } from "./segment.ts";
import type { Struct } from "./struct.ts";
import { elementBits, elementSize, listKind, structKind } from "./wire-pointer.ts";

/**
 * What comparing two objects can tell. `unknown`: they are equal but for capabilities, and whether two capabilities are the same
 * nobody can tell from here.
 */
export type Comparison = "equal" | "different" | "unknown";

/**
 * Compares structs by content, whatever their types: bit by bit, and through all pointers. Zero words and null pointers that only
 * one of them has, as a newer schema gives it more room, make no difference; nor does the order in which objects lie.
 */
export const compareStructs = (a: Struct, b: Struct): Comparison => {
  if (!sameData(a, b)) return "different";
  const count = Math.max(a.$pointerCount, b.$pointerCount);
  let result: Comparison = "equal";
  for (let i = 0; i < count; i++) {
    const one = comparePointers(a.$segment, pointerAt(a, i), a.$depth, b.$segment, pointerAt(b, i), b.$depth);
    if (one === "different") return one;
    if (one === "unknown") result = one;
  }
  return result;
};

/** -1 for a pointer that the struct is too small to have. */
const pointerAt = (struct: Struct, index: number): number =>
  index < struct.$pointerCount ? struct.$data + struct.$dataBytes + index * 8 : -1;

const sameData = (a: Struct, b: Struct): boolean => {
  const common = Math.min(a.$dataBytes, b.$dataBytes);
  if (!sameBytes(a.$segment, a.$data, b.$segment, b.$data, common)) return false;
  return isZero(a, common) && isZero(b, common);
};

/** Whether all of a data section from `start` on is zero. */
const isZero = (struct: Struct, start: number): boolean => {
  for (let i = start; i < struct.$dataBytes; i++) if (struct.$segment.bytes[struct.$data + i] !== 0) return false;
  return true;
};

const sameBytes = (a: Segment, aStart: number, b: Segment, bStart: number, length: number): boolean => {
  for (let i = 0; i < length; i++) if (a.bytes[aStart + i] !== b.bytes[bStart + i]) return false;
  return true;
};

/** Compares what two pointers lead to. A position of -1 stands for a null pointer. */
export const comparePointers = (
  a: Segment,
  aPosition: number,
  aDepth: number,
  b: Segment,
  bPosition: number,
  bDepth: number,
): Comparison => {
  const aKind = kindAt(a, aPosition);
  const bKind = kindAt(b, bPosition);
  if (aKind !== bKind) return "different";
  if (aKind < 0) return "equal";
  if (aDepth <= 0 || bDepth <= 0) throw nestingLimitExceeded();
  switch (aKind) {
    case structKind: {
      return compareStructs(structAt(a, aPosition, aDepth), structAt(b, bPosition, bDepth));
    }
    case listKind:
      return compareLists(listAt(a, aPosition, aDepth), listAt(b, bPosition, bDepth));
    default: {
      const one = a.arena.capTable.get(resolveCapability(a, aPosition));
      const other = b.arena.capTable.get(resolveCapability(b, bPosition));
      return one === other ? "equal" : "unknown";
    }
  }
};

/** The kind of the object that a pointer leads to; -1 for none. */
const kindAt = (segment: Segment, position: number): number =>
  position >= 0 && followPointer(segment, position) ? target.low & 3 : -1;

const structAt = (segment: Segment, position: number, depth: number): Struct => {
  resolveStruct(segment, position, depth);
  return place(target.segment, target.start, target.dataBytes, target.pointerCount, depth - 1);
};

const place = (
  $segment: Segment,
  $data: number,
  $dataBytes: number,
  $pointerCount: number,
  $depth: number,
): Struct => ({
  $segment,
  $data,
  $dataBytes,
  $pointerCount,
  $depth,
});

interface ListPlace {
  readonly size: number;
  readonly length: number;
  readonly stepBits: number;
  /** Its first element. */
  readonly first: Struct;
}

const listAt = (segment: Segment, position: number, depth: number): ListPlace => {
  resolveAnyList(segment, position, depth);
  const { size, length, stepBits } = target;
  return {
    size,
    length,
    stepBits,
    first: place(target.segment, target.start, target.dataBytes, target.pointerCount, depth - 1),
  };
};

const compareLists = (a: ListPlace, b: ListPlace): Comparison => {
  if (a.size !== b.size || a.length !== b.length) return "different";
  if (a.size !== elementSize.pointer && a.size !== elementSize.inlineComposite) {
    return sameBits(a.first, b.first, a.length * (elementBits[a.size] as number)) ? "equal" : "different";
  }
  let result: Comparison = "equal";
  if (a.stepBits === 0 && b.stepBits === 0) return result;
  for (let i = 0; i < a.length; i++) {
    const one = compareStructs(element(a, i), element(b, i));
    if (one === "different") return one;
    if (one === "unknown") result = one;
  }
  return result;
};

const element = ({ first, stepBits }: ListPlace, index: number): Struct =>
  place(first.$segment, first.$data + (index * stepBits) / 8, first.$dataBytes, first.$pointerCount, first.$depth);

const sameBits = (a: Struct, b: Struct, bits: number): boolean => {
  const bytes = bits >>> 3;
  if (!sameBytes(a.$segment, a.$data, b.$segment, b.$data, bytes)) return false;
  const mask = (1 << (bits & 7)) - 1;
  if (mask === 0) return true;
  const one = a.$segment.bytes[a.$data + bytes] as number;
  const other = b.$segment.bytes[b.$data + bytes] as number;
  return ((one ^ other) & mask) === 0;
};
