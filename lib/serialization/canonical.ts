/**
 * The canonical form (encoding.md, "Canonicalization"): of all encodings of a value the one that anybody arrives at, fit to be
 * hashed or signed. One segment without framing; objects in preorder without gaps; trailing zero words of a data section and
 * trailing null pointers left out, in a list of structs as far as all elements allow it.
 */
import { withinCallStack } from "./call-stack.ts";
import { CapnpError } from "../errors.ts";
import { BuilderArena, readerArena } from "./arena.ts";
import { initList, initStruct, initStructList } from "./pointer-builder.ts";
import { nestingLimitExceeded, type ReaderOptions } from "./read-limiter.ts";
import { followPointer, resolveAnyList, resolveStruct, target } from "./resolve-pointer.ts";
import type { Segment } from "./segment.ts";
import type { Struct } from "./struct.ts";
import { structSize } from "./total-size.ts";
import { elementBits, elementSize, listKind, structKind } from "./wire-pointer.ts";

/** A segment of the given number of words whose first word is taken by the root pointer. */
const rootSegment = (words: number): Segment => {
  const segment = new BuilderArena(undefined, new Uint8Array(words * 8)).roomFor(8);
  segment.allocate(8);
  return segment;
};

const used = (segment: Segment): Uint8Array => segment.bytes.subarray(0, segment.end);

/**
 * The canonical form of a struct as the root of a message of its own. C++'s `canonicalize` gives the same bytes.
 *
 * Throws CAPNP_POINTER_KIND where it holds a capability, and the errors of reading a message.
 */
export const canonicalize = (struct: Struct): Uint8Array =>
  withinCallStack("This message", () => canonicalStruct(struct));

const canonicalStruct = (struct: Struct): Uint8Array => {
  // Nothing grows in canonical form, so one segment of the present size is enough.
  const { $segment: segment, $data: data, $dataBytes: dataBytes, $pointerCount: pointerCount, $depth: depth } = struct;
  const root = rootSegment(1 + structSize(segment, data, dataBytes, pointerCount, depth).wordCount);
  copyStruct(root, 0, segment, data, dataBytes, pointerCount, depth);
  return used(root);
};

/**
 * True where a message, given as its segments, is in canonical form. What makes it another form is found in the order of the
 * objects, as in C++: what follows is not read.
 *
 * Throws what reading the message throws, where it is malformed or beyond a limit before that.
 */
export const isCanonical = (segments: readonly Uint8Array[], options?: ReaderOptions): boolean => {
  const bytes = segments[0];
  if (segments.length !== 1 || bytes === undefined || bytes.length < 8 || bytes.length % 8 !== 0) return false;
  const { nestingLimit, segments: read } = readerArena(segments, options);
  const walk = new PreorderWalk(read[0] as Segment);
  return withinCallStack("This message", () => walk.pointer(0, nestingLimit)) && walk.next === bytes.length;
};

/** Goes through a message in preorder, for as long as every object lies where the one before it ends and is no larger than need be. */
class PreorderWalk {
  readonly #segment: Segment;
  /** Where the next object has to begin. */
  next = 8;

  constructor(segment: Segment) {
    this.#segment = segment;
  }

