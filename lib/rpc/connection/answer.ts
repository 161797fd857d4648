import { CapnpError } from "../../errors.ts";
import { CapTable } from "../../serialization/cap-table.ts";
import { copyPointer } from "../../serialization/copy.ts";
import { setCapability } from "../../serialization/pointer-builder.ts";
import { defaultNestingLimit } from "../../serialization/read-limiter.ts";
import { BrokenClient } from "../capability/broken-client.ts";
import type { Logger } from "../../logger.ts";
import type { CallContext, ResultsPlace } from "../capability/call-context.ts";
import type { ClientHook } from "../capability/client-hook.ts";
import { paramsReleased } from "../capability/local-call-context.ts";
import { Payload } from "../capability/payload.ts";
import { handOn } from "../capability/hand-on.ts";
import { type OwnedPipeline, type Pipeline, QueuedPipeline } from "../capability/pipeline.ts";
import type { OutgoingCall, PendingCall, PipelineCall } from "../capability/request.ts";
import { toError } from "../capability/thrown.ts";
import { messageForms, OutgoingMessage, setBit, setU32 } from "../wire.ts";
import type { ConnectionState } from "./connection-state.ts";
import { exportIds } from "./export.ts";
import type { AnswerId } from "./ids.ts";
import type { CallOutcomes, CallRecord } from "../observe.ts";
import { type BareReturn, sendBareReturn } from "./outgoing.ts";
import { KeptResults } from "./kept-results.ts";
import { describePayload, tooLarge } from "./outgoing-payload.ts";
import { PresetPipeline } from "./preset-pipeline.ts";
import type { Question } from "./question.ts";
import { type Outcome, RedirectedResults } from "./redirected-results.ts";

/** Also the place of the pointer to the results: `Payload.content` is the first of its pointers, and it has no data. */
const payloadAt = messageForms.results.part(0);

/** How the peer asked for its results. */
export interface AnswerOptions {
  /** `Call.sendResultsTo.yourself`. */
  readonly redirected?: boolean;
  /** `Call.onlyPromisePipeline`. */
  readonly pipelineOnly?: boolean;
  readonly caller?: object | undefined;
  /** Of the method; missing for a Bootstrap. */
  readonly interfaceId?: bigint;
  readonly methodId?: number;
  /** Size of the message that brought the call. */
  readonly bytes?: number;
}

/**
 * A row of the answer table: a call or bootstrap of the peer's, and the context of the method that serves it.
 *
 * State: running -> returned (Return sent; the row stays for calls pipelined on it until Finish comes) | canceled (the
 * method may still be at work, its outcome goes nowhere). Finish may come in any state; the row is gone then and the id is
 * the peer's again, so nothing is sent for it any more. It cancels a running call, unless capabilities of the results are
 * awaited all the same: the call goes on for them.
 *
 * A tail call to the peer itself returns at once, with `takeFromOtherQuestion`: the peer has the results. The row stays for
 * calls pipelined on them, which go where the tail call went, and Finish ends that call.
 *
 * Redirected results stay here until a Return of the peer's says which question of ours they answer; only then is the
 * call returned, as `resultsSentElsewhere`.
 */
export class Answer implements CallContext {
  readonly id: AnswerId;
  readonly caller: object | undefined;
  readonly #state: ConnectionState;
  readonly #pipelineOnly: boolean;
  #status: "running" | "returned" | "canceled" = "running";
  #started = false;
  completed = false;
  #finished = false;
  #params: Payload | undefined;
  /** Of the message with the params. */
  readonly #bytes: number;
  readonly #startTime: number;
  /** True while the call counts against `maxCalls`: until its method is done, also where it was canceled. */
  #isAtWork = true;
  #stopTimer: (() => void) | undefined;
  #message: OutgoingMessage | undefined;
  readonly #pipeline: QueuedPipeline;
  /** Where pipelined calls go once the results were sent. */
  #sentResults: Pipeline | undefined;
  /** What is left here until Finish; undefined where that is nothing. */
  #kept: KeptResults | undefined;
  /** The call that this one was passed on to, and whose outcome is its own. */
  #forwarded: PendingCall | undefined;
  /** Of a redirected call. */
  readonly #redirected: RedirectedResults | undefined;
  #cancelListeners: (() => void)[] | undefined;
  /** What the call is to those who watch; undefined where nobody does, or when they were told of its end. */
  #record: CallRecord | undefined;
  #hasEnded = false;
  readonly #interfaceId: bigint | undefined;
  readonly #methodId: number;

