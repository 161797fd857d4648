import { CapnpError } from "../../errors.ts";
import type { CapTable } from "../../serialization/cap-table.ts";
import { resolveCapability, resolveStruct, target } from "../../serialization/resolve-pointer.ts";
import type { Segment } from "../../serialization/segment.ts";
import { BrokenClient, nullClient } from "./broken-client.ts";
import type { ClientHook } from "./client-hook.ts";
import type { Pipeline } from "./pipeline.ts";

/**
 * The params or results of a call, read where they lie: a pointer to the struct, and the capabilities it mentions. Also
 * the pipeline of a call that has returned.
 */
export class Payload implements Pipeline {
  readonly segment: Segment;
  /** Byte offset of the pointer to the content. */
  readonly position: number;
  readonly depth: number;

  constructor(segment: Segment, position: number, depth: number) {
    this.segment = segment;
    this.position = position;
    this.depth = depth;
  }

  get capTable(): CapTable {
    return this.segment.arena.capTable;
  }

  pipelined(path: readonly number[]): ClientHook {
    try {
      return this.#find(path);
    } catch (error) {
      return new BrokenClient(error as Error);
    }
  }

  /** The place of a capability in the table, by its path; -1 where there is none. Throws where the path cannot be followed. */
  indexOf(path: readonly number[]): number {
    let { segment, position, depth } = this;
    for (const index of path) {
      if (!resolveStruct(segment, position, depth) || index >= target.pointerCount) return -1;
      segment = target.segment;
      position = target.start + target.dataBytes + index * 8;
      depth--;
    }
    return resolveCapability(segment, position);
  }

  #find(path: readonly number[]): ClientHook {
    const index = this.indexOf(path);
    const hook = index < 0 ? null : (this.capTable.get(index) as ClientHook | null);
    if (hook?.isDestroyed) {
      throw new CapnpError(
        "CAPNP_RELEASED",
        "This capability was read out of the results and released. Release what you have read after its last use, whichever way you use it.",
      );
    }
    return (hook ?? nullClient).addRef();
  }

  /** Gives back the capabilities that nobody took out of it. */
  release(): void {
    if (this.segment.arena.hasCapTable) this.capTable.release();
  }
}
