import { CapnpError } from "../../errors.ts";
import { CapTable } from "../../serialization/cap-table.ts";
import { copyPointer } from "../../serialization/copy.ts";
import { MessageBuilder } from "../../serialization/message.ts";
import { setCapability } from "../../serialization/pointer-builder.ts";
import { defaultNestingLimit } from "../../serialization/read-limiter.ts";
import { pointerPosition, type Struct } from "../../serialization/struct.ts";
import { BrokenClient } from "../capability/broken-client.ts";
import type { CallContext, ResultsPlace } from "../capability/call-context.ts";
import type { ClientHook } from "../capability/client-hook.ts";
import { paramsReleased } from "../capability/local-call-context.ts";
import { Payload } from "../capability/payload.ts";
import { type Pipeline, QueuedPipeline } from "../capability/pipeline.ts";
import type { OutgoingCall, PendingCall } from "../capability/request.ts";
import { toError } from "../capability/thrown.ts";
import { initChild, messageTag, OutgoingMessage, setBit, setU32, writeCapTable } from "../wire.ts";
import { ReceivedCapTable } from "./cap-descriptor.ts";
import type { ConnectionState } from "./connection-state.ts";
import { type AfterSend, describe, exportIds, releaseExport } from "./export.ts";
import type { AnswerId } from "./ids.ts";
import { type BareReturn, sendBareReturn } from "./outgoing.ts";
import type { Question } from "./question.ts";

type Outcome = { readonly results: Payload } | { readonly error: Error };

/** How the peer asked for its results. */
export interface AnswerOptions {
  /** `Call.sendResultsTo.yourself`. */
  readonly redirected?: boolean;
  /** `Call.onlyPromisePipeline`. */
  readonly pipelineOnly?: boolean;
  readonly caller?: object | undefined;
}

/**
 * A row of the answer table: a call or bootstrap of the peer's, and the context of the method that serves it.
 *
 * State: running -> returned (Return sent; the row stays for calls pipelined on it until Finish comes) | canceled (the
 * method may still be at work, its outcome goes nowhere). Finish may come in any state; the row is gone then and the id is
 * the peer's again, so nothing is sent for it any more. It cancels a running call, unless capabilities of the results are
 * awaited all the same: the call goes on for them.
 *
 * Redirected results stay here until a Return of the peer's says which question of ours they answer; only then is the
 * call returned, as `resultsSentElsewhere`.
 */
export class Answer implements CallContext {
  readonly id: AnswerId;
  readonly caller: object | undefined;
  readonly isRedirected: boolean;
  readonly #state: ConnectionState;
  readonly #pipelineOnly: boolean;
  #status: "running" | "returned" | "canceled" = "running";
  #started = false;
  completed = false;
  #finished = false;
  /** True where the question that was to take the results was canceled. */
  #abandoned = false;
  #params: Payload | undefined;
  #message: OutgoingMessage | undefined;
  #payload: Struct | undefined;
  readonly #pipeline = new QueuedPipeline();
  /** Where pipelined calls go once the results were sent. */
  #sentResults: Pipeline | undefined;
  #resultExports: readonly number[] = [];
  /** What capabilities the Return described: calls pipelined later go there. */
  #frozen: CapTable | undefined;
  #forwarded: PendingCall | undefined;
  /** Of a redirected call. */
  #outcome: Outcome | undefined;
  #taker: Question | undefined;
  #cancelListeners: (() => void)[] | undefined;

  constructor(state: ConnectionState, id: AnswerId, params: Payload | undefined, options: AnswerOptions = {}) {
    this.#state = state;
    this.id = id;
    this.#params = params;
    this.isRedirected = options.redirected ?? false;
    this.#pipelineOnly = options.pipelineOnly ?? false;
    this.caller = options.caller;
  }

  get canceled(): boolean {
    return this.#status === "canceled";
  }

  /** True while no question of ours has been given the results of this redirected call. */
  get isUntaken(): boolean {
    return this.isRedirected && this.#taker === undefined;
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
    this.#params?.release();
    this.#params = undefined;
  }

