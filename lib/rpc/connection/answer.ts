import { CapnpError } from "../../errors.ts";
import { CapTable } from "../../serialization/cap-table.ts";
import { setCapability } from "../../serialization/pointer-builder.ts";
import { defaultNestingLimit } from "../../serialization/read-limiter.ts";
import { pointerPosition, type Struct } from "../../serialization/struct.ts";
import { BrokenClient } from "../capability/broken-client.ts";
import type { CallContext, ResultsPlace } from "../capability/call-context.ts";
import type { ClientHook } from "../capability/client-hook.ts";
import { paramsReleased, toError } from "../capability/local-call-context.ts";
import { Payload } from "../capability/payload.ts";
import { type Pipeline, QueuedPipeline } from "../capability/pipeline.ts";
import type { OutgoingCall, PendingCall } from "../capability/request.ts";
import { copyPointer } from "../../serialization/copy.ts";
import { initChild, messageTag, OutgoingMessage, setBit, setU32, writeCapTable } from "../wire.ts";
import type { ConnectionState } from "./connection-state.ts";
import { type AfterSend, describe, exportIds, releaseExport } from "./export.ts";
import type { AnswerId } from "./ids.ts";
import { sendBareReturn } from "./outgoing.ts";
import type { Question } from "./question.ts";

type Outcome = { readonly results: Payload } | { readonly error: Error };

/**
 * A row of the answer table: a call or bootstrap of the peer's, and the context of the method that serves it.
 *
 * State: running -> returned (Return sent; the row stays for calls pipelined on it until Finish comes) | canceled (Finish
 * came first: Return.canceled is sent, the row is gone, the method may still be at work) | lost (the connection is over).
 *
 * With `redirected` (`sendResultsTo.yourself`) the results stay here until a Return of the peer's says which question of
 * ours they answer; only then is the call returned, as `resultsSentElsewhere`.
 */
export class Answer implements CallContext {
  readonly id: AnswerId;
  readonly caller: object | undefined;
  readonly #state: ConnectionState;
  readonly #redirected: boolean;
  #status: "running" | "returned" | "canceled" = "running";
  /** True from Finish on: the id belongs to the peer again, and nothing may be sent for it any more. */
  #finished = false;
  /** True where Finish came early, and capabilities of the results are awaited all the same: the call goes on for them. */
  #detached = false;
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
  #outcome: Outcome | undefined;
  #taker: Question | undefined;
  #cancelListeners: (() => void)[] | undefined;

  constructor(state: ConnectionState, id: AnswerId, params: Payload | undefined, redirected: boolean, caller?: object) {
    this.#state = state;
    this.id = id;
    this.#params = params;
    this.#redirected = redirected;
    this.caller = caller;
  }

  get canceled(): boolean {
    return this.#status === "canceled";
  }

  get isRedirected(): boolean {
    return this.#redirected;
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
    const payload = this.#results();
    return { segment: payload._segment, position: pointerPosition(payload, 0) };
  }

