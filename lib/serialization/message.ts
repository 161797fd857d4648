import { type AllocationOptions, type Arena, BuilderArena, readerArena, type UsedMemory } from "./arena.ts";
import type { CapTable } from "./cap-table.ts";
import { copyPointer } from "./copy.ts";
import { initStruct } from "./pointer-builder.ts";
import type { ReaderOptions } from "./read-limiter.ts";
import { target } from "./resolve-pointer.ts";
import type { Segment } from "./segment.ts";
import { emptySegment, readStruct, type StructConstructor } from "./struct.ts";
import { getStruct } from "./upgrade.ts";
import { unlimitedNesting } from "./read-limiter.ts";

/** A message to read: segments as they arrived, never changed by reading. */
export class MessageReader {
  readonly arena: Arena;

  /** @param segments Read in place, not copied: they must not change while the message is in use. */
  constructor(segments: readonly Uint8Array[], options?: ReaderOptions) {
    this.arena = readerArena(segments, options);
  }

  /** The segment that begins with the root pointer. A message without a single word reads as a null root. */
  get rootSegment(): Segment {
    const first = this.arena.segments[0];
    return first === undefined || first.end < 8 ? nullRoot : first;
  }

  get capTable(): CapTable {
    return this.arena.capTable;
  }

  set capTable(table: CapTable) {
    this.arena.capTable = table;
  }

  /** The root struct. */
  root<T>(Reader: StructConstructor<T>): T {
    return readStruct(Reader, this.rootSegment, 0, this.arena.nestingLimit);
  }
}

/** A segment whose first word is a null pointer. */
const nullRoot: Segment = readerArena([new Uint8Array(8)]).segments[0] ?? emptySegment;

/** A message to build. Word 0 of its first segment is the root pointer. */
export class MessageBuilder {
  readonly arena: BuilderArena;
  rootSegment: Segment;

  /**
   * @param first Zeroed memory of at least a word to build the first segment in.
   * @param existing The segments of a message to go on with, where they lie; see `BuilderArena.reopen`.
   * @param expectedBytes What the message may become, where there are no options.
   * @param firstView A view of `first`, where there is one.
   */
  constructor(
    options?: AllocationOptions,
    first?: Uint8Array,
    existing?: readonly UsedMemory[],
    expectedBytes?: number,
    firstView?: DataView,
  ) {
    this.arena = new BuilderArena(options, first, expectedBytes, firstView);
    if (existing !== undefined) this.arena.reopen(existing);
    this.rootSegment = this.arena.segments[0] ?? this.arena.roomFor(8);
    if (this.rootSegment.end === 0) this.rootSegment.allocate(8);
  }

  /** Begins another message with the arena of one that was ended (`BuilderArena.end`). */
  begin(first: Uint8Array, view: DataView): void {
    this.rootSegment = this.arena.begin(first, view);
    this.rootSegment.allocate(8);
  }

  get capTable(): CapTable {
    return this.arena.capTable;
  }

  /** Makes the root a new struct of the given size; what was there is zeroed. */
  initRoot<T>(Builder: StructConstructor<T>, dataBytes: number, pointerCount: number): T {
    initStruct(this.rootSegment, 0, dataBytes, pointerCount);
    return new Builder(target.segment, target.start, dataBytes, pointerCount, unlimitedNesting);
  }

  /** The root as a struct of at least the given size, allocated where it is null. */
  root<T>(Builder: StructConstructor<T>, dataBytes: number, pointerCount: number): T {
    getStruct(this.rootSegment, 0, dataBytes, pointerCount);
    return new Builder(target.segment, target.start, target.dataBytes, target.pointerCount, unlimitedNesting);
  }

  /** Makes the root a deep copy of what a pointer leads to. */
  copyRoot(from: Segment, position: number, depth: number): void {
    copyPointer(this.rootSegment, 0, from, position, depth);
  }

  /** The used part of each segment, without a copy: it changes as the message does. */
  segments(): Uint8Array[] {
    return this.arena.output();
  }
}
