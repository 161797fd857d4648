import { CapnpError } from "../../errors.ts";
import type { CapTable } from "../../serialization/cap-table.ts";
import type { OwnedPipeline } from "../capability/pipeline.ts";
import type { PipelineCall } from "../capability/request.ts";
import type { ConnectionState } from "./connection-state.ts";
import { releaseExport } from "./export.ts";

const none: readonly number[] = [];

/**
 * What a call of the peer's leaves here until Finish: the capabilities that calls pipelined on its results go to, and what the
 * Return has given the peer. Most calls leave nothing, and have none of this.
 */
export class KeptResults {
  readonly #state: ConnectionState;
  #bytes = 0;
  /** Exports that the Return counted. */
  exports: readonly number[] = none;
  /** What capabilities the Return described: calls pipelined later go there. */
  described: CapTable | undefined;
  /** The results as they were built, where they must agree with what the method said before. */
  built: CapTable | undefined;
  /** Where the method said that capabilities of the results are, before they were there. */
  preset: OwnedPipeline | undefined;
  /** A tail call whose results stay with the peer, or that is for its pipeline only. */
  tail: PipelineCall | undefined;

  constructor(state: ConnectionState) {
    this.#state = state;
  }

  /** Counts results against `maxResultBytes`. */
  count(bytes: number): void {
    const state = this.#state;
    this.#bytes += bytes;
    state.resultBytes += bytes;
    if (state.resultBytes <= state.limits.maxResultBytes) return;
    const text = `The peer leaves ${state.resultBytes} bytes of results unfinished; the limit is ${state.limits.maxResultBytes} (maxResultBytes).`;
    state.breach(new CapnpError("CAPNP_LIMIT", text));
  }

  releasePreset(): void {
    this.preset?.release();
    this.preset = undefined;
  }

  release(): void {
    this.#state.resultBytes -= this.#bytes;
    this.#bytes = 0;
    this.described?.release();
    this.built?.release();
    this.releasePreset();
    this.tail?.drop();
  }

  /** Gives the exports back that the peer says it never took. Throws where it has released them already. */
  releaseExports(): void {
    for (const id of this.exports) releaseExport(this.#state, id, 1);
  }
}
