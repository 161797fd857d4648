import { followPointer, resolveAnyList, resolveCapability, resolveStruct, target } from "./resolve-pointer.ts";
import type { Segment } from "./segment.ts";
import { elementBits, elementSize, listKind, structKind } from "./wire-pointer.ts";

/** What a value occupies in a message with everything that it points to, far pointers not counted. */
export interface MessageSize {
  readonly wordCount: number;
  readonly capCount: number;
}

/**
 * The size of a struct's content; the struct may be in a hostile message. Within the traversal limit, but not counted against it,
 * as what is measured is as a rule about to be read again, in order to be copied.
 */
export const structSize = (
  segment: Segment,
  data: number,
  dataBytes: number,
  pointerCount: number,
  depth: number,
): MessageSize => {
  const { arena } = segment;
  const { traversalLeft } = arena;
  const size = { wordCount: Math.ceil(dataBytes / 8) + pointerCount, capCount: 0 };
  for (let i = 0; i < pointerCount; i++) addPointer(size, segment, data + dataBytes + i * 8, depth);
  arena.traversalLeft = traversalLeft;
  return size;
};

/** The size of what a pointer leads to, without the pointer itself. See {@link structSize}. */
export const pointerSize = (segment: Segment, position: number, depth: number): MessageSize => {
  const { arena } = segment;
  const { traversalLeft } = arena;
  const size = { wordCount: 0, capCount: 0 };
  addPointer(size, segment, position, depth);
  arena.traversalLeft = traversalLeft;
  return size;
};

const addPointer = (
  size: { wordCount: number; capCount: number },
  segment: Segment,
  position: number,
  depth: number,
): void => {
  if (!followPointer(segment, position)) return;
  switch (target.low & 3) {
    case structKind: {
      resolveStruct(segment, position, depth);
      const { segment: content, start, dataBytes, pointerCount } = target;
      size.wordCount += dataBytes / 8 + pointerCount;
      for (let i = 0; i < pointerCount; i++) addPointer(size, content, start + dataBytes + i * 8, depth - 1);
      return;
    }
    case listKind: {
      resolveAnyList(segment, position, depth);
      const { segment: content, start, length, size: encoding, dataBytes, pointerCount } = target;
      if (encoding === elementSize.inlineComposite) {
        const step = dataBytes + pointerCount * 8;
        size.wordCount += 1 + (length * step) / 8;
        for (let i = 0; i < length && pointerCount > 0; i++) {
          const pointers = start + i * step + dataBytes;
          for (let j = 0; j < pointerCount; j++) addPointer(size, content, pointers + j * 8, depth - 1);
        }
        return;
      }
      size.wordCount += Math.ceil((length * (elementBits[encoding] as number)) / 64);
      if (encoding === elementSize.pointer) {
        for (let i = 0; i < length; i++) addPointer(size, content, start + i * 8, depth - 1);
      }
      return;
    }
    default:
      resolveCapability(segment, position);
      size.capCount++;
  }
};