  constructor(state: ConnectionState, id: AnswerId, params: Payload | undefined, options: AnswerOptions = {}) {
    this.#state = state;
    this.id = id;
    this.#params = params;
    this.#bytes = options.bytes ?? 0;
    this.#startTime = state.startTime();
    this.#pipeline = new QueuedPipeline(state.pipelineRoom);
    state.calls++;
    state.paramBytes += this.#bytes;
    if (options.redirected === true) this.#redirected = new RedirectedResults();
    this.#pipelineOnly = options.pipelineOnly ?? false;
    this.caller = options.caller;
    this.#interfaceId = options.interfaceId;
    this.#methodId = options.methodId ?? 0;
    if (state.observer !== undefined && this.#interfaceId !== undefined) {
      this.#record = state.observer.started("server", this.#interfaceId, this.#methodId, id);
    }
  }

  get canceled(): boolean {
    return this.#status === "canceled";
  }

  get isRedirected(): boolean {
    return this.#redirected !== undefined;
  }

  /** True while no question of ours has been given the results of this redirected call. */
  get isUntaken(): boolean {
    return this.#redirected !== undefined && this.#redirected.taker === undefined;
  }

  get status(): string {
    return this.#status;
  }

  get isFinished(): boolean {
    return this.#finished;
  }

