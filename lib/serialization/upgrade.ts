import type { Segment } from "./segment.ts";
import { copyPointer } from "./copy.ts";
import { forgetPointer } from "./orphan.ts";
import { initStruct, initStructList, transferPointer, zeroPointer } from "./pointer-builder.ts";
import { resolveList, resolveStruct, target } from "./resolve-pointer.ts";
import type { Struct } from "./struct.ts";
import { checkGrowth } from "./upgrade-limit.ts";
import { elementSize } from "./wire-pointer.ts";
import { unlimitedNesting } from "./read-limiter.ts";

/**
 * Builders of what is there already. A message that an older schema made may hold structs that are smaller than this
 * schema's; a builder moves them to a place where there is room for every field.
 */

/**
 * The struct under a pointer, with at least the given size: allocated (as a copy of the default value, where there is one)
 * where the pointer is null, moved where it is too small. The result is in `target`.
 */
export const getStruct = (
  segment: Segment,
  position: number,
  dataBytes: number,
  pointerCount: number,
  defaultValue?: Segment,
): void => {
  if (!resolveStruct(segment, position, unlimitedNesting)) {
    if (defaultValue === undefined) {
      initStruct(segment, position, dataBytes, pointerCount);
      target.dataBytes = dataBytes;
      target.pointerCount = pointerCount;
      return;
    }
    copyPointer(segment, position, defaultValue, 0, unlimitedNesting);
    resolveStruct(segment, position, unlimitedNesting);
  }
  if (target.dataBytes >= dataBytes && target.pointerCount >= pointerCount) return;
  const old = {
    segment: target.segment,
    start: target.start,
    dataBytes: target.dataBytes,
    pointerCount: target.pointerCount,
  };
  const newDataBytes = Math.max(dataBytes, old.dataBytes);
  const newPointerCount = Math.max(pointerCount, old.pointerCount);
  // The pointer is overwritten by hand: zeroing what it led to would lose the fields that are about to move.
  forgetPointer(segment, position);
  initStruct(segment, position, newDataBytes, newPointerCount);
  const { segment: content, start } = target;
  moveStruct(content, start, newDataBytes, old.segment, old.start, old.dataBytes, old.pointerCount);
  target.segment = content;
  target.start = start;
  target.dataBytes = newDataBytes;
  target.pointerCount = newPointerCount;
};

/** Moves a struct's content to a struct of at least its size; where it was is zero then. */
export const moveStruct = (
  to: Segment,
  toStart: number,
  toDataBytes: number,
  from: Segment,
  fromStart: number,
  fromDataBytes: number,
  fromPointerCount: number,
): void => {
  to.bytes.set(from.bytes.subarray(fromStart, fromStart + fromDataBytes), toStart);
  from.bytes.fill(0, fromStart, fromStart + fromDataBytes);
  for (let i = 0; i < fromPointerCount; i++) {
    transferPointer(to, toStart + toDataBytes + i * 8, from, fromStart + fromDataBytes + i * 8);
  }
};

/** Moves a struct's content over that of another one of the message. What that has no room for stays where it was. */
export const moveContent = (to: Struct, from: Struct): void => {
  const bytes = Math.min(to.$dataBytes, from.$dataBytes);
  const target = to.$segment.bytes;
  target.set(from.$segment.bytes.subarray(from.$data, from.$data + bytes), to.$data);
  target.fill(0, to.$data + bytes, to.$data + to.$dataBytes);
  for (let i = 0; i < to.$pointerCount; i++) {
    const position = to.$data + to.$dataBytes + i * 8;
    zeroPointer(to.$segment, position);
    if (i < from.$pointerCount) {
      transferPointer(to.$segment, position, from.$segment, from.$data + from.$dataBytes + i * 8);
    }
  }
};

/**
 * The list of structs under a pointer, each with at least the given size. `target.length` is 0 and no place is set where
 * the pointer is null. A list of primitive values or pointers, which an older schema had here, becomes one of structs.
 */
export const getStructList = (
  segment: Segment,
  position: number,
  dataBytes: number,
  pointerCount: number,
  defaultValue?: Segment,
): boolean => {
  if (!resolveList(segment, position, elementSize.inlineComposite, unlimitedNesting)) {
    if (defaultValue === undefined) return false;
    copyPointer(segment, position, defaultValue, 0, unlimitedNesting);
    return getStructList(segment, position, dataBytes, pointerCount);
  }
  if (
    target.size === elementSize.inlineComposite &&
    target.dataBytes >= dataBytes &&
    target.pointerCount >= pointerCount
  ) {
    return true;
  }
  const {
    segment: from,
    start,
    length,
    stepBits,
    dataBytes: oldDataBytes,
    pointerCount: oldPointerCount,
    size,
  } = target;
  const newDataBytes = Math.max(dataBytes, oldDataBytes + (-oldDataBytes & 7));
  const newPointerCount = Math.max(pointerCount, oldPointerCount);
  checkGrowth(length, stepBits / 8, newDataBytes + newPointerCount * 8);
  forgetPointer(segment, position);
  initStructList(segment, position, length, newDataBytes, newPointerCount);
  const { segment: to, start: toStart } = target;
  const step = newDataBytes + newPointerCount * 8;
  for (let i = 0; i < length; i++) {
    moveStruct(to, toStart + i * step, newDataBytes, from, start + (i * stepBits) / 8, oldDataBytes, oldPointerCount);
  }
  if (size === elementSize.inlineComposite) from.bytes.fill(0, start - 8, start);
  target.segment = to;
  target.start = toStart;
  target.length = length;
  target.stepBits = step * 8;
  target.dataBytes = newDataBytes;
  target.pointerCount = newPointerCount;
  return true;
};

/** The list under a pointer, of elements that are not structs; false where it is null and has no default value. */
export const getList = (segment: Segment, position: number, size: number, defaultValue?: Segment): boolean => {
  if (resolveList(segment, position, size, unlimitedNesting)) return true;
  if (defaultValue === undefined) return false;
  copyPointer(segment, position, defaultValue, 0, unlimitedNesting);
  return resolveList(segment, position, size, unlimitedNesting);
};
