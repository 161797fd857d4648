import { CapnpError } from "../../errors.ts";
import { MessageBuilder } from "../../serialization/message.ts";
import { defaultNestingLimit } from "../../serialization/read-limiter.ts";
import { BrokenClient } from "./broken-client.ts";
import type { CallContext, ResultsPlace } from "./call-context.ts";
import type { ClientHook } from "./client-hook.ts";
import { Payload } from "./payload.ts";
import { type Pipeline, QueuedPipeline } from "./pipeline.ts";
import type { OutgoingCall, PendingCall, ReturnListener } from "./request.ts";

/** The error of a call that was given up, where no better reason is known. */
export const canceledError = (reason?: unknown): CapnpError =>
  reason instanceof CapnpError
    ? reason
    : new CapnpError("CAPNP_CANCELED", "The call was canceled by its caller.", { cause: reason });

export const toError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));

/**
 * Both ends of a call that crosses no connection.
 *
 * State: pending -> completed (returned or threw) | canceled. The listener is told once, whichever comes first.
 */
export class LocalCallContext implements CallContext, PendingCall {
  #params: Payload | undefined;
  #results: MessageBuilder | undefined;
  readonly #pipeline = new QueuedPipeline();
  #outcome: { readonly results?: Payload; readonly error?: Error } | undefined;
  #listener: ReturnListener | undefined;
  #cancelListeners: (() => void)[] | undefined;
  #forwarded: PendingCall | undefined;
  canceled = false;

  constructor(params: MessageBuilder) {
    this.#params = new Payload(params.rootSegment, 0, defaultNestingLimit);
  }

  get caller(): undefined {
    return undefined;
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

  setPipeline(pipeline: Pipeline): void {
    this.#pipeline.resolve(pipeline);
  }

  tailCall(call: OutgoingCall): void {
    if (this.#outcome !== undefined) {
      call.discard();
      return;
    }
    this.releaseParams();
    this.#results?.capTable.release();
    this.#results = undefined;
    const pending = call.send();
    this.#forwarded = pending;
    this.#pipeline.resolve(pending);
    pending.onReturn({
      returned: (results) => this.#complete({ results }),
      threw: (error) => this.#complete({ error }),
    });
  }

  returned(): void {
    const { segment, position } = this.results();
    this.#results = undefined;
    this.#complete({ results: new Payload(segment, position, defaultNestingLimit) });
  }

  threw(error: unknown): void {
    this.#complete({ error: toError(error) });
  }

  #complete(outcome: { readonly results?: Payload; readonly error?: Error }): void {
    if (this.#outcome !== undefined) {
      outcome.results?.release();
      return;
    }
    this.#outcome = outcome;
    this.releaseParams();
    this.#results?.capTable.release();
    if (outcome.results !== undefined) this.#pipeline.resolve(outcome.results);
    else {
      const broken = new BrokenClient(outcome.error as Error);
      this.#pipeline.resolve(broken);
    }
    this.#tell();
  }

  #tell(): void {
    const listener = this.#listener;
    const outcome = this.#outcome;
    if (listener === undefined || outcome === undefined) return;
    if (outcome.results !== undefined) listener.returned(outcome.results);
    else listener.threw(outcome.error as Error);
  }

  onReturn(listener: ReturnListener): void {
    this.#listener = listener;
    this.#tell();
  }

  pipelined(path: readonly number[]): ClientHook {
    return this.#pipeline.pipelined(path);
  }

  cancel(reason: Error): void {
    if (this.#outcome !== undefined) return;
    this.canceled = true;
    this.#forwarded?.cancel(reason);
    // The callee may still be at work: its params stay until it is done, its results go nowhere.
    this.#outcome = { error: reason };
    this.#pipeline.resolve(new BrokenClient(reason));
    for (const listener of this.#cancelListeners ?? []) listener();
    this.#cancelListeners = undefined;
    this.#tell();
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