  pointer(position: number, depth: number): boolean {
    const { view } = this.#segment;
    const low = view.getInt32(position, true);
    if ((low & 3) !== structKind && (low & 3) !== listKind) return false;
    if (!followPointer(this.#segment, position)) return true;
    const isNext = target.start === this.next;
    if ((low & 3) === listKind) {
      resolveAnyList(this.#segment, position, depth);
      return isNext && this.#targetList(depth - 1);
    }
    resolveStruct(this.#segment, position, depth);
    const { start, dataBytes, pointerCount } = target;
    // An empty struct takes no place: its pointer leads to itself.
    if (dataBytes === 0 && pointerCount === 0) return start === position;
    if (!isNext) return false;
    this.next += dataBytes + pointerCount * 8;
    if (!this.#pointers(start + dataBytes, pointerCount, depth - 1)) return false;
    return this.#fillsData(start, dataBytes) && this.#fillsPointers(start + dataBytes, pointerCount);
  }

  #pointers(start: number, count: number, depth: number): boolean {
    for (let i = 0; i < count; i++) if (!this.pointer(start + i * 8, depth)) return false;
    return true;
  }

  /** The list that `target` describes. */
  #targetList(depth: number): boolean {
    const { start, length, size, stepBits, dataBytes, pointerCount, high } = target;
    if (size === elementSize.inlineComposite) {
      const step = stepBits / 8;
      if ((length * step) / 8 !== high >>> 3 || this.#segment.view.getInt32(start - 8, true) !== length << 2)
        return false;
      this.next = start + length * step;
      if (step === 0) return true;
      let fillsData = false;
      let fillsPointers = false;
      for (let at = start; at < start + length * step; at += step) {
        if (!this.#pointers(at + dataBytes, pointerCount, depth)) return false;
        fillsData ||= this.#fillsData(at, dataBytes);
        fillsPointers ||= this.#fillsPointers(at + dataBytes, pointerCount);
      }
      return fillsData && fillsPointers;
    }
    const bits = length * (elementBits[size] as number);
    this.next = start + Math.ceil(bits / 64) * 8;
    return size === elementSize.pointer ? this.#pointers(start, length, depth) : this.#isZeroFrom(start, bits);
  }

  #fillsData(start: number, dataBytes: number): boolean {
    return dataBytesUsed(this.#segment, start, dataBytes) === dataBytes;
  }

  #fillsPointers(start: number, count: number): boolean {
    return pointersUsed(this.#segment, start, count) === count;
  }

  /** Whether nothing is written between a number of bits from `start` on and the next object. */
  #isZeroFrom(start: number, bits: number): boolean {
    const { bytes } = this.#segment;
    let at = start + Math.floor(bits / 8);
    if (bits % 8 !== 0 && (bytes[at++] as number) >>> (bits % 8) !== 0) return false;
    while (at < this.next) if (bytes[at++] !== 0) return false;
    return true;
  }
}

const copyPointer = (to: Segment, toPosition: number, from: Segment, fromPosition: number, depth: number): void => {
  if (!followPointer(from, fromPosition)) return;
  if (depth <= 0) throw nestingLimitExceeded();
  switch (target.low & 3) {
    case structKind: {
      resolveStruct(from, fromPosition, depth);
      const { segment, start, dataBytes, pointerCount } = target;
      copyStruct(to, toPosition, segment, start, dataBytes, pointerCount, depth - 1);
      return;
    }
    case listKind:
      resolveAnyList(from, fromPosition, depth);
      copyTargetList(to, toPosition, depth - 1);
      return;
    default:
      throw new CapnpError(
        "CAPNP_POINTER_KIND",
        "A message with capabilities has no canonical form: what a capability pointer means depends on the connection.",
      );
  }
};

/** Bytes of a data section without its trailing zero words. */
const dataBytesUsed = (segment: Segment, start: number, dataBytes: number): number => {
  let end = dataBytes;
  while (end > 0 && segment.bytes[start + end - 1] === 0) end--;
  return end + (-end & 7);
};

/** Pointers of a pointer section without its trailing null ones. */
const pointersUsed = (segment: Segment, start: number, pointerCount: number): number => {
  let count = pointerCount;
  while (count > 0 && !followPointer(segment, start + (count - 1) * 8)) count--;
  return count;
};

const copyStruct = (
  to: Segment,
  toPosition: number,
  from: Segment,
  start: number,
  dataBytes: number,
  pointerCount: number,
  depth: number,
): void => {
  const newDataBytes = dataBytesUsed(from, start, dataBytes);
  const newPointerCount = pointersUsed(from, start + dataBytes, pointerCount);
  initStruct(to, toPosition, newDataBytes, newPointerCount);
  copyContent(to, target.start, newDataBytes, newPointerCount, from, start, dataBytes, depth);
};

/** Fills a struct of canonical size. `dataBytes` is the size of the source's data section. */
const copyContent = (
  to: Segment,
  toStart: number,
  newDataBytes: number,
  newPointerCount: number,
  from: Segment,
  start: number,
  dataBytes: number,
  depth: number,
): void => {
  to.bytes.set(from.bytes.subarray(start, start + Math.min(dataBytes, newDataBytes)), toStart);
  for (let i = 0; i < newPointerCount; i++) {
    copyPointer(to, toStart + newDataBytes + i * 8, from, start + dataBytes + i * 8, depth);
  }
};

/** Copies the list that `target` describes. */
const copyTargetList = (to: Segment, toPosition: number, depth: number): void => {
  const { segment: from, start, length, size, dataBytes, pointerCount } = target;
  if (size === elementSize.inlineComposite) {
    const step = dataBytes + pointerCount * 8;
    let newDataBytes = 0;
    let newPointerCount = 0;
    // Elements without content may be many and have nothing to look at.
    for (let i = 0; i < length && step > 0; i++) {
      newDataBytes = Math.max(newDataBytes, dataBytesUsed(from, start + i * step, dataBytes));
      newPointerCount = Math.max(newPointerCount, pointersUsed(from, start + i * step + dataBytes, pointerCount));
    }
    initStructList(to, toPosition, length, newDataBytes, newPointerCount);
    const newStep = newDataBytes + newPointerCount * 8;
    if (newStep === 0) return;
    const newStart = target.start;
    for (let i = 0; i < length; i++) {
      const element = start + i * step;
      copyContent(to, newStart + i * newStep, newDataBytes, newPointerCount, from, element, dataBytes, depth);
    }
    return;
  }
  initList(to, toPosition, size, length);
  const newStart = target.start;
  if (size === elementSize.pointer) {
    for (let i = 0; i < length; i++) copyPointer(to, newStart + i * 8, from, start + i * 8, depth);
    return;
  }
  const bits = length * (elementBits[size] as number);
  const bytes = Math.ceil(bits / 8);
  to.bytes.set(from.bytes.subarray(start, start + bytes), newStart);
  if ((bits & 7) !== 0) {
    const last = newStart + bytes - 1;
    to.bytes[last] = (to.bytes[last] as number) & ((1 << (bits & 7)) - 1);
  }
};
