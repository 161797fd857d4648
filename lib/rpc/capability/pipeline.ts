import { CapnpError } from "../../errors.ts";
import { BrokenClient } from "./broken-client.ts";
import { ByPath } from "./by-path.ts";
import type { ClientHook } from "./client-hook.ts";
import { QueuedClient } from "./queued-client.ts";

/** Capabilities inside results that may not be there yet. */
export interface Pipeline {
  /**
   * The capability at a path of pointer indices from the results struct (`PromisedAnswer.transform`). The caller owns
   * the reference that it gets. Asking twice for one path gives the same capability while the results are pending, so
   * that calls made through either keep their order.
   */
  pipelined(path: readonly number[]): ClientHook;
}

/** A pipeline with capabilities of its own. */
export interface OwnedPipeline extends Pipeline {
  release(): void;
}

/** How many capabilities of results that are pending may be kept in mind for those who asked for them, by several pipelines together. */
export interface PipelineRoom {
  used: number;
  readonly limit: number;
}

/** The pipeline of a call that has not returned: holds calls back until it is known where they go. */
export class QueuedPipeline implements Pipeline {
  /** Undefined until somebody asks: most calls are never pipelined on. */
  #clients: ByPath<QueuedClient> | undefined;
  #target: Pipeline | undefined;
  /** The target where it was set before the results were there: owned until they are. */
  #preset: OwnedPipeline | undefined;
  readonly #room: PipelineRoom | undefined;

  /** @param room Shared with others whose askers are the same. Default: no limit. */
  constructor(room?: PipelineRoom) {
    this.#room = room;
  }

  pipelined(path: readonly number[]): ClientHook {
    if (this.#target !== undefined) return this.#target.pipelined(path);
    this.#clients ??= new ByPath();
    const found = this.#clients.get(path);
    if (found !== undefined) return found.addRef();
    const room = this.#room;
    if (room !== undefined && room.used++ >= room.limit) {
      room.used--;
      const text = `The peer has asked for ${room.limit} capabilities of results that are not there yet (maxPipelinedPromises).`;
      return new BrokenClient(new CapnpError("CAPNP_LIMIT", text));
    }
    const client = new QueuedClient();
    this.#clients.add(path, client);
    return client.addRef();
  }

  /** True while a capability that was asked for here, or a call on one, waits for the results. */
  get isAwaited(): boolean {
    for (const { value } of this.#clients?.entries() ?? []) if (value.isAwaited) return true;
    return false;
  }

  /** Says where capabilities are before the results are there; takes the pipeline over. Only the first call counts. */
  preset(pipeline: OwnedPipeline): void {
    if (this.#target !== undefined) {
      pipeline.release();
      return;
    }
    this.resolve(pipeline);
    this.#preset = pipeline;
  }

  /** Sends what was held back on its way, in the order of its arrival for each capability. Only the first call counts. */
  resolve(target: Pipeline): void {
    if (this.#target !== undefined && this.#preset === undefined) return;
    this.#target = target;
    this.#preset?.release();
    this.#preset = undefined;
    const clients = this.#clients;
    if (clients === undefined) return;
    this.#clients = undefined;
    if (this.#room !== undefined) this.#room.used -= clients.size;
    for (const { path, value } of clients.entries()) {
      value.resolve(target.pipelined(path));
      value.release();
    }
  }
}
