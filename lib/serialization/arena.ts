import { CapnpError } from "../errors.ts";
import { CapTable } from "./cap-table.ts";
import {
  checkReaderOptions,
  defaultNestingLimit,
  defaultTraversalLimitInWords,
  type ReaderOptions,
  traversalLimitExceeded,
  unlimitedNesting,
} from "./read-limiter.ts";
import { Segment } from "./segment.ts";

/**
 * Releases the capabilities of messages that were collected without having been released. The arena goes with the last
 * reader or builder into it; its table knows nothing of the arena.
 */
const forgotten = new FinalizationRegistry<CapTable>((table) => table.forgotten());

const noSegments: readonly Segment[] = [];

/** The segments of one message, what reading it may still cost, and its capabilities. */
export class Arena {
  /** Nearly always one, for which `[]` and a `push` would reserve room for seventeen. */
  segments: readonly Segment[] = noSegments;
  /** Words that reading may still visit; infinite in a message that is being built here. */
  traversalLeft: number;
  readonly nestingLimit: number;
  /**
   * True where whoever has the message surely releases its capabilities. Otherwise that is left to the collector, which is
   * expensive: what it is to report on lives until a full collection.
   */
  releasedByOwner = false;
  #capTable: CapTable | undefined;

  constructor(traversalLeft: number, nestingLimit: number) {
    this.traversalLeft = traversalLeft;
    this.nestingLimit = nestingLimit < unlimitedNesting ? Math.trunc(nestingLimit) : unlimitedNesting;
  }

  get capTable(): CapTable {
    if (this.#capTable === undefined) this.capTable = new CapTable();
    return this.#capTable as unknown as CapTable;
  }

  set capTable(table: CapTable) {
    this.#capTable = table;
    if (!this.releasedByOwner && !table.releasesItself) forgotten.register(this, table);
  }

  /** From now on the table learns of it when the message is collected, also where it would not need to. */
  watchCapTable(): void {
    const table = this.capTable;
    if (table.releasesItself) forgotten.register(this, table);
  }

  get hasCapTable(): boolean {
    return this.#capTable !== undefined;
  }

  /** Spends words of the traversal budget. */
  charge(words: number): void {
    if (words > this.traversalLeft) throw traversalLimitExceeded();
    this.traversalLeft -= words;
  }

  segment(id: number): Segment {
    const segment = this.segments[id];
    if (segment === undefined) {
      throw new CapnpError(
        "CAPNP_OUT_OF_BOUNDS",
        `Message contains far pointer to unknown segment ${id}; the message has ${this.segments.length}.`,
      );
    }
    return segment;
  }
}

/** The arena of a message that is read. */
export const readerArena = (segments: readonly Uint8Array[], options?: ReaderOptions): Arena => {
  if (options !== undefined) checkReaderOptions(options);
  const arena = new Arena(
    options?.traversalLimitInWords ?? defaultTraversalLimitInWords,
    options?.nestingLimit ?? defaultNestingLimit,
  );
  const first = segments[0];
  if (first !== undefined) {
    const only = readerSegment(arena, 0, first);
    arena.segments = segments.length === 1 ? [only] : segments.map((bytes, id) => readerSegment(arena, id, bytes));
  }
  return arena;
};

/** A trailing part of a word cannot be pointed to. */
const readerSegment = (arena: Arena, id: number, bytes: Uint8Array): Segment =>
  new Segment(arena, id, bytes, bytes.length - (bytes.length & 7));

/** How a message grows while it is built. */
export interface AllocationOptions {
  /**
   * Size of the first segment. Default: 128 words (1 KiB), and without any of these options the first segment grows with the
   * message, by moving to larger memory, up to 2 Mi words (16 MiB).
   */
  readonly firstSegmentWords?: number;
  /**
   * Memory for the first segment: whole words, at least one, all zero (CAPNP_RANGE otherwise, or data of its former use would
   * travel with the message). The message writes to it and is read from it: it must not be used otherwise until the message is
   * out of use. Default: the message allocates its own.
   */
  readonly firstSegment?: Uint8Array;
  /**
   * Gives the memory for each further segment, zeroed, of at least so many words. Memory that is too small, of half words or not
   * zero in its first word is refused with CAPNP_RANGE. Default: `new Uint8Array`, of a size that `allocation` says.
   */
  readonly allocate?: (minimumWords: number) => Uint8Array;
  /**
   * `grow` makes each new segment as large as all before it together, `fixed` as large as the first.
   *
   * Default: `grow`.
   */
  readonly allocation?: "grow" | "fixed";
}

const defaultFirstSegmentWords = 128;

/** Up to this size a first segment moves; beyond it, copying and having it twice meanwhile would be felt. */
export const movingSegmentBytes = 16 * 1024 * 1024;

/** A pointer and a landing pad of two words. */
const loosePointerBytes = 24;
const lastSegmentId = 0xffffffff;

const checkedFirstSegment = (bytes: Uint8Array): Uint8Array => {
  if (bytes.length < 8 || (bytes.length & 7) !== 0) {
    throw new CapnpError(
      "CAPNP_RANGE",
      `A first segment is whole words of 8 bytes, at least one; not ${bytes.length} bytes.`,
    );
  }
  const used = bytes.findIndex((byte) => byte !== 0);
  if (used >= 0) {
    throw new CapnpError(
      "CAPNP_RANGE",
      `A first segment must be zeroed: byte ${used} of ${bytes.length} is ${bytes[used]}. Zero it after each use: bytes.fill(0).`,
    );
  }
  return bytes;
};

const checkedAllocation = (bytes: Uint8Array, wanted: number): Uint8Array => {
  if (!(bytes instanceof Uint8Array) || bytes.length < wanted || (bytes.length & 7) !== 0) {
    const given = bytes instanceof Uint8Array ? `${bytes.length} bytes` : typeof bytes;
    throw new CapnpError(
      "CAPNP_RANGE",
      `allocate(${wanted / 8}) has to give at least ${wanted / 8} words of 8 bytes, as a Uint8Array of whole words; it gave ${given}.`,
    );
  }
  // Only the first word is looked at: the rest would cost a pass over memory that is as a rule fresh.
  if (bytes.subarray(0, 8).some((byte) => byte !== 0)) {
    throw new CapnpError(
      "CAPNP_RANGE",
      "allocate() has to give zeroed memory: what is left in it would travel with the message.",
    );
  }
  return bytes;
};

/** Largest segment that pointers can span: 2^29 words less one. */
const maxSegmentBytes = 0x1fffffff * 8;

/** A segment of a message that exists already; what is not in use is zero. */
export interface UsedMemory {
  readonly bytes: Uint8Array;
  readonly usedBytes: number;
}

/** The arena of a message that is built. Every byte that has not been written is zero. */
export class BuilderArena extends Arena {
  readonly #firstBytes: number;
  readonly #grow: boolean;
  readonly #moves: boolean;
  readonly #allocate: ((minimumWords: number) => Uint8Array) | undefined;
  /** Gives zeroed memory of at least so many bytes for a segment, where there are no options that say how. */
  newMemory: (bytes: number) => Uint8Array = freshMemory;
  #total = 0;
  /** The segment that new objects go to. */
  #open: Segment | undefined;
  #loose: Map<number, Segment> | undefined;

