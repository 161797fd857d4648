import { nestingLimitExceeded } from "./read-limiter.ts";
import { initList, initStruct, initStructList, setCapability, zeroPointer } from "./pointer-builder.ts";
import { followPointer, resolveAnyList, resolveCapability, resolveStruct, target } from "./resolve-pointer.ts";
import type { Segment } from "./segment.ts";
import type { Struct } from "./struct.ts";
import { elementBits, elementSize, listKind, structKind } from "./wire-pointer.ts";

/**
 * Deep copies what a pointer leads to, within a message or from one to another. The source may be hostile: it is read
 * through the same checks and limits as any. Capabilities are shared: the copy holds references of its own.
 */
export const copyPointer = (
  to: Segment,
  toPosition: number,
  from: Segment,
  fromPosition: number,
  depth: number,
): void => {
  if (!followPointer(from, fromPosition)) {
    zeroPointer(to, toPosition);
    return;
  }
  if (depth <= 0) throw nestingLimitExceeded();
  switch (target.low & 3) {
    case structKind: {
      resolveStruct(from, fromPosition, depth);
      const { segment, start, dataBytes, pointerCount } = target;
      initStruct(to, toPosition, dataBytes, pointerCount);
      copyStructContent(
        target.segment,
        target.start,
        dataBytes,
        pointerCount,
        segment,
        start,
        dataBytes,
        pointerCount,
        depth - 1,
      );
      return;
    }
    case listKind: {
      resolveAnyList(from, fromPosition, depth);
      copyResolvedList(to, toPosition, depth - 1);
      return;
    }
    default: {
      const index = resolveCapability(from, fromPosition);
      const capability = from.arena.capTable.get(index);
      setCapability(to, toPosition, capability === null ? null : capability.addRef());
    }
  }
};

/** Copies the list that `target` describes, whatever its elements. */
const copyResolvedList = (to: Segment, toPosition: number, depth: number): void => {
  const { segment, start, length, size, dataBytes, pointerCount } = target;
  if (size === elementSize.inlineComposite) {
    initStructList(to, toPosition, length, dataBytes, pointerCount);
    copyStructs(target.segment, target.start, segment, start, length, dataBytes, pointerCount, depth);
    return;
  }
  initList(to, toPosition, size, length);
  const destination = target.segment;
  const destinationStart = target.start;
  if (size === elementSize.pointer) {
    for (let i = 0; i < length; i++) copyPointer(destination, destinationStart + i * 8, segment, start + i * 8, depth);
    return;
  }
  const bits = length * (elementBits[size] as number);
  const bytes = Math.ceil(bits / 8);
  destination.bytes.set(segment.bytes.subarray(start, start + bytes), destinationStart);
  // Bits behind the last element are not part of the value.
  if ((bits & 7) !== 0) {
    const last = destinationStart + bytes - 1;
    destination.bytes[last] = (destination.bytes[last] as number) & ((1 << (bits & 7)) - 1);
  }
};

/** Copies consecutive structs of one size to structs of the same size. */
const copyStructs = (
  to: Segment,
  toStart: number,
  from: Segment,
  fromStart: number,
  count: number,
  dataBytes: number,
  pointerCount: number,
  depth: number,
): void => {
  const step = dataBytes + pointerCount * 8;
  if (pointerCount === 0) {
    to.bytes.set(from.bytes.subarray(fromStart, fromStart + count * step), toStart);
    return;
  }
  for (let i = 0; i < count; i++) {
    copyStructContent(
      to,
      toStart + i * step,
      dataBytes,
      pointerCount,
      from,
      fromStart + i * step,
      dataBytes,
      pointerCount,
      depth,
    );
  }
};

/**
 * Copies a struct's content over another's: what the source lacks becomes zero, what the destination has no room for
 * (fields that are newer than its schema) is left out.
 */
export const copyStructContent = (
  to: Segment,
  toStart: number,
  toDataBytes: number,
  toPointerCount: number,
  from: Segment,
  fromStart: number,
  fromDataBytes: number,
  fromPointerCount: number,
  depth: number,
): void => {
  const bytes = Math.min(toDataBytes, fromDataBytes);
  if (bytes > 0) to.bytes.set(from.bytes.subarray(fromStart, fromStart + bytes), toStart);
  if (toDataBytes > bytes) to.bytes.fill(0, toStart + bytes, toStart + toDataBytes);
  const pointers = Math.min(toPointerCount, fromPointerCount);
  for (let i = 0; i < pointers; i++) {
    copyPointer(to, toStart + toDataBytes + i * 8, from, fromStart + fromDataBytes + i * 8, depth);
  }
  for (let i = pointers; i < toPointerCount; i++) zeroPointer(to, toStart + toDataBytes + i * 8);
};

/**
 * Points to a deep copy of a struct. It gets the source's size, so that fields which are unknown here survive.
 */
export const setStruct = (to: Segment, toPosition: number, from: Struct): void => {
  // A list of primitive values read as structs has elements that are not whole words.
  const dataBytes = from.$dataBytes + (-from.$dataBytes & 7);
  const old = { segment: from.$segment, data: from.$data, bytes: from.$dataBytes, pointers: from.$pointerCount };
  initStruct(to, toPosition, dataBytes, old.pointers);
  copyStructContent(
    target.segment,
    target.start,
    dataBytes,
    old.pointers,
    old.segment,
    old.data,
    old.bytes,
    old.pointers,
    from.$depth,
  );
};
