import { CapnpError } from "../errors.ts";
import type { BuilderArena } from "./arena.ts";
import { copyPointer } from "./copy.ts";
import { pointTo, setCapability, setCapabilityIndex, transferPointer, zeroPointer } from "./pointer-builder.ts";
import { followPointer, target } from "./resolve-pointer.ts";
import { Segment } from "./segment.ts";
import { farKind, otherKind } from "./wire-pointer.ts";

/** What an orphan is, as far as its encoding tells. */
export type OrphanKind = "null" | "struct" | "list" | "capability";

/**
 * An object of a message that is being built to which no pointer leads: taken out with {@link disown}, and put somewhere with
 * {@link adopt}. It stays where it lies in the message and counts to its size, so an orphan that is not wanted any more should be
 * released, which zeroes it (and its capabilities' references).
 *
 * States: held (from `disown` or {@link newOrphan}), then spent, by `adopt` or `release`. Only `release` may be called on a spent
 * orphan.
 */
export class Orphan {
  readonly #arena: BuilderArena;
  readonly #kind: OrphanKind;
  /** Where the content begins; of a list of structs, its tag. */
  readonly #segment: Segment;
  readonly #start: number;
  /** The pointer's high half; of a capability, its index. */
  readonly #high: number;
  #spent = false;
  #holder: Segment | undefined;

  /** @internal */
  constructor(kind: OrphanKind, segment: Segment, start: number, high: number) {
    this.#arena = segment.arena as BuilderArena;
    this.#kind = kind;
    this.#segment = segment;
    this.#start = start;
    this.#high = high;
  }

  get kind(): OrphanKind {
    return this.#kind;
  }

  get isNull(): boolean {
    return this.#kind === "null";
  }

  /** The message it belongs to. @internal */
  get arena(): BuilderArena {
    return this.#arena;
  }

  /** Zeroes the object, so that it does not travel with the message. Does nothing on an orphan that was adopted or released. */
  release(): void {
    if (this.#spent) return;
    const holder = this.hold();
    this.#spent = true;
    zeroPointer(holder, 0);
  }

  [Symbol.dispose](): void {
    this.release();
  }

  /** Points to the object from a pointer of its own message; what that led to is zeroed. The orphan is spent. @internal */
  attach(segment: Segment, position: number): void {
    this.#checkHeld();
    this.#spent = true;
    zeroPointer(segment, position);
    if (this.#holder === undefined) this.#point(segment, position);
    else transferPointer(segment, position, this.#holder, 0);
  }

  /** A word outside the message which points to the object, to read or copy it; good until it is adopted or released. @internal */
  hold(): Segment {
    this.#checkHeld();
    if (this.#holder === undefined) {
      this.#holder = looseWord(this.#arena);
      this.#point(this.#holder, 0);
    }
    return this.#holder;
  }

  #point(segment: Segment, position: number): void {
    switch (this.#kind) {
      case "null":
        return;
      case "capability":
        setCapabilityIndex(segment, position, this.#high);
        return;
      default:
        pointTo(segment, position, this.#segment, this.#start, this.#kind === "struct" ? 0 : 1, this.#high);
    }
  }

  #checkHeld(): void {
    if (this.#spent) {
      throw new CapnpError(
        "CAPNP_ORPHAN",
        "This orphan was adopted or released before. An object has one place: disown it again, or copy it.",
      );
    }
  }
}

/** A word of no segment of the message, whose pointer reaches it through landing pads. */
const looseWord = (arena: BuilderArena): Segment => new Segment(arena, -1, new Uint8Array(8), 8);

/** Takes out what a pointer leads to, and leaves the pointer null. A null pointer gives a null orphan. */
export const disown = (segment: Segment, position: number): Orphan => {
  const low = segment.view.getInt32(position, true);
  const high = segment.view.getInt32(position + 4, true);
  let orphan: Orphan;
  if (low === otherKind) orphan = new Orphan("capability", segment, 0, high >>> 0);
  else if (followPointer(segment, position)) {
    orphan = new Orphan((target.low & 3) === 0 ? "struct" : "list", target.segment, target.start, target.high);
  } else orphan = new Orphan("null", segment, 0, 0);
  if ((low & 3) === farKind) {
    const pad = segment.arena.segment(high >>> 0);
    const start = (low >>> 3) * 8;
    pad.bytes.fill(0, start, start + ((low & 4) === 0 ? 8 : 16));
  }
  segment.bytes.fill(0, position, position + 8);
  return orphan;
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
  const index = holder.view.getInt32(0, true) === otherKind ? holder.view.getUint32(4, true) : -1;
  if (index >= 0) {
    const capability = holder.arena.capTable.get(index);
    setCapability(segment, position, capability === null ? null : capability.addRef());
  } else copyPointer(segment, position, holder, 0, Number.POSITIVE_INFINITY);
  orphan.release();
};

/**
 * An orphan made by `init`, which is given a null pointer of the message to point to something new: `initStruct`, `setText`,
 * `copyPointer` and the like.
 */
export const newOrphan = (arena: BuilderArena, init: (segment: Segment, position: number) => void): Orphan => {
  const holder = looseWord(arena);
  init(holder, 0);
  return disown(holder, 0);
};