  /**
   * @param first Zeroed memory for the first segment; without it, it is allocated at need.
   * @param expectedBytes What the message may become, where there are no options.
   * @param firstView A view of just that memory, where there is one.
   */
  constructor(options?: AllocationOptions, first?: Uint8Array, expectedBytes = 0, firstView?: DataView) {
    super(Number.POSITIVE_INFINITY, unlimitedNesting);
    const words = options?.firstSegment === undefined ? options?.firstSegmentWords : options.firstSegment.length / 8;
    const firstBytes = (words ?? defaultFirstSegmentWords) * 8;
    this.#firstBytes = options === undefined ? Math.max(firstBytes, expectedBytes) : firstBytes;
    this.#moves = options === undefined;
    this.#grow = options?.allocation !== "fixed";
    this.#allocate = options?.allocate;
    if (first !== undefined) this.#add(first, firstView);
    else if (options?.firstSegment !== undefined) this.#add(checkedFirstSegment(options.firstSegment));
  }

  #add(bytes: Uint8Array, view?: DataView): Segment {
    const segment = new Segment(this, this.segments.length, bytes, 0, false, view);
    this.#append(segment);
    this.#total += bytes.length;
    this.#open = segment;
    return segment;
  }

  /**
   * Makes the segments of a message that exists already the first ones. New objects go behind what the last of them has in use.
   * The message is trusted: builders have no limits.
   */
  reopen(segments: readonly UsedMemory[]): void {
    for (const { bytes, usedBytes } of segments) {
      if ((bytes.length & 7) !== 0 || (usedBytes & 7) !== 0 || usedBytes > bytes.length) {
        throw new CapnpError(
          "CAPNP_RANGE",
          `A segment is whole words of 8 bytes: ${usedBytes} bytes in use of ${bytes.length} cannot be those of a message.`,
        );
      }
      this.#add(bytes).end = usedBytes;
    }
  }