  #results(): Struct {
    if (this.#payload === undefined) {
      this.#message = new OutgoingMessage(messageTag.return, "return", 128);
      this.#payload = initChild(this.#message.at, 0, "payload");
    }
    return this.#payload;
  }

  /** Answers a Bootstrap; takes over the reference. */
  returnCapability(hook: ClientHook): void {
    const { segment, position } = this.results();
    setCapability(segment, position, hook);
    this.returned();
  }

  setPipeline(pipeline: Pipeline): void {
    this.#pipeline.resolve(pipeline);
  }

  pipelined(path: readonly number[]): ClientHook {
    return (this.#sentResults ?? this.#pipeline).pipelined(path);
  }

  get #isOpen(): boolean {
    return this.#status === "running" && !this.#finished;
  }

  /** The end of a call that went on for its pipeline only. */
  #completeDetached(pipeline: Pipeline): void {
    if (!this.#detached) return;
    this.#detached = false;
    this.#status = "returned";
    this.#pipeline.resolve(pipeline);
  }

  tailCall(call: OutgoingCall): void {
    if (!this.#isOpen && !this.#detached) {
      call.discard();
      return;
    }
    this.releaseParams();
    this.#dropResults();
    const pending = call.send();
    this.#forwarded = pending;
    this.#pipeline.resolve(pending);
    pending.onReturn({
      returned: (results) => {
        if (this.#isOpen) {
          try {
            const { segment, position } = this.results();
            copyPointer(segment, position, results.segment, results.position, results.depth);
            this.returned();
          } catch (error) {
            this.threw(error);
          }
        } else this.#completeDetached(results);
        results.release();
      },
      threw: (error) => this.threw(error),
    });
  }

  #dropResults(): void {
    this.#message?.builder.capTable.release();
    this.#message = undefined;
    this.#payload = undefined;
  }

  returned(): void {
    if (!this.#isOpen) {
      const { segment, position } = this.results();
      this.#completeDetached(new Payload(segment, position, defaultNestingLimit));
      this.#dropResults();
      this.releaseParams();
      return;
    }
    const payload = this.#results();
    if (this.#redirected) {
      const { segment, position } = this.results();
      this.#keep({ results: new Payload(segment, position, defaultNestingLimit) });
      return;
    }
    this.#send(payload);
  }

  #send(payload: Struct): void {
    const state = this.#state;
    const message = this.#message as OutgoingMessage;
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
      this.threw(
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
    this.releaseParams();
    if (noFinishNeeded) {
      this.#pipeline.resolve(new BrokenClient(closedPipeline()));
      this.#finished = true;
      state.answers.delete(this.id);
      return;
    }
    // Calls pipelined from now on go to what the Return described, even if a promise in it has resolved further since.
    const frozen = new CapTable(described.map(({ hook }) => hook?.addRef() ?? null));
    arena.capTable.release();
    arena.capTable = frozen;
    this.#frozen = frozen;
    this.#sentResults = new Payload(payload._segment, pointerPosition(payload, 0), defaultNestingLimit);
    this.#pipeline.resolve(this.#sentResults);
  }

  threw(thrown: unknown): void {
    const error = toError(thrown);
    if (!this.#isOpen) {
      this.#completeDetached(new BrokenClient(error));
      this.#dropResults();
      this.releaseParams();
      return;
    }
    this.#dropResults();
    if (this.#redirected) {
      this.#keep({ error });
      return;
    }
    this.#status = "returned";
    // The row stays until Finish: calls pipelined on it are to fail with the same error.
    sendBareReturn(this.#state, this.id, { which: "exception", error });
    this.releaseParams();
    this.#pipeline.resolve(new BrokenClient(error));
  }

  /** Results that are for a question of ours. */
  #keep(outcome: Outcome): void {
    this.releaseParams();
    this.#outcome = outcome;
    this.#pipeline.resolve("results" in outcome ? outcome.results : new BrokenClient(outcome.error));
    this.#handOver();
  }

  /** A Return of the peer's named this call as the one whose results a question of ours is to take. */
  takenBy(question: Question): void {
    this.#taker = question;
    this.#handOver();
  }

  #handOver(): void {
    const taker = this.#taker;
    const outcome = this.#outcome;
    if (taker === undefined || outcome === undefined || !this.#isOpen) return;
    this.#status = "returned";
    sendBareReturn(this.#state, this.id, { which: "resultsSentElsewhere" });
    if ("results" in outcome) taker.taken(outcome.results);
    else taker.takenThrew(outcome.error);
  }

  /** The peer sent Finish. */
  finished(releaseResultCaps: boolean, early: boolean): void {
    const state = this.#state;
    this.#finished = true;
    if (this.#status === "returned") {
      state.answers.delete(this.id);
      if (releaseResultCaps) for (const id of this.#resultExports) releaseExport(state, id, 1);
      this.#frozen?.release();
      return;
    }
    state.answers.delete(this.id);
    // Results that were not sent are not sent any more: the peer's flag speaks of capabilities it may have received.
    sendBareReturn(state, this.id, { which: this.#redirected ? "resultsSentElsewhere" : "canceled" });
    // The peer wants no results, but has passed on a capability of theirs, or calls are waiting for one.
    if (this.#pipeline.isAwaited) {
      this.#detached = true;
      return;
    }
    // Peers before C++ 0.11 finish calls that they want to be started all the same; such a call was delivered by now and
    // starts in a microtask that is queued before this one.
    if (early) queueMicrotask(() => this.#cancel());
    else this.#cancel();
  }

  #cancel(): void {
    if (this.#status !== "running") return;
    this.#status = "canceled";
    const error = new CapnpError("CAPNP_CANCELED", "The call was canceled by its caller.");
    this.#forwarded?.cancel(error);
    this.#pipeline.resolve(new BrokenClient(error));
    if (this.#outcome !== undefined && "results" in this.#outcome) this.#outcome.results.release();
    this.#taker?.takenThrew(error);
    for (const listener of this.#cancelListeners ?? []) listener();
    this.#cancelListeners = undefined;
  }

  /** The question of ours that these results were for was given up: nobody will take them. */
  abandoned(): void {
    if (!this.#isOpen) return;
    sendBareReturn(this.#state, this.id, { which: "resultsSentElsewhere" });
    this.#cancel();
    this.#status = "returned";
  }

  /** The connection is gone, and the table with it. */
  lost(): void {
    if (this.#status === "running") this.#cancel();
    this.#frozen?.release();
  }

  onCanceled(listener: () => void): void {
    if (this.canceled) listener();
    else {
      this.#cancelListeners ??= [];
      this.#cancelListeners.push(listener);
    }
  }
}

/** What a call gets that is pipelined on an answer which holds no capability, or is not there any more. */
export const closedPipeline = (): CapnpError =>
  new CapnpError("CAPNP_CALL", "Pipeline call on a request that returned no capabilities or was already closed.");
