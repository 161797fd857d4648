import { CapnpError } from "../errors.ts";
import { nestingLimitExceeded } from "./read-limiter.ts";
import type { Segment } from "./segment.ts";
import { elementBits, elementSize, farKind, listKind, otherKind, structKind } from "./wire-pointer.ts";

/**
 * Where the last resolved pointer led. One object for the whole module instead of one for each pointer: reading is
 * synchronous, and every caller takes what it needs before it resolves anything else. So the message that was read last stays in
 * memory until another one is read, and no other does.
 */
export interface Target {
  segment: Segment;
  /** Byte offset of the content: a struct's data section, a list's first element (behind the tag of an inline composite). */
  start: number;
  /** Of a struct, or of each element of a list that can be read as structs. */
  dataBytes: number;
  pointerCount: number;
  /** Of a list: elements, bits from one to the next, and the encoding (`elementSize`). */
  length: number;
  stepBits: number;
  size: number;
  /** The two halves of the pointer that describes the content, far pointers followed. */
  low: number;
  high: number;
}

export const target: Target = {
  segment: undefined as unknown as Segment,
  start: 0,
  dataBytes: 0,
  pointerCount: 0,
  length: 0,
  stepBits: 0,
  size: 0,
  low: 0,
  high: 0,
};

const outOfBounds = (what: string, segment: Segment, start: number, bytes: number): CapnpError =>
  new CapnpError(
    "CAPNP_OUT_OF_BOUNDS",
    `Message contains out-of-bounds ${what}: bytes ${start} to ${start + bytes} of segment ${segment.id}, which has ${segment.end}.`,
  );

/** Content without a single byte may be said to lie anywhere, as in C++: there is nothing to read. */
const leaveBounds = (what: string, segment: Segment, start: number, bytes: number): void => {
  if (bytes > 0) throw outOfBounds(what, segment, start, bytes);
  target.start = segment.end;
};

const wrongKind = (expected: string, low: number, high: number): CapnpError =>
  new CapnpError(
    "CAPNP_POINTER_KIND",
    `Message contains a ${describePointer(low, high)} where a ${expected} pointer was expected.`,
  );

/** What a pointer's bits say, for error texts. */
const describePointer = (low: number, high: number): string => {
  switch (low & 3) {
    case structKind:
      return "struct pointer";
    case listKind:
      return `list pointer (element size ${high & 7})`;
    case farKind:
      return "far pointer";
    default:
      return low >>> 0 === otherKind ? "capability pointer" : `pointer of unknown kind (0x${(low >>> 0).toString(16)})`;
  }
};

/**
 * Follows the pointer at `position` through far pointers. False where it is null; otherwise `target.segment`,
 * `target.start` (where the content begins, unchecked), `target.low` and `target.high` are set.
 */
export const followPointer = (segment: Segment, position: number): boolean => {
  const low = segment.view.getInt32(position, true);
  const high = segment.view.getInt32(position + 4, true);
  if ((low & 3) !== farKind) {
    if (low === 0 && high === 0) return false;
    target.segment = segment;
    // low - (low & 3) is the offset in words times 4
    target.start = position + 8 + (low & ~3) * 2;
    target.low = low;
    target.high = high;
    return true;
  }
  return followFar(segment, low, high);
};

const followFar = (from: Segment, farLow: number, farHigh: number): boolean => {
  const arena = from.arena;
  const segment = arena.segment(farHigh >>> 0);
  const double = (farLow & 4) !== 0;
  const pad = (farLow >>> 3) * 8;
  const padBytes = double ? 16 : 8;
  if (pad + padBytes > segment.end) throw outOfBounds("far pointer", segment, pad, padBytes);
  arena.charge(padBytes / 8);
  const low = segment.view.getInt32(pad, true);
  const high = segment.view.getInt32(pad + 4, true);
  if (!double) {
    if ((low & 3) === farKind) {
      throw new CapnpError("CAPNP_POINTER_KIND", "Message contains a far pointer whose landing pad is a far pointer.");
    }
    // A landing pad of zeroes is a pointer to an empty struct, not null: null is known without following anything.
    target.segment = segment;
    target.start = pad + 8 + (low & ~3) * 2;
    target.low = low;
    target.high = high;
    return true;
  }
  // A landing pad of two words: where the content is, then what it is.
  if ((low & 3) !== farKind) {
    throw new CapnpError(
      "CAPNP_POINTER_KIND",
      "Message contains a double-far pointer whose landing pad is not a far pointer.",
    );
  }
  const tagLow = segment.view.getInt32(pad + 8, true);
  const tagHigh = segment.view.getInt32(pad + 12, true);
  if ((tagLow & 3) === farKind) {
    throw new CapnpError("CAPNP_POINTER_KIND", "Message contains a double-far pointer whose tag is a far pointer.");
  }
  target.segment = arena.segment(high >>> 0);
  target.start = (low >>> 3) * 8;
  // The offset of a tag means nothing; a capability has none.
  target.low = (tagLow & 3) === otherKind ? tagLow : tagLow & 3;
  target.high = tagHigh;
  return true;
};

/** Resolves a struct pointer: checks, charges, and fills `target`. False where it is null. */
export const resolveStruct = (segment: Segment, position: number, depth: number): boolean => {
  if (!followPointer(segment, position)) return false;
  if ((target.low & 3) !== structKind) throw wrongKind("struct", target.low, target.high);
  if (depth <= 0) throw nestingLimitExceeded();
  const high = target.high;
  const dataBytes = (high & 0xffff) * 8;
  const pointerCount = high >>> 16;
  const bytes = dataBytes + pointerCount * 8;
  const content = target.segment;
  const start = target.start;
  if (start < 0 || start + bytes > content.end) leaveBounds("struct pointer", content, start, bytes);
  content.arena.charge(bytes / 8);
  target.dataBytes = dataBytes;
  target.pointerCount = pointerCount;
  return true;
};

