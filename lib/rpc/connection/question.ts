import { BrokenClient } from "../capability/broken-client.ts";
import { type ClientHook, innermost } from "../capability/client-hook.ts";
import type { Payload } from "../capability/payload.ts";
import type { Pipeline } from "../capability/pipeline.ts";
import type { PendingCall, ReturnListener } from "../capability/request.ts";
import type { ReceivedCapTable } from "./cap-descriptor.ts";
import type { ConnectionState } from "./connection-state.ts";
import type { QuestionId } from "./ids.ts";
import { sendFinish } from "./outgoing.ts";
import { PipelineClient } from "./pipeline-client.ts";
import { PromiseClient } from "./promise-client.ts";

/**
 * A row of the question table: a call or bootstrap of ours.
 *
 * State: waiting -> returned (Return came; Finish is sent with it) | canceled (Finish was sent; the row stays until Return
 * comes, because only then is the id free in both directions) | lost (the connection is over). Between waiting and
 * returned lies taking, where Return said that the results are those of a call here, which is not done yet: our Finish
 * would make the peer give that call up.
 *
 * Finish also waits for pipeline clients that the peer knows of: what we described as a capability in the results stays
 * one, though it is resolved here, until nobody sends anything there any more (the Tribble 4-way race; rpc.capnp,
 * Disembargo).
 *
 * The listener is told once, whichever comes first.
 */
export class Question implements PendingCall {
  readonly id: QuestionId;
  readonly #state: ConnectionState;
  /** Exports that the params counted: given back if the Return says so, or if the peer never understood the call. */
  paramExports: readonly number[] = [];
  #status: "waiting" | "taking" | "returned" | "canceled" = "waiting";
  #listener: ReturnListener | undefined;
  #results: Payload | undefined;
  #error: Error | undefined;
  /** Where capabilities of the results are found once they are known. */
  #resolved: Pipeline | undefined;
  /** Capabilities of the results that were asked for before the results were there. */
  #promises: Map<string, { readonly path: readonly number[]; readonly promise: PromiseClient }> | undefined;
  #pipelineClients = 0;
  #isOpen = true;

  constructor(state: ConnectionState, id: QuestionId) {
    this.#state = state;
    this.id = id;
  }

  get isCanceled(): boolean {
    return this.#status === "canceled";
  }

  /** True while the results of a call here are awaited as the results of this one. */
  get isTaking(): boolean {
    return this.#status === "taking";
  }

  /** True while the peer knows what this id means: until Finish is sent, or needs not be. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  pipelined(path: readonly number[]): ClientHook {
    if (this.#resolved !== undefined) return this.#resolved.pipelined(path);
    this.#promises ??= new Map();
    const key = path.join();
    const known = this.#promises.get(key);
    if (known !== undefined) return known.promise.addRef();
    this.#pipelineClients++;
    const promise = new PromiseClient(this.#state, new PipelineClient(this.#state, this, path));
    this.#promises.set(key, { path, promise });
    return promise.addRef();
  }

  /** A pipeline client has lost its last reference. */
  pipelineClientGone(): void {
    this.#pipelineClients--;
    if (this.#status === "returned") this.#close();
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
  returned(results: Payload, table: ReceivedCapTable, noFinishNeeded: boolean): void {
    this.#resolvePipeline(results, (hook) => table.isReflected(hook));
    this.#embargo(results, table);
    this.#finish(noFinishNeeded);
    this.#results = results;
    this.#tell();
  }

  /** The results are where the peer sent our own call on to: a call here that keeps its results for us. */
  takeFrom(results: Pipeline): void {
    this.#status = "taking";
    this.#resolvePipeline(results, () => true);
  }

  /** The results that `takeFrom` announced. */
  taken(results: Payload): void {
    if (this.#status !== "taking") {
      results.release();
      return;
    }
    this.#resolved = results;
    this.#embargo(results, results.capTable as ReceivedCapTable);
    this.#finish(false);
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
    if (this.#status !== "taking") return;
    this.#resolved = new BrokenClient(error);
    this.#finish(false);
    this.#error = error;
    this.#tell();
  }

  #resolvePipeline(pipeline: Pipeline, isReflected: (hook: ClientHook) => boolean): void {
    if (this.#resolved !== undefined) return;
    this.#resolved = pipeline;
    for (const { path, promise } of this.#promises?.values() ?? []) {
      const hook = pipeline.pipelined(path);
      promise.resolve(hook, isReflected(hook));
    }
  }

  /** Where calls on a capability in the results wait for older ones, those who read it out of the results wait, too. */
  #embargo(results: Payload, table: ReceivedCapTable): void {
    for (const { path, promise } of this.#promises?.values() ?? []) {
      const hook = results.pipelined(path);
      if (innermost(hook) !== innermost(promise)) table.embargo(hook, promise);
      hook.release();
    }
  }

  #releasePromises(): void {
    for (const { promise } of this.#promises?.values() ?? []) promise.release();
    this.#promises = undefined;
  }

  #finish(noFinishNeeded: boolean): void {
    this.#status = "returned";
    this.#releasePromises();
    // What needs no Finish is gone at the peer already.
    if (noFinishNeeded) this.#delete();
    else this.#close();
  }

  #close(): void {
    if (this.#pipelineClients > 0 || !this.#isOpen) return;
    this.#delete();
    sendFinish(this.#state, this.id, false);
  }

  #delete(): void {
    this.#isOpen = false;
    this.#state.questions.delete(this.id);
  }

  cancel(reason: Error): void {
    if (this.#status === "taking") {
      // The Return is here: nothing is left to wait for. The peer will cancel the call that was to bring the results.
      this.#resolved = new BrokenClient(reason);
      this.#finish(false);
    } else if (this.#status === "waiting") {
      this.#status = "canceled";
      this.#isOpen = false;
      this.#resolvePipeline(new BrokenClient(reason), () => false);
      this.#releasePromises();
      // Whatever results are on their way, the peer is to release what is in them: their Return will not be read.
      sendFinish(this.#state, this.id, true);
    } else return;
    this.#error = reason;
    this.#tell();
  }

  /** The connection is gone, and the table with it. */
  lost(error: Error): void {
    this.#isOpen = false;
    if (this.#status !== "waiting" && this.#status !== "taking") return;
    this.#status = "returned";
    this.#resolvePipeline(new BrokenClient(error), () => false);
    this.#releasePromises();
    this.#error = error;
    this.#tell();
  }
}
