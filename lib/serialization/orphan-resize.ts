import { CapnpError } from "../errors.ts";
import { forgetPointer } from "./orphan.ts";
import { initList, initStructList, pointTo, transferPointer, zeroPointer } from "./pointer-builder.ts";
import { followPointer, resolveAnyList, target } from "./resolve-pointer.ts";
import type { Segment } from "./segment.ts";
import { moveStruct } from "./upgrade.ts";
import { elementBits, elementSize, listKind, listPart } from "./wire-pointer.ts";
import { maxListElements } from "./word.ts";
import { unlimitedNesting } from "./read-limiter.ts";

/**
 * Changing the length of a list, which only an orphan can: builders of a list that has a place know its length.
 *
 * Elements that are cut off are zeroed. A list that ends where its segment does is cut and extended where it lies, and gives the
 * space back. Any other is extended by moving it to where there is room, which leaves its old place zeroed and unused.
 */
export const resizeList = (segment: Segment, position: number, count: number): void => {
  if (!Number.isInteger(count) || count < 0 || count > maxListElements) {
    throw new CapnpError("CAPNP_RANGE", `A list cannot have ${count} elements; the limit is ${maxListElements}.`);
  }
  if (!followPointer(segment, position) || (target.low & 3) !== listKind) {
    throw new CapnpError("CAPNP_TYPE", "Only a list, Text or Data has a length that can be changed.");
  }
  if ((target.high & 7) === elementSize.inlineComposite) resizeStructs(segment, position, count);
  else resizeValues(segment, position, count);
};

/** As {@link resizeList}, of Text: without its NUL, in bytes. */
export const resizeText = (segment: Segment, position: number, length: number): void => {
  resizeList(segment, position, length + 1);
  followPointer(segment, position);
  target.segment.bytes[target.start + length] = 0;
};

const bytesOf = (count: number, bits: number): number => Math.ceil((count * bits) / 64) * 8;

const resizeValues = (segment: Segment, position: number, count: number): void => {
  const { segment: content, start, high } = target;
  const size = high & 7;
  const old = high >>> 3;
  const bits = elementBits[size] as number;
  const oldBytes = bytesOf(old, bits);
  const bytes = bytesOf(count, bits);
  if (count <= old) {
    if (size === elementSize.pointer) for (let i = count; i < old; i++) zeroPointer(content, start + i * 8);
    else clearBits(content, start, count * bits, oldBytes);
    setEnd(content, start + oldBytes, start + bytes);
  } else if (!extend(content, start + oldBytes, bytes - oldBytes)) {
    forgetPointer(segment, position);
    initList(segment, position, size, count);
    const { segment: to, start: toStart } = target;
    if (size === elementSize.pointer) {
      for (let i = 0; i < old; i++) transferPointer(to, toStart + i * 8, content, start + i * 8);
    } else {
      to.bytes.set(content.bytes.subarray(start, start + oldBytes), toStart);
      if (!content.external) content.bytes.fill(0, start, start + oldBytes);
    }
    return;
  }
  repoint(segment, position, content, start, listPart(size, count));
};

const resizeStructs = (segment: Segment, position: number, count: number): void => {
  resolveAnyList(segment, position, unlimitedNesting);
  const { segment: content, start, length: old, dataBytes, pointerCount } = target;
  const step = dataBytes + pointerCount * 8;
  const words = (count * step) / 8;
  if (words > maxListElements) {
    throw new CapnpError(
      "CAPNP_RANGE",
      `A list of ${count} structs of ${step} bytes is longer than a pointer can say.`,
    );
  }
  if (count <= old) {
    for (let i = count; i < old; i++) {
      const pointers = start + i * step + dataBytes;
      for (let j = 0; j < pointerCount; j++) zeroPointer(content, pointers + j * 8);
    }
    content.bytes.fill(0, start + count * step, start + old * step);
    setEnd(content, start + old * step, start + count * step);
  } else if (!extend(content, start + old * step, (count - old) * step)) {
    forgetPointer(segment, position);
    initStructList(segment, position, count, dataBytes, pointerCount);
    const { segment: to, start: toStart } = target;
    for (let i = 0; i < old; i++) {
      moveStruct(to, toStart + i * step, dataBytes, content, start + i * step, dataBytes, pointerCount);
    }
    content.bytes.fill(0, start - 8, start);
    return;
  }
  content.view.setInt32(start - 8, count << 2, true);
  repoint(segment, position, content, start - 8, listPart(elementSize.inlineComposite, words));
};

const repoint = (segment: Segment, position: number, content: Segment, start: number, high: number): void => {
  forgetPointer(segment, position);
  pointTo(segment, position, content, start, listKind, high);
};

/** Zeroes what lies behind so many bits, to the end of the list's last word. */
const clearBits = (content: Segment, start: number, bits: number, oldBytes: number): void => {
  if (content.external) return;
  const whole = start + Math.ceil(bits / 8);
  if ((bits & 7) !== 0) {
    content.bytes[whole - 1] = (content.bytes[whole - 1] as number) & ((1 << (bits & 7)) - 1);
  }
  content.bytes.fill(0, whole, start + oldBytes);
};

/** Gives back what was the end of a segment and is zero now. */
const setEnd = (content: Segment, oldEnd: number, end: number): void => {
  if (content.end === oldEnd && !content.external) content.end = end;
};

const extend = (content: Segment, end: number, bytes: number): boolean => {
  if (content.external) return false;
  if (bytes === 0) return true;
  return content.end === end && content.allocate(bytes) >= 0;
};
