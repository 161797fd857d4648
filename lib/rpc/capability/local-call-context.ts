import { CapnpError } from "../../errors.ts";
import { MessageBuilder } from "../../serialization/message.ts";
import { defaultNestingLimit } from "../../serialization/read-limiter.ts";
import { BrokenClient } from "./broken-client.ts";
import type { CallContext, ResultsPlace } from "./call-context.ts";
import type { ClientHook } from "./client-hook.ts";
import { Payload } from "./payload.ts";
import { handOn } from "./hand-on.ts";
import { type OwnedPipeline, QueuedPipeline } from "./pipeline.ts";
import type { OutgoingCall, PendingCall, ReturnListener } from "./request.ts";
import { toError } from "./thrown.ts";

/** The error of a call that was given up, where no better reason is known. */
export const canceledError = (reason?: unknown): CapnpError =>
  reason instanceof CapnpError
    ? reason
    : new CapnpError("CAPNP_CANCELED", "The call was canceled by its caller.", { cause: reason });

type Outcome = { readonly results: Payload } | { readonly error: Error };

/** Those who are due to be told, by the outermost `tell`. */
const due: { readonly listener: ReturnListener; readonly outcome: Outcome }[] = [];
let depth = 0;
const maxDepth = 100;

/**
 * Tells how a call ended. A chain of calls of which each was passed on to the next one ends all at once, and may be longer than
 * the stack is deep: past some depth the rest is told after that much of the stack has been left, still before this returns.
 */
const tell = (listener: ReturnListener, outcome: Outcome): void => {
  if (depth === maxDepth) {
    due.push({ listener, outcome });
    return;
  }
  depth++;
  try {
    pass(listener, outcome);
    if (depth > 1) return;
    for (let next = due.shift(); next !== undefined; next = due.shift()) pass(next.listener, next.outcome);
  } finally {
    depth--;
  }
};

const pass = (listener: ReturnListener, outcome: Outcome): void => {
  if ("results" in outcome) listener.returned(outcome.results);
  else listener.threw(outcome.error);
};

/**
 * Both ends of a call that crosses no connection.
 *
 * State: waiting -> started (the method runs) -> completed (it returned, threw, or passed the call on) -> settled (the
 * listener was told) | canceled, from any of these before settled. The listener is told once, whichever comes first.
 */
export class LocalCallContext implements CallContext, PendingCall {
  #params: Payload | undefined;
  #results: MessageBuilder | undefined;
  readonly #pipeline = new QueuedPipeline();
  #outcome: Outcome | undefined;
  #listener: ReturnListener | undefined;
  #cancelListeners: (() => void)[] | undefined;
  #forwarded: PendingCall | undefined;
  #started = false;
  readonly #streaming: boolean;
  completed = false;
  canceled = false;

  /** @param streaming Where the call is passed on over a connection, it need not wait for its return: see `OutgoingCall.send`. */
  constructor(params: MessageBuilder, streaming: boolean) {
    this.#streaming = streaming;
    this.#params = new Payload(params.rootSegment, 0, defaultNestingLimit);
  }

  get caller(): undefined {
    return undefined;
  }

  get logger(): undefined {
    return undefined;
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
    this.#results ??= new MessageBuilder();
    return { segment: this.#results.rootSegment, position: 0 };
  }

  setPipeline(pipeline: OwnedPipeline): void {
    this.#pipeline.preset(pipeline);
  }

  tailCall(call: OutgoingCall): void {
    if (!this.#complete() || this.#outcome !== undefined) {
      call.discard();
      return;
    }
    const pending = call.send(this.#streaming);
    this.#forwarded = pending;
    this.#pipeline.resolve(pending);
    pending.onReturn({
      returned: (results) => this.#settle({ results }),
      threw: (error) => this.#settle({ error }),
    });
  }

  returned(): void {
    const { segment, position } = this.results();
    handOn(this.#params, segment.arena);
    this.#results = undefined;
    const results = new Payload(segment, position, defaultNestingLimit);
    if (this.#complete()) this.#settle({ results });
    else results.release();
  }

  threw(error: unknown): void {
    if (this.#complete()) this.#settle({ error: toError(error) });
  }

  /** The method is done, with what it was given and with what it did not return. False where it was done before. */
  #complete(): boolean {
    this.releaseParams();
    if (this.#results?.arena.hasCapTable) this.#results.capTable.release();
    this.#results = undefined;
    if (this.completed) return false;
    this.completed = true;
    return true;
  }

  #settle(outcome: Outcome): void {
    if (this.#outcome !== undefined) {
      if ("results" in outcome) outcome.results.release();
      return;
    }
    this.#outcome = outcome;
    this.#pipeline.resolve("results" in outcome ? outcome.results : new BrokenClient(outcome.error));
    this.#tell();
  }

  #tell(): void {
    if (this.#listener !== undefined && this.#outcome !== undefined) tell(this.#listener, this.#outcome);
  }

  onReturn(listener: ReturnListener): void {
    this.#listener = listener;
    this.#tell();
  }

  pipelined(path: readonly number[]): ClientHook {
    return this.#pipeline.pipelined(path);
  }

  /** True while a capability that was asked for in the results, or a call on one, waits for them. */
  get isAwaited(): boolean {
    return this.#pipeline.isAwaited;
  }

  cancel(reason: Error): void {
    // One after the other, not each within the one before: see `tell`.
    let at: PendingCall | undefined = this;
    while (at instanceof LocalCallContext) at = at.#cancelThis(reason);
    at?.cancel(reason);
  }

  /** What it was passed on to is given up next. */
  #cancelThis(reason: Error): PendingCall | undefined {
    if (this.#outcome !== undefined) return undefined;
    this.canceled = true;
    // A callee that is at work keeps its params until it is done. Its results go nowhere.
    if (!this.#started) this.releaseParams();
    this.#settle({ error: reason });
    const listeners = this.#cancelListeners ?? [];
    this.#cancelListeners = undefined;
    for (const listener of listeners) listener();
    return this.#forwarded;
  }

  onCanceled(listener: () => void): void {
    if (this.canceled) listener();
    else {
      this.#cancelListeners ??= [];
      this.#cancelListeners.push(listener);
    }
  }
}

export const paramsReleased = (): CapnpError =>
  new CapnpError("CAPNP_RELEASED", "The params of this call were released. Read what you need before releaseParams().");