  /** Makes memory of somebody else a segment, to be pointed to and not to be changed. Whole words. */
  addExternal(bytes: Uint8Array): Segment {
    const segment = new Segment(this, this.segments.length, bytes, bytes.length, true);
    this.#append(segment);
    return segment;
  }

  /**
   * Takes the first segment away from a message that nobody reads or writes any more. True where the arena may serve another one
   * (`begin`): what still refers to the old one finds nothing, and cannot allocate.
   */
  end(): boolean {
    this.segments[0]?.detach(nowhere);
    if (this.segments.length !== 1 || this.hasCapTable || this.#loose !== undefined) return false;
    this.segments = noSegments;
    this.#open = undefined;
    this.#total = 0;
    return true;
  }

  /** Begins another message, after `end`, in zeroed memory. */
  begin(first: Uint8Array, view: DataView): Segment {
    return this.#add(first, view);
  }

  /**
   * Takes its memory away from each segment but the first, where nobody outside may look at it. For a message that nobody reads or
   * writes any more.
   */
  detachFurther(give: (bytes: Uint8Array, usedBytes: number) => void): void {
    for (let i = 1; i < this.segments.length; i++) {
      const segment = this.segments[i] as Segment;
      if (segment.isExposed || segment.external) continue;
      const { bytes, end } = segment;
      segment.detach(nowhere);
      give(bytes, end);
    }
  }

  #append(segment: Segment): void {
    if (this.segments.length === 0) this.segments = [segment];
    else (this.segments as Segment[]).push(segment);
  }

  override segment(id: number): Segment {
    return this.segments[id] ?? this.#loose?.get(id) ?? super.segment(id);
  }

  /**
   * Makes a pointer outside of the message, at 0 of a segment that is none of those written out: where an orphan is held. The
   * pointer reaches the message through a landing pad of its own. Its `end` lies behind its bytes: so no object fits into it.
   */
  holdLoosePointer(): Segment {
    this.#loose ??= new Map();
    let id = lastSegmentId - this.#loose.size;
    while (this.#loose.has(id)) id--;
    const loose = new Segment(this, id, new Uint8Array(loosePointerBytes), loosePointerBytes + 8);
    this.#loose.set(id, loose);
    return loose;
  }

  dropLoosePointer(loose: Segment): void {
    this.#loose?.delete(loose.id);
  }

  /** A segment with room for `bytes` (whole words): the last one or a new one. The caller then allocates in it. */
  roomFor(bytes: number): Segment {
    const last = this.#open;
    if (last?.hasRoomFor(bytes)) return last;
    if (bytes > maxSegmentBytes) {
      throw new CapnpError("CAPNP_MESSAGE_SIZE", `An object of ${bytes} bytes does not fit into a segment (4 GiB).`);
    }
    if (this.#allocate !== undefined) return this.#add(checkedAllocation(this.#allocate(bytes / 8), bytes));
    const wanted = this.#grow ? Math.max(this.#firstBytes, this.#total) : this.#firstBytes;
    const segment = this.#add(this.newMemory(Math.max(bytes, Math.min(wanted, maxSegmentBytes))));
    if (this.#moves && segment.id === 0) segment.maxBytes = movingSegmentBytes;
    return segment;
  }

  /** The used part of every segment, for somebody who looks at it and lets it go before the message does. */
  lend(): Uint8Array[] {
    const first = this.segments[0];
    return first !== undefined && this.segments.length === 1 ? [used(first)] : this.segments.map(used);
  }

  /** The used part of every segment, as it lies in memory. */
  output(): Uint8Array[] {
    return this.segments.map((segment) => segment.expose(0, segment.end));
  }
}

const freshMemory = (bytes: number): Uint8Array => new Uint8Array(bytes);

const used = ({ bytes, end }: Segment): Uint8Array => new Uint8Array(bytes.buffer, bytes.byteOffset, end);

/** Where the segments of messages are that were ended. */
const nowhere = new BuilderArena({
  allocate: () => {
    throw new CapnpError("CAPNP_RELEASED", "This message was sent, and cannot be built any further.");
  },
});
