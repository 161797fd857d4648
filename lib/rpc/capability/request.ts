import { MessageBuilder } from "../../serialization/message.ts";
import type { Segment } from "../../serialization/segment.ts";
import type { ClientHook } from "./client-hook.ts";
import { BrokenClient } from "./broken-client.ts";
import { canceledError, LocalCallContext } from "./local-call-context.ts";
import type { Payload } from "./payload.ts";
import type { Pipeline } from "./pipeline.ts";

/** A call that is being made: the place of its params, then `send`. */
export interface OutgoingCall {
  /** Where the pointer to the params struct lies. */
  readonly segment: Segment;
  readonly position: number;
  /**
   * Sends it; once. The target may have been released since the call was begun.
   *
   * @param streaming True for a call of a stream: it counts as returned, without results, as soon as the stream has room for
   * another one. Where no connection is crossed, that is when it has returned.
   */
  send(streaming?: boolean): PendingCall;
  /** Sends it for the sake of what is pipelined on its results; nobody is told of these. */
  sendForPipeline(): PipelineCall;
  /**
   * Sends it so that its results stay with the peer of a connection, to be named in a Return there
   * (`takeFromOtherQuestion`). Null where it does not go to that peer, or the peer does not know how: nothing was sent.
   */
  sendRedirected(connection: object): RedirectedCall | null;
  /** Gives up a call that was not sent, with the capabilities in its params. */
  discard(): void;
}

/** A call that was sent. */
export interface PendingCall extends Pipeline {
  /**
   * Sets who is told of the outcome: once, synchronously with the event that brings it, at once where it is there. The
   * listener owns the payload.
   */
  onReturn(listener: ReturnListener): void;
  /** Gives up: the listener hears of it as an error, the callee learns of it, what it returns is released unread. */
  cancel(reason: Error): void;
}

/** A call that was sent for its pipeline only. */
export interface PipelineCall extends Pipeline {
  /** No more capabilities will be asked for. The call goes on for those that were; without any it is canceled. */
  drop(): void;
}

/** A call whose results stay with the callee. */
export interface RedirectedCall extends PipelineCall {
  /** How a Return names it. */
  readonly id: number;
}

export interface ReturnListener {
  returned(results: Payload): void;
  threw(error: Error): void;
}

/** Begins a call, with its params in the message to the peer where one is known. */
export const newCall = (target: ClientHook, interfaceId: bigint, methodId: number): OutgoingCall =>
  target.messageCall(interfaceId, methodId) ?? new LocalCall(target, interfaceId, methodId);

/** A call on something in this vat, or on something whose place is not known yet. */
class LocalCall implements OutgoingCall {
  readonly #target: ClientHook;
  readonly #interfaceId: bigint;
  readonly #methodId: number;
  readonly #message = new MessageBuilder();

  constructor(target: ClientHook, interfaceId: bigint, methodId: number) {
    this.#target = target.addRef();
    this.#interfaceId = interfaceId;
    this.#methodId = methodId;
  }

  get segment(): Segment {
    return this.#message.rootSegment;
  }

  get position(): number {
    return 0;
  }

  send(streaming = false): LocalCallContext {
    const context = new LocalCallContext(this.#message, streaming);
    this.#target.call(this.#interfaceId, this.#methodId, context);
    this.#target.release();
    return context;
  }

  sendForPipeline(): PipelineCall {
    return new UnreturnedCall(this.send());
  }

  sendRedirected(): null {
    return null;
  }

  discard(): void {
    if (this.#message.arena.hasCapTable) this.#message.capTable.release();
    this.#target.release();
  }
}

/** A call within the vat of which only the pipeline matters: the results are kept for it until it is dropped. */
class UnreturnedCall implements PipelineCall {
  readonly #pending: LocalCallContext;
  #results: Payload | undefined;
  #isDropped = false;

  constructor(pending: LocalCallContext) {
    this.#pending = pending;
    pending.onReturn({
      returned: (results) => {
        if (this.#isDropped) results.release();
        else this.#results = results;
      },
      threw: () => undefined,
    });
  }

  pipelined(path: readonly number[]): ClientHook {
    return this.#pending.pipelined(path);
  }

  drop(): void {
    if (this.#isDropped) return;
    this.#isDropped = true;
    this.#results?.release();
    this.#results = undefined;
    if (!this.#pending.isAwaited) this.#pending.cancel(canceledError());
  }
}

/** A call that could not be sent. */
export class FailedCall extends BrokenClient implements PendingCall, PipelineCall {
  onReturn(listener: ReturnListener): void {
    listener.threw(this.brokenBy);
  }

  cancel(): void {
    // It is over already.
  }

  drop(): void {
    // Nothing is kept for it.
  }
}
