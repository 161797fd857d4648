import { BrokenClient } from "../capability/broken-client.ts";
import type { ClientHook } from "../capability/client-hook.ts";
import type { Payload } from "../capability/payload.ts";
import type { Pipeline } from "../capability/pipeline.ts";
import type { PendingCall, ReturnListener } from "../capability/request.ts";
import type { ConnectionState } from "./connection-state.ts";
import type { QuestionId } from "./ids.ts";
import { sendFinish } from "./outgoing.ts";
import { PipelineClient } from "./pipeline-client.ts";
import { PromiseClient } from "./promise-client.ts";

/** Results as they arrive: the payload, and which of its capabilities are ours, described back to us. */
export interface ReceivedResults {
  readonly pipeline: Pipeline;
  readonly isReflected: (hook: ClientHook) => boolean;
}

/**
 * A row of the question table: a call or bootstrap of ours.
 *
 * State: waiting -> returned (Return came; Finish is sent with it) | canceled (Finish was sent; the row stays until Return
 * comes, because only then is the id free in both directions) | lost (the connection is over).
 *
 * The listener is told once, whichever comes first.
 */
export class Question implements PendingCall {
  readonly id: QuestionId;
  readonly #state: ConnectionState;
  /** Exports that the params counted: given back if the Return says so, or if the peer never understood the call. */
  paramExports: readonly number[] = [];
  /** True while the results of this call stay at the peer (`sendResultsTo.yourself`). */
  readonly redirected: boolean = false;
  #status: "waiting" | "returned" | "canceled" = "waiting";
  #listener: ReturnListener | undefined;
  #results: Payload | undefined;
  #error: Error | undefined;
  /** Where capabilities of the results are found once they are known. */
  #resolved: Pipeline | undefined;
  #promises: Map<string, { readonly path: readonly number[]; readonly promise: PromiseClient }> | undefined;

  constructor(state: ConnectionState, id: QuestionId) {
    this.#state = state;
    this.id = id;
  }

  get isCanceled(): boolean {
    return this.#status === "canceled";
  }

  pipelined(path: readonly number[]): ClientHook {
    if (this.#resolved !== undefined) return this.#resolved.pipelined(path);
    this.#promises ??= new Map();
    const key = path.join();
    const known = this.#promises.get(key);
    if (known !== undefined) return known.promise.addRef();
    const promise = new PromiseClient(this.#state, new PipelineClient(this.#state, this.id, path));
    this.#promises.set(key, { path, promise });
    return promise.addRef();
  }

  onReturn(listener: ReturnListener): void {
    this.#listener = listener;
    this.#tell();
  }

  #tell(): void {
    const listener = this.#listener;
    if (listener === undefined) return;
    if (this.#results !== undefined) {
      const results = this.#results;
      this.#results = undefined;
      this.#listener = undefined;
      listener.returned(results);
    } else if (this.#error !== undefined) {
      this.#listener = undefined;
      listener.threw(this.#error);
    }
  }

  /**
   * The Return brought results. Promises resolve first, and may send Disembargos that name this question, so Finish comes
   * after them.
   */
  returned(results: Payload, isReflected: (hook: ClientHook) => boolean, noFinishNeeded: boolean): void {
    this.#resolvePipeline(results, isReflected);
    this.#finish(noFinishNeeded);
    this.#results = results;
    this.#tell();
  }

  /** The results are where the peer sent our own call on to: a call here that keeps its results for us. */
  takeFrom(results: Pipeline, noFinishNeeded: boolean): void {
    this.#resolvePipeline(results, () => true);
    this.#finish(noFinishNeeded);
  }

  /** The results that `takeFrom` announced. */
  taken(results: Payload): void {
    this.#results = results;
    this.#tell();
  }

  threw(error: Error, noFinishNeeded: boolean): void {
    this.#resolvePipeline(new BrokenClient(error), () => false);
    this.#finish(noFinishNeeded);
    this.#error = error;
    this.#tell();
  }

  /** What was redirected by `takeFrom` failed after all. */
  takenThrew(error: Error): void {
    this.#error = error;
    this.#tell();
  }

  #resolvePipeline(pipeline: Pipeline, isReflected: (hook: ClientHook) => boolean): void {
    if (this.#resolved !== undefined) return;
    this.#resolved = pipeline;
    const promises = this.#promises;
    this.#promises = undefined;
    for (const { path, promise } of promises?.values() ?? []) {
      const hook = pipeline.pipelined(path);
      promise.resolve(hook, isReflected(hook));
      promise.release();
    }
  }

  #finish(noFinishNeeded: boolean): void {
    if (this.#status !== "waiting") return;
    this.#status = "returned";
    if (!noFinishNeeded) sendFinish(this.#state, this.id, false);
    this.#state.questions.delete(this.id);
  }

  cancel(reason: Error): void {
    if (this.#status !== "waiting") return;
    this.#status = "canceled";
    this.#resolvePipeline(new BrokenClient(reason), () => false);
    // Whatever results are on their way, the peer is to release what is in them: their Return will not be read.
    sendFinish(this.#state, this.id, true);
    this.#error = reason;
    this.#tell();
  }

  /** The connection is gone, and the table with it. */
  lost(error: Error): void {
    if (this.#status !== "waiting") return;
    this.#status = "returned";
    this.#resolvePipeline(new BrokenClient(error), () => false);
    this.#error = error;
    this.#tell();
  }
}
