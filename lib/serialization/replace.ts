import type { Arena } from "./arena.ts";
import { copyPointer, copyStructContent, setStruct } from "./copy.ts";
import { MessageBuilder } from "./message.ts";
import { setData } from "./pointer-builder.ts";
import { resolveStruct, target } from "./resolve-pointer.ts";
import type { Segment } from "./segment.ts";
import type { Struct } from "./struct.ts";
import { unlimitedNesting } from "./read-limiter.ts";

/**
 * Overwriting a value with one that may lie in the same message, even inside of what is overwritten (`node = node.next`,
 * `list[0] = list[1]`). Writing zeroes the old value first, so such a value is copied out before.
 */

/** Calls `use` with a pointer to what `write` wrote under another pointer, in a message that exists only for that long. */
export const withSnapshot = (
  write: (segment: Segment, position: number) => void,
  use: (segment: Segment, position: number) => void,
): void => {
  const snapshot = new MessageBuilder();
  try {
    write(snapshot.rootSegment, 0);
    use(snapshot.rootSegment, 0);
  } finally {
    if (snapshot.arena.hasCapTable) snapshot.capTable.release();
  }
};

/** Makes a pointer lead to a deep copy of a struct. */
export const replaceStruct = (segment: Segment, position: number, from: Struct): void => {
  if (from.$segment.arena !== segment.arena) {
    setStruct(segment, position, from);
    return;
  }
  withSnapshot(
    (copy, at) => setStruct(copy, at, from),
    (copy, at) => copyPointer(segment, position, copy, at, unlimitedNesting),
  );
};

/** Makes a pointer lead to a deep copy of what another one leads to. */
export const replacePointer = (
  segment: Segment,
  position: number,
  from: Segment,
  fromPosition: number,
  depth: number,
): void => {
  if (from.arena !== segment.arena) {
    copyPointer(segment, position, from, fromPosition, depth);
    return;
  }
  if (from === segment && fromPosition === position) return;
  withSnapshot(
    (copy, at) => copyPointer(copy, at, from, fromPosition, depth),
    (copy, at) => copyPointer(segment, position, copy, at, unlimitedNesting),
  );
};

/** Overwrites a struct's content by a deep copy of another's. Fields that it has no room for are left out. */
export const overwriteStruct = (to: Struct, from: Struct): void => {
  if (from.$segment.arena !== to.$segment.arena) {
    copyStructContent(
      to.$segment,
      to.$data,
      to.$dataBytes,
      to.$pointerCount,
      from.$segment,
      from.$data,
      from.$dataBytes,
      from.$pointerCount,
      from.$depth,
    );
    return;
  }
  if (from.$segment === to.$segment && from.$data === to.$data) return;
  withSnapshot(
    (copy, at) => setStruct(copy, at, from),
    (copy, at) => {
      resolveStruct(copy, at, unlimitedNesting);
      const { segment, start, dataBytes, pointerCount } = target;
      copyStructContent(
        to.$segment,
        to.$data,
        to.$dataBytes,
        to.$pointerCount,
        segment,
        start,
        dataBytes,
        pointerCount,
        unlimitedNesting,
      );
    },
  );
};

const isPartOf = (arena: Arena, bytes: Uint8Array): boolean =>
  arena.segments.some((segment) => segment.bytes.buffer === bytes.buffer);

/** Sets Data to a copy of `bytes`. */
export const replaceData = (segment: Segment, position: number, bytes: Uint8Array): void =>
  setData(segment, position, isPartOf(segment.arena, bytes) ? bytes.slice() : bytes);
