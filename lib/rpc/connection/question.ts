import { BrokenClient } from "../capability/broken-client.ts";
import { ByPath } from "../capability/by-path.ts";
import { type ClientHook, innermost } from "../capability/client-hook.ts";
import type { Payload } from "../capability/payload.ts";
import type { Pipeline } from "../capability/pipeline.ts";
import type { PendingCall, RedirectedCall, ReturnListener } from "../capability/request.ts";
import type { ReceivedCapTable } from "./cap-descriptor.ts";
import type { ConnectionState } from "./connection-state.ts";
import { isPipelineId, type QuestionId } from "./ids.ts";
import { sendFinish } from "./outgoing.ts";
import type { CallRecord } from "../observe.ts";
import { closedPipeline } from "./closed-pipeline.ts";
import { ImportClient } from "./import-client.ts";
import { PipelineClient } from "./pipeline-client.ts";
import { PromiseClient } from "./promise-client.ts";

/**
 * Who gets the results of a question: the one who asked; the callee, which keeps them until a Return of ours names them
 * (`Call.sendResultsTo.yourself`); or nobody, because only what is pipelined on them matters (`Call.onlyPromisePipeline`).
 */
export type ResultsFor = "caller" | "callee" | "pipeline";

/**
 * A row of the question table: a call or bootstrap of ours.
 *
 * State: waiting -> returned (Return came; Finish is sent with it) | canceled (Finish was sent; the row stays until Return
 * comes, because only then is the id free in both directions) | lost (the connection is over). Between waiting and
 * returned lies taking, where Return said that the results are those of a call here, which is not done yet: our Finish
 * would make the peer give that call up.
 *
 * While the promises of the results resolve, a question is returning (or canceled already): what hears of them may end another
 * connection, and give up this very call in consequence. It is too late for that then.
 *
 * Finish also waits for pipeline clients that the peer knows of: what we described as a capability in the results stays
 * one, though it is resolved here, until nobody sends anything there any more (the Tribble 4-way race; rpc.capnp,
 * Disembargo), or until that has turned out to be something that the peer hosts.
 *
 * A question whose results are not for the caller has an owner instead of a listener, and stays open until the owner drops
 * it and no pipeline client is left: waiting -> dropped (Finish is sent, as for one that is canceled) | returned (as
 * `resultsSentElsewhere`) -> dropped (Finish is sent, the row is gone). One for the pipeline only stays waiting: its row goes
 * with Finish, and a Return that comes all the same is not read.
 *
 * The listener is told once, whichever comes first.
 */
export class Question implements PendingCall, RedirectedCall {
  readonly id: QuestionId;
  readonly resultsFor: ResultsFor;
  readonly #state: ConnectionState;
  /** Exports that the params counted: given back if the Return says so, or if the peer never understood the call. */
  paramExports: readonly number[] = [];
  #status: "waiting" | "taking" | "returning" | "returned" | "canceled" = "waiting";
  #listener: ReturnListener | undefined;
  #results: Payload | undefined;
  #error: Error | undefined;
  /** Where capabilities of the results are found once they are known. */
  #resolved: Pipeline | undefined;
  /** Capabilities of the results that were asked for before the results were there. */
  #promises: ByPath<PromiseClient> | undefined;
  #pipelineClients = 0;
  /** What the call is to those who watch; undefined where nobody does, or when they were told of its end. */
  record: CallRecord | undefined;
  #isOpen = true;
  #isDropped = false;

  constructor(state: ConnectionState, id: QuestionId, resultsFor: ResultsFor) {
    this.#state = state;
    this.id = id;
    this.resultsFor = resultsFor;
  }

  /** True where the peer was told that no Return is needed. */
  get isUnreturned(): boolean {
    return isPipelineId(this.id);
  }

