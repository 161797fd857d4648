import { CapnpError } from "../errors.ts";
import { CapTable } from "./cap-table.ts";
import {
  defaultNestingLimit,
  defaultTraversalLimitInWords,
  type ReaderOptions,
  traversalLimitExceeded,
} from "./read-limiter.ts";
import { Segment } from "./segment.ts";

/**
 * Releases the capabilities of messages that were collected without having been released. The arena goes with the last
 * reader or builder into it; its table knows nothing of the arena.
 */
const forgotten = new FinalizationRegistry<CapTable>((table) => table.release());

/** The segments of one message, what reading it may still cost, and its capabilities. */
export class Arena {
  readonly segments: Segment[] = [];
  /** Words that reading may still visit; infinite in a message that is being built here. */
  traversalLeft: number;
  readonly nestingLimit: number;
  #capTable: CapTable | undefined;

  constructor(traversalLeft: number, nestingLimit: number) {
    this.traversalLeft = traversalLeft;
    this.nestingLimit = nestingLimit;
  }

  get capTable(): CapTable {
    if (this.#capTable === undefined) this.capTable = new CapTable();
    return this.#capTable as unknown as CapTable;
  }

  set capTable(table: CapTable) {
    this.#capTable = table;
    forgotten.register(this, table);
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
  const arena = new Arena(
    options?.traversalLimitInWords ?? defaultTraversalLimitInWords,
    options?.nestingLimit ?? defaultNestingLimit,
  );
  for (let id = 0; id < segments.length; id++) {
    const bytes = segments[id] as Uint8Array;
    // A trailing part of a word cannot be pointed to.
    arena.segments.push(new Segment(arena, id, bytes, bytes.length - (bytes.length & 7)));
  }
  return arena;
};

/** How a message grows while it is built. */
export interface AllocationOptions {
  /** Size of the first segment. Default: 128 words (1 KiB). */
  readonly firstSegmentWords?: number;
  /**
   * `grow` makes each new segment as large as all before it together, `fixed` as large as the first.
   *
   * Default: `grow`.
   */
  readonly allocation?: "grow" | "fixed";
}

export const defaultFirstSegmentWords = 128;

/** Largest segment that pointers can span: 2^29 words less one. */
const maxSegmentBytes = 0x1fffffff * 8;

/** The arena of a message that is built. Every byte that has not been written is zero. */
export class BuilderArena extends Arena {
  readonly #firstBytes: number;
  readonly #grow: boolean;
  #total = 0;

  /** @param first Zeroed memory for the first segment; without it, it is allocated at need. */
  constructor(options?: AllocationOptions, first?: Uint8Array) {
    super(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
    this.#firstBytes = (options?.firstSegmentWords ?? defaultFirstSegmentWords) * 8;
    this.#grow = options?.allocation !== "fixed";
    if (first !== undefined) this.#add(first);
  }

  #add(bytes: Uint8Array): Segment {
    const segment = new Segment(this, this.segments.length, bytes, 0);
    this.segments.push(segment);
    this.#total += bytes.length;
    return segment;
  }

  /** A segment with room for `bytes` (whole words): the last one or a new one. The caller then allocates in it. */
  roomFor(bytes: number): Segment {
    const last = this.segments[this.segments.length - 1];
    if (last !== undefined && last.end + bytes <= last.bytes.length) return last;
    if (bytes > maxSegmentBytes) {
      throw new CapnpError("CAPNP_MESSAGE_SIZE", `An object of ${bytes} bytes does not fit into a segment (4 GiB).`);
    }
    const wanted = this.#grow ? Math.max(this.#firstBytes, this.#total) : this.#firstBytes;
    return this.#add(new Uint8Array(Math.max(bytes, Math.min(wanted, maxSegmentBytes))));
  }

  /** The used part of every segment, as it lies in memory. */
  output(): Uint8Array[] {
    return this.segments.map((s) => s.bytes.subarray(0, s.end));
  }
}
