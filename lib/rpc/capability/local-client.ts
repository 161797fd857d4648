import type { CallContext } from "./call-context.ts";
import { ClientHook } from "./client-hook.ts";
import { StreamRun } from "./stream-run.ts";

/** The side of a server object that calls arrive at. */
export interface Dispatcher {
  /** Runs a method and completes the context. A promise keeps the object alive until it settles; it never rejects. */
  dispatch(interfaceId: bigint, methodId: number, context: CallContext): void | PromiseLike<void> | StreamRun;
  /** The last reference is gone and no call is running. */
  released(): void;
}

/**
 * Its `then` is `queueMicrotask`, in one order with it, at a third of the price: Node makes an async resource for each microtask.
 * What is queued does not throw, as all errors of methods go to their calls; if it did, the rejection would have no handler.
 */
const settled = Promise.resolve();

/**
 * A capability to an object in this vat.
 *
 * State: open (calls start as they arrive) -> streaming (a streaming method is at work: calls wait, in their order) -> open
 * again | broken (it failed, and so does every call that has not started).
 */
export class LocalClient extends ClientHook {
  readonly #dispatcher: Dispatcher;
  #isStreaming = false;
  /** What waits for the streaming method that is at work. */
  #waiting: Set<() => void> | undefined;
  #failure: Error | undefined;

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
    void settled.then(() => {
      if (this.#isStreaming) this.#hold(interfaceId, methodId, context);
      else this.#run(interfaceId, methodId, context);
    });
  }

  #run(interfaceId: bigint, methodId: number, context: CallContext): void {
    if (!context.start()) {
      this.release();
      return;
    }
    if (this.#failure !== undefined) {
      context.threw(this.#failure);
      this.release();
      return;
    }
    const running = this.#dispatcher.dispatch(interfaceId, methodId, context);
    if (running === undefined) this.release();
    else if (running instanceof StreamRun) this.#stream(running);
    else running.then(() => this.release());
  }

  #stream({ failure }: StreamRun): void {
    if (failure === undefined || failure instanceof Error) {
      this.#failure = failure;
      this.release();
      return;
    }
    this.#isStreaming = true;
    failure.then((error) => {
      this.#isStreaming = false;
      this.#failure = error;
      this.#resume();
      this.release();
    });
  }

  #hold(interfaceId: bigint, methodId: number, context: CallContext): void {
    const run = (): void => this.#run(interfaceId, methodId, context);
    this.#wait(run);
    // A call that is given up as it waits is let go at once, not when the stream has ended, which may be never.
    context.onCanceled(() => {
      if (context.canceled && this.#waiting?.delete(run)) run();
    });
  }

  #wait(run: () => void): void {
    this.#waiting ??= new Set();
    this.#waiting.add(run);
  }

  /** Starts what waits, up to and with the next streaming method that does not end at once. */
  #resume(): void {
    while (!this.#isStreaming) {
      const { value: next } = this.#waiting?.values().next() ?? {};
      if (next === undefined) return;
      this.#waiting?.delete(next);
      next();
    }
  }

  /** Runs what comes after the calls that were delivered before: after each of them has started, and those of a stream have ended. */
  afterStream(run: () => void): void {
    this.addRef();
    const last = (): void => {
      run();
      this.release();
    };
    void settled.then(() => {
      if (this.#isStreaming) this.#wait(last);
      else last();
    });
  }

  protected override destroyed(): void {
    this.#dispatcher.released();
  }
}
