import type { Arena } from "./arena.ts";

/**
 * One contiguous run of words of a message. Offsets into it are bytes from its start.
 *
 * A segment never moves: `bytes` and `view` are made once, so that readers and builders may keep them. In a message that
 * is being built `end` grows up to `bytes.length`; in one that is read it is the length.
 */
export class Segment {
  readonly arena: Arena;
  readonly id: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Bytes in use: nothing at or after this offset belongs to the message. */
  end: number;

  constructor(arena: Arena, id: number, bytes: Uint8Array, end: number) {
    this.arena = arena;
    this.id = id;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.end = end;
  }

  /** Reserves `bytes` (whole words) and returns their offset, or -1 where there is no room. What is reserved is zero. */
  allocate(bytes: number): number {
    const start = this.end;
    if (start + bytes > this.bytes.length) return -1;
    this.end = start + bytes;
    return start;
  }
}
