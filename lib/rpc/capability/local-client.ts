import type { CallContext } from "./call-context.ts";
import { ClientHook } from "./client-hook.ts";

/** The side of a server object that calls arrive at. */
export interface Dispatcher {
  /** Runs a method and completes the context. A promise keeps the object alive until it settles; it never rejects. */
  dispatch(interfaceId: bigint, methodId: number, context: CallContext): void | PromiseLike<void>;
  /** The last reference is gone and no call is running. */
  released(): void;
}

/** A capability to an object in this vat. */
export class LocalClient extends ClientHook {
  readonly #dispatcher: Dispatcher;

  constructor(dispatcher: Dispatcher) {
    super();
    this.#dispatcher = dispatcher;
  }

  /**
   * Delivers in a microtask: user code never runs in the middle of a change to the tables, and calls are delivered in the
   * order in which they were made, whatever way they came.
   */
  override call(interfaceId: bigint, methodId: number, context: CallContext): void {
    this.addRef();
    queueMicrotask(() => {
      const running = context.start() ? this.#dispatcher.dispatch(interfaceId, methodId, context) : undefined;
      if (running === undefined) this.release();
      else running.then(() => this.release());
    });
  }

  protected override destroyed(): void {
    this.#dispatcher.released();
  }
}