  /** Tells those who watch of the end of the call, once: whatever comes first. */
  #ended(error?: Error): void {
    if (this.record === undefined) return;
    this.#state.observer?.ended(this.record, error);
    this.record = undefined;
  }

  /** How many pipeline clients there are. */
  get pipelineClients(): number {
    return this.#pipelineClients;
  }

  get status(): string {
    return this.#isDropped && this.#isOpen ? "dropped" : this.#status;
  }

  get isCanceled(): boolean {
    return this.#status === "canceled";
  }

  /** True once the peer has said what became of this. Its row may stay, for the Finish that is yet to be sent. */
  get isReturned(): boolean {
    return this.#status !== "waiting" && this.#status !== "canceled";
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
    // What was asked for before may wait for a Disembargo, and who asks for it again must wait, too.
    const known = this.#promises?.get(path);
    if (known !== undefined) return known.addRef();
    if (this.#resolved !== undefined) return this.#resolved.pipelined(path);
    this.#promises ??= new ByPath();
    this.#pipelineClients++;
    // A question with another owner forgets its promises when that drops it, also while they are pending.
    const isHeld = this.resultsFor === "caller";
    const promise = new PromiseClient(this.#state, new PipelineClient(this.#state, this, path), isHeld);
    this.#promises.add(path, promise);
    return promise.addRef();
  }

  /** A pipeline client has lost its last reference. */
  pipelineClientGone(): void {
    this.#pipelineClients--;
    if (this.#status === "returned" || this.#isDropped) this.#close();
  }

  onReturn(listener: ReturnListener): void {
    this.#listener = listener;
    this.#tell();
  }

  #tell(): void {
    const listener = this.#listener;
    if (listener === undefined) {
      if (this.#isDropped) this.#releaseResults();
      return;
    }
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
    this.#status = "returning";
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

  /** The peer keeps the results, as it was asked to. */
  sentElsewhere(noFinishNeeded: boolean): void {
    this.#status = "returned";
    this.#ended();
    if (!noFinishNeeded) {
      this.#close();
      return;
    }
    this.#resolvePipeline(new BrokenClient(closedPipeline()), () => false);
    this.#releasePromises();
    this.#delete();
  }

  threw(error: Error, noFinishNeeded: boolean): void {
    this.#ended(error);
    this.#status = "returning";
    this.#resolvePipeline(new BrokenClient(error), () => false);
    this.#finish(noFinishNeeded);
    this.#error = error;
    this.#tell();
  }

  /** What was redirected by `takeFrom` failed after all. */
  takenThrew(error: Error): void {
    if (this.#status !== "taking") return;
    this.#resolved = new BrokenClient(error);
    this.#ended(error);
    this.#finish(false);
    this.#error = error;
    this.#tell();
  }

  #resolvePipeline(pipeline: Pipeline, isReflected: (hook: ClientHook) => boolean): void {
    if (this.#resolved !== undefined) return;
    this.#resolved = pipeline;
    for (const { path, value: promise } of this.#promises?.entries() ?? []) {
      const hook = pipeline.pipelined(path);
      const reflected = isReflected(hook);
      if (!reflected) this.#settle(promise.initial as PipelineClient, hook);
      promise.resolve(hook, reflected);
    }
  }

  /** What the peer was told of a place in the results needs these no longer, where the peer hosts what is there. */
  #settle(place: PipelineClient, at: ClientHook): void {
    if (place.isShared && at instanceof ImportClient && at.state === this.#state) place.settle(at.addRef());
  }

  /**
   * Where calls on a capability in the results wait for older ones, those who read it out of the results wait, too. One
   * capability may be at several places, of which some wait and some do not: what matters is the place.
   */
  #embargo(results: Payload, table: ReceivedCapTable): void {
    if (this.#promises === undefined) return;
    const embargoed: { readonly index: number; readonly promise: PromiseClient }[] = [];
    for (const { path, value: promise } of this.#promises.entries()) {
      const index = indexIn(results, path);
      const hook = index < 0 || index >= table.length ? null : (table.get(index) as ClientHook | null);
      if (hook !== null && innermost(hook) !== innermost(promise)) embargoed.push({ index, promise });
    }
    for (const { index, promise } of embargoed) table.embargo(index, promise);
  }

  #releasePromises(): void {
    for (const { value } of this.#promises?.entries() ?? []) value.release();
    this.#promises = undefined;
  }

  #finish(noFinishNeeded: boolean): void {
    this.#status = "returned";
    this.#ended();
    this.#releasePromises();
    // What needs no Finish is gone at the peer already.
    if (noFinishNeeded) this.#delete();
    else this.#close();
  }

  #close(): void {
    if (this.#pipelineClients > 0 || !this.#isOpen) return;
    if (this.#status === "returned") {
      if (this.resultsFor === "callee" && !this.#isDropped) return;
      this.#delete();
      sendFinish(this.#state, this.id, false);
    } else if (this.#status === "waiting") this.#giveUp();
  }

  /** Finish before Return: whatever results are on their way, the peer is to release what is in them, for nobody reads it. */
  #giveUp(): void {
    this.#status = "canceled";
    this.#ended();
    this.#isOpen = false;
    if (this.isUnreturned) this.#state.pipelineQuestions.delete(this.id);
    sendFinish(this.#state, this.id, true);
  }

  #delete(): void {
    this.#isOpen = false;
    if (this.isUnreturned) this.#state.pipelineQuestions.delete(this.id);
    else this.#state.questions.delete(this.id);
  }

  #releaseResults(): void {
    this.#results?.release();
    this.#results = undefined;
  }

  drop(): void {
    if (this.#isDropped) return;
    this.#isDropped = true;
    this.#releaseResults();
    this.#releasePromises();
    this.#close();
  }

  cancel(reason: Error): void {
    if (this.#status === "taking" || this.#status === "waiting") this.#ended(reason);
    if (this.#status === "taking") {
      // The Return is here: nothing is left to wait for. The peer will cancel the call that was to bring the results.
      this.#resolved = new BrokenClient(reason);
      this.#finish(false);
    } else if (this.#status === "waiting") {
      this.#status = "canceled";
      this.#isOpen = false;
      this.#resolvePipeline(new BrokenClient(reason), () => false);
      this.#releasePromises();
      this.#giveUp();
    } else return;
    this.#error = reason;
    this.#tell();
  }

  /** The connection is gone, and the table with it. */
  lost(error: Error): void {
    this.#isOpen = false;
    if (this.#status !== "waiting" && this.#status !== "taking") return;
    this.#status = "returned";
    this.#ended(error);
    this.#resolvePipeline(new BrokenClient(error), () => false);
    this.#releasePromises();
    this.#error = error;
    this.#tell();
  }
}

/** Where a capability is in the table of results; -1 where there is none, or no way to it. */
const indexIn = (results: Payload, path: readonly number[]): number => {
  try {
    return results.indexOf(path);
  } catch {
    // Whoever asks for it there is told: it is broken.
    return -1;
  }
};

/** Opens a question. A peer that answers what needs no answer is asked as if the pipeline were not all that matters. */
export const openQuestion = (state: ConnectionState, resultsFor: ResultsFor): Question => {
  if (resultsFor !== "pipeline" || state.returnsForPipelines) {
    return state.questions.add((id) => new Question(state, id, resultsFor));
  }
  const id = state.nextPipelineId();
  const question = new Question(state, id, resultsFor);
  state.pipelineQuestions.set(id, question);
  return question;
};
