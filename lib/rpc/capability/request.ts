import { MessageBuilder } from "../../serialization/message.ts";
import type { Segment } from "../../serialization/segment.ts";
import type { ClientHook } from "./client-hook.ts";
import { LocalCallContext } from "./local-call-context.ts";
import type { Payload } from "./payload.ts";
import type { Pipeline } from "./pipeline.ts";

/** A call that is being made: the place of its params, then `send`. */
export interface OutgoingCall {
  /** Where the pointer to the params struct lies. */
  readonly segment: Segment;
  readonly position: number;
  /** Sends it; once. The target may have been released since the call was begun. */
  send(): PendingCall;
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

  send(): PendingCall {
    const context = new LocalCallContext(this.#message);
    this.#target.call(this.#interfaceId, this.#methodId, context);
    this.#target.release();
    return context;
  }

  discard(): void {
    if (this.#message.arena.hasCapTable) this.#message.capTable.release();
    this.#target.release();
  }
}