  /** Writes to the log with the fields of the connection and of this call; undefined where there is no log. */
  get logger(): Logger | undefined {
    if (this.#interfaceId === undefined) return undefined;
    return this.#state.observer?.logger(this.#interfaceId, this.#methodId, this.id);
  }

  /** Counts how the call ended and tells those who watch, once: whatever comes first. A Bootstrap is not counted. */
  #ended(outcome: keyof CallOutcomes, error?: Error): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const { outcomes, observer, callEnded } = this.#state;
    callEnded?.();
    if (this.#interfaceId === undefined) return;
    outcomes[outcome]++;
    if (observer === undefined) return;
    if (outcome !== "ok" && outcome !== "canceled" && error !== undefined) {
      observer.failed(this.#interfaceId, this.#methodId, this.id, error);
    }
    if (this.#record !== undefined) observer.ended(this.#record, error);
    this.#record = undefined;
  }

  /** What is wrong with it. */
  *check(): Generator<string> {
    const { tail, preset, built, described } = this.#kept ?? {};
    if (this.#status === "running" && tail !== undefined) yield "is running, and was passed on";
    if (this.#status === "returned" && this.#params !== undefined) yield "has returned and keeps its params";
    if (preset !== undefined && this.#status === "canceled") yield "was canceled and keeps its pipeline";
    if (built !== undefined && described === undefined) yield "keeps results that were not sent";
  }

  start(): boolean {
    this.#started = true;
    return !this.canceled;
  }

  get params(): Payload {
    if (this.#params === undefined) throw paramsReleased();
    return this.#params;
  }

  releaseParams(): void {
    if (this.#params === undefined) return;
    this.#state.paramBytes -= this.#bytes;
    this.#params.release();
    this.#params = undefined;
  }

  #leave(): void {
    if (!this.#isAtWork) return;
    this.#isAtWork = false;
    this.#state.calls--;
    this.#stopTimer?.();
  }

  /** Gives the call so many milliseconds; then it fails, whatever its method still does. */
  expireAfter(milliseconds: number): void {
    this.#stopTimer = this.#state.clock.after(milliseconds, () => this.#expire(milliseconds));
  }

  #expire(milliseconds: number): void {
    if (!this.#isAtWork || this.#status !== "running") return;
    const error = new CapnpError("CAPNP_TIMEOUT", `The call took more than ${milliseconds} ms (callTimeout).`);
    // Who sent it on is told of the end by the call that was sent on.
    if (this.#forwarded !== undefined) this.#forwarded.cancel(error);
    else this.threw(error);
    const listeners = this.#cancelListeners ?? [];
    this.#cancelListeners = undefined;
    for (const listener of listeners) listener();
  }

  get #keeping(): KeptResults {
    this.#kept ??= new KeptResults(this.#state);
    return this.#kept;
  }

  results(): ResultsPlace {
    this.#message ??= new OutgoingMessage(messageForms.results);
    return { segment: this.#message.builder.rootSegment, position: payloadAt };
  }

  #resultsPayload(): Payload {
    const { segment, position } = this.results();
    return new Payload(segment, position, defaultNestingLimit);
  }

  /** Answers a Bootstrap; takes over the reference. */
  returnCapability(hook: ClientHook): void {
    const { segment, position } = this.results();
    setCapability(segment, position, hook);
    this.returned();
  }

  setPipeline(pipeline: OwnedPipeline): void {
    if (this.#kept?.preset !== undefined || this.completed || this.#status !== "running") {
      pipeline.release();
      return;
    }
    this.#keeping.preset = pipeline;
    this.#pipeline.resolve(pipeline);
  }

  pipelined(path: readonly number[]): ClientHook {
    return (this.#sentResults ?? this.#pipeline).pipelined(path);
  }

  tailCall(call: OutgoingCall): void {
    const isFirst = this.#complete();
    if (!isFirst || this.#status !== "running") {
      call.discard();
      if (isFirst) this.#dropAll();
      return;
    }
    this.releaseParams();
    this.#dropResults();
    if (this.#pipelineOnly) {
      this.#passOn(call.sendForPipeline());
      return;
    }
    // What was pipelined may have gone where `setPipeline` said: only the Return can tell the peer whether that is the result.
    if (!this.#finished && !this.isRedirected && this.#kept?.preset === undefined) {
      const tail = call.sendRedirected(this.#state);
      if (tail !== null) {
        sendBareReturn(this.#state, this.id, { which: "takeFromOtherQuestion", question: tail.id });
        this.#passOn(tail);
        return;
      }
    }
    const pending = call.send();
    this.#forwarded = pending;
    this.#pipeline.resolve(pending);
    pending.onReturn({
      returned: (results) => {
        try {
          const { segment, position } = this.results();
          copyPointer(segment, position, results.segment, results.position, results.depth);
          this.#succeed();
        } catch (error) {
          this.#fail(error);
        }
        results.release();
      },
      threw: (error) => this.#fail(error),
    });
  }

  /** Nothing of the call is left here but the way to what is pipelined on its results. */
  #passOn(tail: PipelineCall): void {
    this.#status = "returned";
    this.#ended("ok");
    const kept = this.#keeping;
    kept.tail = tail;
    this.#sentResults = kept.preset ?? tail;
    this.#pipeline.resolve(tail);
    this.#state.atClose.delete(this);
    // It counts until the peer has finished it: calls that two vats pass to each other round and round end at `maxCalls`.
    if (!this.#finished) return;
    this.#leave();
    this.#releaseKept();
  }

  /** The peer does not know `takeFromOtherQuestion`: its call, which it has not given up, gets an exception instead. */
  tailCallRefused(): boolean {
    const tail = this.#kept?.tail;
    if (tail === undefined || this.#pipelineOnly) return false;
    const error = new CapnpError(
      "CAPNP_UNIMPLEMENTED",
      "The results of this call are at its caller, which does not implement takeFromOtherQuestion.",
    );
    this.#sentResults = new BrokenClient(error);
    sendBareReturn(this.#state, this.id, { which: "exception", error });
    tail.drop();
    this.#keeping.tail = undefined;
    return true;
  }

  returned(): void {
    if (!this.#complete()) return;
    handOn(this.#params, this.#message?.builder.arena);
    this.#succeed();
  }

  threw(thrown: unknown): void {
    if (this.#complete()) this.#fail(thrown);
  }

  /** The method is done. False where it was done before. */
  #complete(): boolean {
    if (this.completed) return false;
    this.completed = true;
    return true;
  }

  #succeed(): void {
    if (this.#state.isCrowded && this.#waits()) return;
    this.#leave();
    if (this.#status !== "running") this.#dropAll();
    else if (this.#redirected !== undefined) this.#keep(this.#redirected, { results: this.#resultsPayload() });
    else if (this.#finished || this.#pipelineOnly) this.#settleUnsent(this.#resultsPayload());
    else this.#send();
  }

  /** Puts off what is to be sent to a peer that has too much to read. Until then the call is at work, and may be canceled. */
  #waits(): boolean {
    if (this.#status !== "running" || this.#finished || this.#pipelineOnly || this.isRedirected) return false;
    const isWaiting = this.#state.waitingResults.add(this.#messageBytes, () => {
      try {
        this.#succeed();
      } catch (error) {
        this.#state.fail(error);
      }
    });
    if (isWaiting) this.releaseParams();
    return isWaiting;
  }

  #fail(thrown: unknown): void {
    this.#leave();
    const error = toError(thrown);
    this.#ended(error instanceof CapnpError ? error.kind : "failed", error);
    this.#dropResults();
    if (this.#status !== "running") this.#dropAll();
    else if (this.#redirected !== undefined) this.#keep(this.#redirected, { error });
    else {
      this.#status = "returned";
      // The row stays until Finish: calls pipelined on it are to fail with the same error.
      this.#return({ which: "exception", error });
      this.#sentResults = new BrokenClient(error);
      this.#pipeline.resolve(this.#sentResults);
      this.#kept?.releasePreset();
      this.#dropAll();
    }
  }

  /** Sends a Return without results, where one is still expected. */
  #return(outcome: BareReturn): void {
    if (!this.#finished && !this.#pipelineOnly) sendBareReturn(this.#state, this.id, outcome);
  }

  get #messageBytes(): number {
    return this.#message?.bytes ?? 0;
  }

  #dropResults(): void {
    const arena = this.#message?.builder.arena;
    if (arena?.hasCapTable) arena.capTable.release();
    this.#message = undefined;
  }

  #dropAll(): void {
    this.#leave();
    this.#state.atClose.delete(this);
    this.#dropResults();
    this.releaseParams();
  }

  /** The results are for nobody but calls that are pipelined on them. */
  #settleUnsent(results: Payload): void {
    this.#ended("ok");
    this.#status = "returned";
    this.#sentResults = results;
    this.#pipeline.resolve(results);
    if (this.#finished) {
      this.#dropAll();
      this.#kept?.releasePreset();
    } else {
      const kept = this.#keeping;
      kept.described = results.capTable;
      kept.count(this.#messageBytes);
      this.releaseParams();
    }
  }

  #send(): void {
    const state = this.#state;
    this.results();
    const message = this.#message as OutgoingMessage;
    const described = describePayload(state, message, payloadAt);
    if (described instanceof CapnpError) {
      this.#fail(described);
      return;
    }
    const { descriptors } = described;
    const { bytes } = message;
    const error = tooLarge(state, message, bytes, "results", described);
    if (error !== undefined) {
      this.#fail(error);
      return;
    }
    this.#status = "returned";
    this.#ended("ok");
    // Without capabilities nothing can be pipelined on the results, and nothing needs to be released: no Finish is needed.
    const noFinishNeeded = descriptors.length === 0;
    setU32(message.at, 0, this.id);
    setBit(message.at, 32);
    if (noFinishNeeded) setBit(message.at, 33);
    if (!noFinishNeeded) this.#keeping.exports = exportIds(descriptors);
    state.sendKept(message);
    for (const send of described.after) send();
    if (noFinishNeeded) {
      // Calls that are waiting end at null, or at what is no capability.
      this.#pipeline.resolve(this.#resultsPayload());
      // Who asks for a capability after this is told that the call is gone, and does not come here.
      message.done();
      this.#finished = true;
      this.#kept?.releasePreset();
      state.answers.delete(this.id);
    } else {
      // Calls pipelined from now on go to what the Return described, even if a promise in it has resolved further since.
      const frozen = new CapTable(described.described.map(({ hook }) => hook?.addRef() ?? null));
      const { arena } = message.builder;
      const built = arena.capTable;
      arena.capTable = frozen;
      const kept = this.#keeping;
      kept.described = frozen;
      kept.count(bytes);
      const sent = new Payload(message.builder.rootSegment, payloadAt, defaultNestingLimit);
      if (kept.preset === undefined) {
        this.#sentResults = sent;
        this.#pipeline.resolve(sent);
        built.release();
      } else {
        kept.built = built;
        this.#sentResults = new PresetPipeline(state, kept.preset, sent, built);
      }
    }
    this.releaseParams();
  }

  /** Results that are for a question of ours. */
  #keep(redirected: RedirectedResults, outcome: Outcome): void {
    this.#ended("ok");
    if ("results" in outcome) this.#keeping.count(this.#messageBytes);
    this.#sentResults = redirected.settle(outcome);
    this.#pipeline.resolve(this.#sentResults);
    this.#handOver(redirected);
    this.releaseParams();
  }

  /** A Return of the peer's named this call as the one whose results a question of ours is to take. */
  takenBy(question: Question): void {
    const redirected = this.#redirected;
    if (redirected === undefined) return;
    redirected.taker = question;
    this.#handOver(redirected);
  }

  #handOver(redirected: RedirectedResults): void {
    if (!redirected.isReady || this.#status !== "running") return;
    this.#status = "returned";
    this.#state.callEnded?.();
    this.#state.atClose.delete(this);
    this.#return({ which: "resultsSentElsewhere" });
    redirected.handOver();
    if (this.#finished) this.#releaseKept();
  }

  #releaseKept(): void {
    // Nobody can ask for a capability of the results any more.
    this.#message?.done();
    this.#kept?.release();
    this.#redirected?.release();
  }

  /** The peer sent Finish. */
  finished(releaseResultCaps: boolean, early: boolean): void {
    const state = this.#state;
    state.answers.delete(this.id);
    if (this.#status !== "running") {
      this.#finished = true;
      this.#leave();
      this.#releaseKept();
      // Last, because it throws where the peer has released them already.
      if (releaseResultCaps) this.#kept?.releaseExports();
      return;
    }
    // Results that were not sent are not sent any more: the peer's flag speaks of capabilities it may have received.
    this.#return({ which: this.isRedirected ? "resultsSentElsewhere" : "canceled" });
    this.#finished = true;
    if (this.#pipeline.isAwaited || this.#redirected?.taker?.isTaking) {
      state.atClose.add(this);
      return;
    }
    if (!state.takeCancel(this.#startTime)) {
      const { cancelBurst, cancelsPerSecond } = state.limits;
      const text = `The peer cancels too many calls: more than ${cancelBurst} at once (cancelBurst) and ${cancelsPerSecond} in a second (cancelsPerSecond).`;
      throw new CapnpError("CAPNP_LIMIT", text);
    }
    // Peers before C++ 0.11 finish calls that they want to be started all the same; such a call was delivered by now and
    // starts in a microtask that is queued before this one.
    if (early) queueMicrotask(() => this.#cancel());
    else this.#cancel();
  }

  #cancel(): void {
    if (this.#status !== "running") return;
    this.#status = "canceled";
    this.#state.atClose.delete(this);
    const error = new CapnpError("CAPNP_CANCELED", "The call was canceled by its caller.");
    this.#ended("canceled", error);
    this.#forwarded?.cancel(error);
    this.#sentResults = new BrokenClient(error);
    this.#pipeline.resolve(this.#sentResults);
    this.#releaseKept();
    if (!this.#started) {
      this.releaseParams();
      // It will not start any more. One that was passed on is at work until it is given up.
      if (this.#forwarded === undefined) this.#leave();
    }
    this.#redirected?.taker?.takenThrew(error);
    for (const listener of this.#cancelListeners ?? []) listener();
    this.#cancelListeners = undefined;
  }

  /** The question of ours that these results were for was canceled: nobody will take them. */
  abandoned(): void {
    const redirected = this.#redirected;
    if (redirected === undefined || this.#status !== "running") return;
    redirected.isAbandoned = true;
    if (redirected.isThere || this.#pipeline.isAwaited) this.#handOver(redirected);
    else {
      this.#return({ which: "resultsSentElsewhere" });
      this.#cancel();
    }
  }

  /** The connection is gone, and the table with it. */
  lost(): void {
    this.#finished = true;
    this.#cancel();
    this.#releaseKept();
  }

  onCanceled(listener: () => void): void {
    if (this.canceled) listener();
    else {
      this.#cancelListeners ??= [];
      this.#cancelListeners.push(listener);
    }
  }
}
