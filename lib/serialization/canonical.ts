/**
 * The canonical form (encoding.md, "Canonicalization"): of all encodings of a value the one that anybody arrives at, fit to be
 * hashed or signed. One segment without framing; objects in preorder without gaps; trailing zero words of a data section and
 * trailing null pointers left out, in a list of structs as far as all elements allow it.
 */
import { CapnpError } from "../errors.ts";
import { BuilderArena, readerArena } from "./arena.ts";
import { initList, initStruct, initStructList } from "./pointer-builder.ts";
import { nestingLimitExceeded, type ReaderOptions } from "./read-limiter.ts";
import { followPointer, resolveAnyList, resolveStruct, target } from "./resolve-pointer.ts";
import type { Segment } from "./segment.ts";
import type { Struct } from "./struct.ts";
import { pointerSize, structSize } from "./total-size.ts";
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
export const canonicalize = (struct: Struct): Uint8Array => {
  // Nothing grows in canonical form, so one segment of the present size is enough.
  const { _segment: segment, _data: data, _dataBytes: dataBytes, _pointerCount: pointerCount, _depth: depth } = struct;
  const root = rootSegment(1 + structSize(segment, data, dataBytes, pointerCount, depth).wordCount);
  copyStruct(root, 0, segment, data, dataBytes, pointerCount, depth);
  return used(root);
};

/**
 * True where a message, given as its segments, is in canonical form.
 *
 * Throws what reading the message throws, where it is malformed or beyond a limit.
 */
export const isCanonical = (segments: readonly Uint8Array[], options?: ReaderOptions): boolean => {
  const bytes = segments[0];
  if (segments.length !== 1 || bytes === undefined || bytes.length < 8) return false;
  const { nestingLimit, segments: read } = readerArena(segments, options);
  const source = read[0] as Segment;
  const size = pointerSize(source, 0, nestingLimit);
  if (size.capCount > 0 || (1 + size.wordCount) * 8 < bytes.length) return false;
  const root = rootSegment(1 + size.wordCount);
  copyPointer(root, 0, source, 0, nestingLimit);
  return sameBytes(bytes, used(root));
};

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);

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
