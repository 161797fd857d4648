import type { Arena } from "./arena.ts";

/**
 * One contiguous run of words of a message. Offsets into it are bytes from its start.
 *
 * Readers and builders keep the segment, not its `bytes` or `view`: those are replaced by larger ones where a message that
 * is being built outgrows them, which any allocation may do. In such a message `end` grows up to `bytes.length`; in one that
 * is read it is the length.
 */
export class Segment {
  arena: Arena;
  readonly id: number;
  bytes: Uint8Array;
  view: DataView;
  /** Bytes in use: nothing at or after this offset belongs to the message. */
  end: number;
  /** Memory that belongs to somebody else and is only referred to: never written to, and not zeroed when it is let go. */
  readonly external: boolean;
  /** How large it may become by moving to larger memory; 0 where it has to stay, as somebody else knows of its memory. */
  maxBytes = 0;

  /** True once somebody outside of the library may have a view of its memory, or a reader or builder that refers to it. */
  isExposed = false;

  constructor(arena: Arena, id: number, bytes: Uint8Array, end: number, external = false, view?: DataView) {
    this.arena = arena;
    this.id = id;
    this.bytes = bytes;
    this.view = view ?? new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.end = end;
    this.external = external;
  }

  /** Reserves `bytes` (whole words) and returns their offset, or -1 where there is no room. What is reserved is zero. */
  allocate(bytes: number): number {
    const start = this.end;
    if (start + bytes > this.bytes.length && !this.#enlarge(start + bytes)) return -1;
    this.end = start + bytes;
    return start;
  }

  /** Whether there is room for `bytes`, or can be made. */
  hasRoomFor(bytes: number): boolean {
    const needed = this.end + bytes;
    return needed <= this.bytes.length || this.#enlarge(needed);
  }

  /** Takes its memory away, which is going to be used otherwise, and its message: it has no words any more, and gets none. */
  detach(nowhere: Arena): void {
    this.arena = nowhere;
    this.bytes = nothing;
    this.view = nothingView;
    this.end = 0;
    this.maxBytes = 0;
  }

  /** A view of a part of the segment for use outside of the library. It stays true: from now on the memory does not move. */
  expose(start: number, length: number): Uint8Array {
    this.maxBytes = 0;
    this.isExposed = true;
    // Not `subarray`: of a Node Buffer it makes a Buffer.
    return new Uint8Array(this.bytes.buffer, this.bytes.byteOffset + start, length);
  }

  /**
   * One segment that moves is better than many: a pointer into another segment takes a landing pad, and time whenever it is
   * followed. Twice as much as is needed each time, so that copying stays linear in total.
   */
  #enlarge(needed: number): boolean {
    if (needed > this.maxBytes) return false;
    const bytes = new Uint8Array(Math.min(this.maxBytes, 2 * needed));
    bytes.set(this.bytes.subarray(0, this.end));
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
    return true;
  }
}

const nothing = new Uint8Array(0);
const nothingView = new DataView(nothing.buffer);