  results(): ResultsPlace {
    if (this.#payload === undefined) {
      this.#message = new OutgoingMessage(messageTag.return, "return", 128);
      this.#payload = initChild(this.#message.at, 0, "payload");
    }
    return { segment: this.#payload._segment, position: pointerPosition(this.#payload, 0) };
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

  setPipeline(payload: Payload): void {
    this.#pipeline.preset(payload);
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

  returned(): void {
    if (this.#complete()) this.#succeed();
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
    if (this.#status !== "running") this.#dropAll();
    else if (this.isRedirected) this.#keep({ results: this.#resultsPayload() });
    else if (this.#finished || this.#pipelineOnly) this.#settleUnsent(this.#resultsPayload());
    else this.#send();
  }

  #fail(thrown: unknown): void {
    const error = toError(thrown);
    this.#dropResults();
    if (this.#status !== "running") this.#dropAll();
    else if (this.isRedirected) this.#keep({ error });
    else {
      this.#status = "returned";
      // The row stays until Finish: calls pipelined on it are to fail with the same error.
      this.#return({ which: "exception", error });
      this.#pipeline.resolve(new BrokenClient(error));
      this.#dropAll();
    }
  }

  /** Sends a Return without results, where one is still expected. */
  #return(outcome: BareReturn): void {
    if (!this.#finished && !this.#pipelineOnly) sendBareReturn(this.#state, this.id, outcome);
  }

  #dropResults(): void {
    const arena = this.#message?.builder.arena;
    if (arena?.hasCapTable) arena.capTable.release();
    this.#message = undefined;
    this.#payload = undefined;
  }

  #dropAll(): void {
    this.#state.atClose.delete(this);
    this.#dropResults();
    this.releaseParams();
  }

  /** The results are for nobody but calls that are pipelined on them. */
  #settleUnsent(results: Payload): void {
    this.#status = "returned";
    this.#pipeline.resolve(results);
    if (this.#finished) this.#dropAll();
    else {
      this.#frozen = results.capTable;
      this.releaseParams();
    }
  }

  #send(): void {
    const state = this.#state;
    this.results();
    const message = this.#message as OutgoingMessage;
    const payload = this.#payload as Struct;
    const { arena } = message.builder;
    const after: AfterSend = [];
    const entries = arena.hasCapTable ? (arena.capTable.entries() as readonly (ClientHook | null)[]) : [];
    const described = entries.map((entry) => describe(state, entry, after));
    const descriptors = described.map((d) => d.descriptor);
    writeCapTable(payload, descriptors);
    const { segments } = message;
    let bytes = 0;
    for (const segment of segments) bytes += segment.length;
    if (bytes > state.limits.maxMessageBytes) {
      for (const id of exportIds(descriptors)) releaseExport(state, id, 1);
      this.#fail(
        new CapnpError(
          "CAPNP_FRAME_TOO_LARGE",
          `The results of this call make a message of ${bytes} bytes; the limit is ${state.limits.maxMessageBytes} (maxMessageBytes).`,
        ),
      );
      return;
    }
    this.#status = "returned";
    // Without capabilities nothing can be pipelined on the results, and nothing needs to be released: no Finish is needed.
    const noFinishNeeded = descriptors.length === 0;
    setU32(message.at, 0, this.id);
    setBit(message.at, 32);
    if (noFinishNeeded) setBit(message.at, 33);
    this.#resultExports = exportIds(descriptors);
    state.sendSegments(segments);
    for (const send of after) send();
    if (noFinishNeeded) {
      // Calls that are waiting end at null, or at what is no capability.
      this.#pipeline.resolve(this.#resultsPayload());
      this.#finished = true;
      state.answers.delete(this.id);
    } else {
      // Calls pipelined from now on go to what the Return described, even if a promise in it has resolved further since.
      const frozen = new CapTable(described.map(({ hook }) => hook?.addRef() ?? null));
      const built = arena.capTable;
      arena.capTable = frozen;
      this.#frozen = frozen;
      this.#sentResults = new Payload(payload._segment, pointerPosition(payload, 0), defaultNestingLimit);
      this.#pipeline.resolve(this.#sentResults);
      built.release();
    }
    this.releaseParams();
  }

  /** Results that are for a question of ours. */
  #keep(outcome: Outcome): void {
    this.#outcome = outcome;
    this.#pipeline.resolve("results" in outcome ? outcome.results : new BrokenClient(outcome.error));
    this.#handOver();
    this.releaseParams();
  }

  /** A Return of the peer's named this call as the one whose results a question of ours is to take. */
  takenBy(question: Question): void {
    this.#taker = question;
    this.#handOver();
  }

  #handOver(): void {
    const taker = this.#taker;
    const outcome = this.#outcome;
    if (outcome === undefined || this.#status !== "running" || (taker === undefined && !this.#abandoned)) return;
    this.#status = "returned";
    this.#state.atClose.delete(this);
    this.#return({ which: "resultsSentElsewhere" });
    if ("error" in outcome) taker?.takenThrew(outcome.error);
    // The taker gets a copy: its owner may release it while calls pipelined on this one are still on their way.
    else taker?.taken(copyOf(outcome.results));
    if (this.#finished) this.#releaseKept();
  }

  #releaseKept(): void {
    this.#frozen?.release();
    if (this.#outcome !== undefined && "results" in this.#outcome) this.#outcome.results.release();
  }

  /** The peer sent Finish. */
  finished(releaseResultCaps: boolean, early: boolean): void {
    const state = this.#state;
    state.answers.delete(this.id);
    if (this.#status !== "running") {
      this.#finished = true;
      this.#releaseKept();
      // Last, because it throws where the peer has released them already.
      if (releaseResultCaps) for (const id of this.#resultExports) releaseExport(state, id, 1);
      return;
    }
    // Results that were not sent are not sent any more: the peer's flag speaks of capabilities it may have received.
    this.#return({ which: this.isRedirected ? "resultsSentElsewhere" : "canceled" });
    this.#finished = true;
    if (this.#pipeline.isAwaited || this.#taker?.isTaking) state.atClose.add(this);
    // Peers before C++ 0.11 finish calls that they want to be started all the same; such a call was delivered by now and
    // starts in a microtask that is queued before this one.
    else if (early) queueMicrotask(() => this.#cancel());
    else this.#cancel();
  }

  #cancel(): void {
    if (this.#status !== "running") return;
    this.#status = "canceled";
    this.#state.atClose.delete(this);
    const error = new CapnpError("CAPNP_CANCELED", "The call was canceled by its caller.");
    this.#forwarded?.cancel(error);
    this.#pipeline.resolve(new BrokenClient(error));
    this.#releaseKept();
    if (!this.#started) this.releaseParams();
    this.#taker?.takenThrew(error);
    for (const listener of this.#cancelListeners ?? []) listener();
    this.#cancelListeners = undefined;
  }

  /** The question of ours that these results were for was canceled: nobody will take them. */
  abandoned(): void {
    if (this.#status !== "running") return;
    this.#abandoned = true;
    if (this.#outcome !== undefined || this.#pipeline.isAwaited) this.#handOver();
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

const copyOf = ({ segment, position }: Payload): Payload => {
  const copy = new MessageBuilder();
  copy.arena.capTable = new ReceivedCapTable();
  // What is copied was built here, and is a tree: no depth is too deep.
  copy.copyRoot(segment, position, Number.POSITIVE_INFINITY);
  return new Payload(copy.rootSegment, 0, defaultNestingLimit);
};

/** What a call gets that is pipelined on an answer which holds no capability, or is not there any more. */
export const closedPipeline = (): CapnpError =>
  new CapnpError("CAPNP_CALL", "Pipeline call on a request that returned no capabilities or was already closed.");
