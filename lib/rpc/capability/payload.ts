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

  #find(path: readonly number[]): ClientHook {
    let { segment, position, depth } = this;
    for (const index of path) {
      if (!resolveStruct(segment, position, depth) || index >= target.pointerCount) return nullClient.addRef();
      segment = target.segment;
      position = target.start + target.dataBytes + index * 8;
      depth--;
    }
    const index = resolveCapability(segment, position);
    const hook = index < 0 ? null : (segment.arena.capTable.get(index) as ClientHook | null);
    return (hook ?? nullClient).addRef();
  }

  /** Gives back the capabilities that nobody took out of it. */
  release(): void {
    if (this.segment.arena.hasCapTable) this.capTable.release();
  }
}
