import type { Segment } from "../../serialization/segment.ts";
import type { Logger } from "../../logger.ts";
import type { CallContext, ResultsPlace } from "./call-context.ts";
import type { ClientHook } from "./client-hook.ts";
import type { Payload } from "./payload.ts";
import type { OwnedPipeline } from "./pipeline.ts";
import type { OutgoingCall, PendingCall, PipelineCall, ReturnListener } from "./request.ts";

/** The context of a call that passes through something between caller and callee: it changes nothing by itself. */
export class InterposedContext implements CallContext, Interposer {
  protected readonly outer: CallContext;

  constructor(outer: CallContext) {
    this.outer = outer;
  }

  start(): boolean {
    return this.outer.start();
  }

  get params(): Payload {
    return this.outer.params;
  }

  releaseParams(): void {
    this.outer.releaseParams();
  }

  results(): ResultsPlace {
    return this.outer.results();
  }

  setPipeline(pipeline: OwnedPipeline): void {
    this.outer.setPipeline(pipeline);
  }

  tailCall(call: OutgoingCall): void {
    this.outer.tailCall(new InterposedCall(call, this));
  }

  /** What stands between a tail call that was sent and the caller. */
  interpose(pending: PendingCall): PendingCall {
    return pending;
  }

  /** The same where only the pipeline is wanted. */
  interposePipeline(call: PipelineCall): PipelineCall {
    return call;
  }

  returned(): void {
    this.outer.returned();
  }

  threw(error: unknown): void {
    this.outer.threw(error);
  }

  get completed(): boolean {
    return this.outer.completed;
  }

  get canceled(): boolean {
    return this.outer.canceled;
  }

  onCanceled(listener: () => void): void {
    this.outer.onCanceled(listener);
  }

  get caller(): object | undefined {
    return this.outer.caller;
  }

  get logger(): Logger | undefined {
    return this.outer.logger;
  }
}

/** What the outcome of a call passes through. */
export interface Interposer {
  interpose(pending: PendingCall): PendingCall;
  interposePipeline(call: PipelineCall): PipelineCall;
}

/** A call that is being made, whose outcome passes through something. */
export class InterposedCall implements OutgoingCall {
  readonly #call: OutgoingCall;
  readonly #interposer: Interposer;

  constructor(call: OutgoingCall, interposer: Interposer) {
    this.#call = call;
    this.#interposer = interposer;
  }

  get segment(): Segment {
    return this.#call.segment;
  }

  get position(): number {
    return this.#call.position;
  }

  send(streaming?: boolean): PendingCall {
    return this.#interposer.interpose(this.#call.send(streaming));
  }

  sendForPipeline(): PipelineCall {
    return this.#interposer.interposePipeline(this.#call.sendForPipeline());
  }

  /** What stays with the peer would pass through nothing. */
  sendRedirected(): null {
    return null;
  }

  discard(): void {
    this.#call.discard();
  }
}

/** A call that was sent, whose outcome passes through something. */
export class InterposedPending implements PendingCall {
  protected readonly inner: PendingCall;

  constructor(inner: PendingCall) {
    this.inner = inner;
  }

  pipelined(path: readonly number[]): ClientHook {
    return this.inner.pipelined(path);
  }

  onReturn(listener: ReturnListener): void {
    this.inner.onReturn(listener);
  }

  cancel(reason: Error): void {
    this.inner.cancel(reason);
  }
}
