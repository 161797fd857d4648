import { CapnpError } from "../errors.ts";
import type { BuilderArena } from "./arena.ts";
import { copyPointer } from "./copy.ts";
import { pointTo, setCapability, setCapabilityIndex, zeroPointer } from "./pointer-builder.ts";
import { followPointer, target } from "./resolve-pointer.ts";
import type { Segment } from "./segment.ts";
import { elementSize, farKind, listKind, listPart, otherKind, structKind } from "./wire-pointer.ts";
import { maxListElements } from "./word.ts";
import { unlimitedNesting } from "./read-limiter.ts";

/** What an orphan is, as far as its encoding tells. */
export type OrphanKind = "null" | "struct" | "list" | "capability";

/**
 * An object of a message that is being built to which no pointer leads: taken out with {@link disown}, and put somewhere with
 * {@link adopt}. It stays where it lies in the message and counts to its size. C++ zeroes an orphan when its owner goes out of
 * scope; JavaScript has no destructors, so an orphan that is not wanted any more has to be released, which zeroes it and gives
 * its capabilities' references back: `release()`, or `using orphan = ...`.
 *
 * States: held (from `disown` or {@link newPointer}), then spent, by `adopt` or `release`. Only `release` may be called on a spent
 * orphan.
 */
export class Orphan {
  readonly #arena: BuilderArena;
  /** A pointer outside of the message that leads to the object; undefined where the orphan is spent. */
  #holder: Segment | undefined;

  /** @internal */
  constructor(arena: BuilderArena, holder: Segment) {
    this.#arena = arena;
    this.#holder = holder;
  }

  get kind(): OrphanKind {
    const holder = this.#holder;
    if (holder === undefined || !followPointer(holder, 0)) return "null";
    switch (target.low & 3) {
      case structKind:
        return "struct";
      case listKind:
        return "list";
      default:
        return "capability";
    }
  }

  get isNull(): boolean {
    return this.kind === "null";
  }

  /** The message it belongs to. @internal */
  get arena(): BuilderArena {
    return this.#arena;
  }

  /** Zeroes the object, so that it does not travel with the message. Does nothing on an orphan that was adopted or released. */
  release(): void {
    if (this.#holder === undefined) return;
    zeroPointer(this.#holder, 0);
    this.#spend();
  }

  [Symbol.dispose](): void {
    this.release();
  }

  /** Points to the object from a pointer of its own message; what that led to is zeroed. The orphan is spent. @internal */
  attach(segment: Segment, position: number): void {
    const holder = this.hold();
    zeroPointer(segment, position);
    movePointer(segment, position, holder, 0);
    this.#spend();
  }

  /** The pointer to the object, to read, change or copy that; good until the orphan is adopted or released. @internal */
  hold(): Segment {
    if (this.#holder === undefined) {
      throw new CapnpError(
        "CAPNP_ORPHAN",
        "This orphan was adopted or released before. An object has one place: disown it again, or copy it.",
      );
    }
    return this.#holder;
  }

  /** Hands the pointer to the object over to another orphan; this one is spent. @internal */
  handOver(): Segment {
    const holder = this.hold();
    this.#holder = undefined;
    return holder;
  }

  #spend(): void {
    this.#arena.dropLoosePointer(this.handOver());
  }
}

/** Clears a pointer and its landing pads, and leaves alone what it led to. */
export const forgetPointer = (segment: Segment, position: number): void => {
  const low = segment.view.getInt32(position, true);
  if ((low & 3) === farKind) {
    const pad = segment.arena.segment(segment.view.getUint32(position + 4, true));
    const start = (low >>> 3) * 8;
    pad.bytes.fill(0, start, start + ((low & 4) === 0 ? 8 : 16));
  }
  segment.bytes.fill(0, position, position + 8);
};

/** Makes a pointer that is null lead to what another one of the message leads to, which becomes null. */
const movePointer = (to: Segment, toPosition: number, from: Segment, fromPosition: number): void => {
  if (!followPointer(from, fromPosition)) {
    forgetPointer(from, fromPosition);
    return;
  }
  const { segment: content, start, low, high } = target;
  forgetPointer(from, fromPosition);
  if ((low & 3) === otherKind) setCapabilityIndex(to, toPosition, high >>> 0);
  else pointTo(to, toPosition, content, start, low & 3, high);
};

/** Takes out what a pointer leads to, and leaves the pointer null. What is returned holds the object, for a new {@link Orphan}. */
export const disown = (segment: Segment, position: number): Segment => {
  const holder = (segment.arena as BuilderArena).holdLoosePointer();
  movePointer(holder, 0, segment, position);
  return holder;
};

/**
 * Puts an orphan under a pointer; what was there is zeroed. Within a message nothing is copied. An orphan of another message is
 * copied, and zeroed where it was.
 *
 * Throws CAPNP_ORPHAN where the orphan was adopted or released before.
 */
export const adopt = (segment: Segment, position: number, orphan: Orphan): void => {
  if (orphan.arena === segment.arena) {
    orphan.attach(segment, position);
    return;
  }
  const holder = orphan.hold();
  if (orphan.kind === "capability") {
    const capability = holder.arena.capTable.get(holder.view.getUint32(4, true));
    setCapability(segment, position, capability === null ? null : capability.addRef());
  } else copyPointer(segment, position, holder, 0, unlimitedNesting);
  orphan.release();
};

/**
 * A pointer outside of the message to what `init` makes, for a new {@link Orphan}. `init` is given the null pointer to point to
 * something new: `initStruct`, `setText`, `copyPointer` and the like.
 */
export const newPointer = (arena: BuilderArena, init: (segment: Segment, position: number) => void): Segment => {
  const holder = arena.holdLoosePointer();
  try {
    init(holder, 0);
  } catch (error) {
    zeroPointer(holder, 0);
    arena.dropLoosePointer(holder);
    throw error;
  }
  return holder;
};

/**
 * A pointer outside of the message to Data which lies in memory of somebody else, as a segment of its own: no copy is made, the message never writes
 * there, and letting the orphan go does not zero it. The bytes must not change while the message is in use.
 *
 * A segment is whole words. Where `bytes` is not, its last word goes on in its buffer as far as that is zero; else all is copied.
 */
export const externalPointer = (arena: BuilderArena, bytes: Uint8Array): Segment => {
  if (bytes.length > maxListElements) {
    throw new CapnpError("CAPNP_RANGE", `Data cannot have ${bytes.length} bytes; the limit is ${maxListElements}.`);
  }
  return newPointer(arena, (segment, position) => {
    const content = arena.addExternal(wholeWords(bytes));
    pointTo(segment, position, content, 0, listKind, listPart(elementSize.byte, bytes.length));
  });
};

const wholeWords = (bytes: Uint8Array): Uint8Array => {
  const padding = -bytes.length & 7;
  if (padding === 0) return bytes;
  const { buffer, byteOffset, length } = bytes;
  if (byteOffset + length + padding <= buffer.byteLength) {
    const longer = new Uint8Array(buffer, byteOffset, length + padding);
    if (longer.subarray(length).every((byte) => byte === 0)) return longer;
  }
  const copy = new Uint8Array(length + padding);
  copy.set(bytes);
  return copy;
};
