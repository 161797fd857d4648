import { CapnpError } from "../../errors.ts";
import { BrokenClient } from "./broken-client.ts";
import type { CallContext } from "./call-context.ts";
import { ClientHook } from "./client-hook.ts";
import { InterposedCall, InterposedContext, InterposedPending } from "./interposed-call.ts";
import { QueuedClient } from "./queued-client.ts";
import type { OutgoingCall, PendingCall, ReturnListener } from "./request.ts";
import { toError } from "./thrown.ts";

/**
 * A capability whose way to its object is made anew when it turns out to be lost.
 *
 * State: unconnected -> connected, in generation n -> connected, in generation n + 1 (a call of generation n failed with
 * `disconnected`) | unconnected (reset). Calls of an older generation change nothing: however many fail together, the
 * connection is made once. A call is never sent again: only its caller knows whether that would do harm.
 *
 * It never resolves to what stands behind it: who held that could not be led elsewhere.
 */
export class ReconnectingClient extends ClientHook {
  readonly #connect: () => ClientHook;
  #current: ClientHook | undefined;
  #generation = 0;

  /**
   * @param connect Makes the way to the object; the reference is handed over. It may throw.
   * @param current The first of them, taken over; undefined where it is to be made for the first call.
   */
  constructor(connect: () => ClientHook, current: ClientHook | undefined) {
    super();
    this.#connect = connect;
    this.#current = current;
  }

  /** Lets go of the current connection: the next call makes another. Calls in flight go on. */
  reset(): void {
    const current = this.#current;
    this.#generation++;
    this.#current = undefined;
    current?.release();
  }

  /** So that one which would be connected to itself is found out. */
  override get awaits(): ClientHook | null {
    return this.#current ?? null;
  }

  override messageCall(interfaceId: bigint, methodId: number): OutgoingCall | null {
    const call = this.#target().messageCall(interfaceId, methodId);
    const generation = this.#generation;
    if (call === null) return null;
    return new InterposedCall(call, {
      interpose: (pending) => new WatchedPending(pending, (error) => this.#failed(generation, error)),
      interposePipeline: (pipeline) => pipeline,
    });
  }

  override call(interfaceId: bigint, methodId: number, context: CallContext): void {
    const target = this.#target();
    const generation = this.#generation;
    target.call(interfaceId, methodId, new WatchedContext(context, (error) => this.#failed(generation, error)));
  }

  #target(): ClientHook {
    this.#current ??= this.#connectSoon();
    return this.#current;
  }

  /** User code must not run in the middle of a change to some table, where a call comes from or fails. */
  #connectSoon(): ClientHook {
    const queued = new QueuedClient();
    queued.addRef();
    queueMicrotask(() => {
      let hook: ClientHook;
      try {
        hook = this.#connect();
      } catch (error) {
        hook = new BrokenClient(toError(error));
      }
      queued.resolve(hook);
      queued.release();
    });
    return queued;
  }

  #failed(generation: number, error: unknown): void {
    if (generation !== this.#generation) return;
    if (!(error instanceof CapnpError) || error.kind !== "disconnected") return;
    this.reset();
    this.#target();
  }

  protected override destroyed(): void {
    this.reset();
  }
}

class WatchedContext extends InterposedContext {
  readonly #failed: (error: unknown) => void;

  constructor(outer: CallContext, failed: (error: unknown) => void) {
    super(outer);
    this.#failed = failed;
  }

  override threw(error: unknown): void {
    this.#failed(error);
    super.threw(error);
  }

  override interpose(pending: PendingCall): PendingCall {
    return new WatchedPending(pending, this.#failed);
  }
}

class WatchedPending extends InterposedPending {
  readonly #failed: (error: unknown) => void;
  #isCanceled = false;

  constructor(inner: PendingCall, failed: (error: unknown) => void) {
    super(inner);
    this.#failed = failed;
  }

  override onReturn(listener: ReturnListener): void {
    super.onReturn({
      returned: (results) => listener.returned(results),
      threw: (error) => {
        if (!this.#isCanceled) this.#failed(error);
        listener.threw(error);
      },
    });
  }

  /** The reason that the caller gives says nothing about the connection. */
  override cancel(reason: Error): void {
    this.#isCanceled = true;
    super.cancel(reason);
  }
}