/** Resolves a list pointer of any element size: checks, charges, and fills `target`. False where it is null. */
export const resolveAnyList = (segment: Segment, position: number, depth: number): boolean => {
  if (!followPointer(segment, position)) return false;
  if ((target.low & 3) !== listKind) throw wrongKind("list", target.low, target.high);
  if (depth <= 0) throw nestingLimitExceeded();
  const high = target.high;
  const content = target.segment;
  const start = target.start;
  const size = high & 7;
  const count = high >>> 3;
  target.size = size;
  if (size === elementSize.inlineComposite) {
    const bytes = count * 8;
    if (start < 0 || start + 8 + bytes > content.end) throw outOfBounds("list pointer", content, start, 8 + bytes);
    const tagLow = content.view.getInt32(start, true);
    const tagHigh = content.view.getInt32(start + 4, true);
    if ((tagLow & 3) !== structKind) {
      throw new CapnpError(
        "CAPNP_POINTER_KIND",
        "Message contains an inline composite list whose tag is not of a struct.",
      );
    }
    // 29 bits, as in every other list pointer: C++ does not look at the last one, either.
    const length = (tagLow >>> 2) & 0x1fffffff;
    const dataBytes = (tagHigh & 0xffff) * 8;
    const pointerCount = tagHigh >>> 16;
    const step = dataBytes + pointerCount * 8;
    if (length * step > bytes) {
      throw new CapnpError(
        "CAPNP_OUT_OF_BOUNDS",
        `Message contains an inline composite list whose ${length} elements of ${step} bytes overrun its ${bytes} bytes.`,
      );
    }
    // Elements of no size cost a word each: otherwise a few bytes could keep a reader busy for 2^29 of them.
    content.arena.charge(count + 1 + (step === 0 ? length : 0));
    target.start = start + 8;
    target.length = length;
    target.dataBytes = dataBytes;
    target.pointerCount = pointerCount;
    target.stepBits = step * 8;
    return true;
  }
  const bits = elementBits[size] as number;
  const bytes = Math.ceil((count * bits) / 64) * 8;
  if (start < 0 || start + bytes > content.end) leaveBounds("list pointer", content, start, bytes);
  content.arena.charge(bits === 0 ? count : bytes / 8);
  target.length = count;
  target.stepBits = bits;
  if (size === elementSize.pointer) {
    target.dataBytes = 0;
    target.pointerCount = 1;
  } else {
    target.dataBytes = bits >> 3;
    target.pointerCount = 0;
  }
  return true;
};

/**
 * Resolves a list pointer whose elements are wanted as `wanted` (an `elementSize`), which a list of structs also serves
 * when their first field or pointer has at least that size: the schema evolution rules of encoding.md.
 */
export const resolveList = (segment: Segment, position: number, wanted: number, depth: number): boolean => {
  if (!resolveAnyList(segment, position, depth)) return false;
  const actual = target.size;
  if (actual === wanted) return true;
  if (wanted === elementSize.inlineComposite) {
    if (actual === elementSize.bit) {
      throw new CapnpError(
        "CAPNP_POINTER_KIND",
        "Found bit list where struct list was expected; upgrading boolean lists to structs is no longer supported.",
      );
    }
    return true;
  }
  let fits: boolean;
  if (wanted === elementSize.empty && actual !== elementSize.bit) fits = true;
  else if (wanted === elementSize.bit || actual === elementSize.bit) {
    throw new CapnpError(
      "CAPNP_POINTER_KIND",
      `Message contains list with incompatible element type: ${describeSize(actual)} where ${describeSize(wanted)} was expected.`,
    );
  } else if (wanted === elementSize.pointer) fits = target.pointerCount > 0;
  else fits = target.dataBytes * 8 >= (elementBits[wanted] as number);
  if (!fits) {
    throw new CapnpError(
      "CAPNP_POINTER_KIND",
      `Message contains list with incompatible element type: ${describeSize(actual)} where ${describeSize(wanted)} was expected.`,
    );
  }
  if (wanted === elementSize.pointer) {
    // The pointer wanted is each struct's first one.
    target.start += target.dataBytes;
    target.dataBytes = 0;
    target.pointerCount = 1;
  }
  return true;
};

const describeSize = (size: number): string =>
  ["Void", "bits", "bytes", "2-byte values", "4-byte values", "8-byte values", "pointers", "structs"][size] as string;

/** Resolves a pointer to bytes (Text, Data). False where it is null; otherwise `target.start` and `target.length`. */
export const resolveBytes = (segment: Segment, position: number, what: "Text" | "Data"): boolean => {
  if (!followPointer(segment, position)) return false;
  const { low, high } = target;
  if ((low & 3) !== listKind || (high & 7) !== elementSize.byte) {
    throw new CapnpError(
      "CAPNP_POINTER_KIND",
      `Message contains a ${describePointer(low, high)} where ${what} was expected.`,
    );
  }
  const content = target.segment;
  const start = target.start;
  const count = high >>> 3;
  if (start < 0 || start + count > content.end) leaveBounds(`${what} pointer`, content, start, count);
  content.arena.charge((count + 7) >>> 3);
  target.length = count;
  return true;
};

/** The index of the capability pointer at `position`; -1 where it is null. */
export const resolveCapability = (segment: Segment, position: number): number => {
  // A capability pointer has no content, but a list element or an old writer may still reach it through a landing pad.
  if (!followPointer(segment, position)) return -1;
  if (target.low !== otherKind) throw wrongKind("capability", target.low, target.high);
  return target.high >>> 0;
};
