import type { CallContext } from "../capability/call-context.ts";
import type { ClientHook } from "../capability/client-hook.ts";
import { QueuedClient } from "../capability/queued-client.ts";

/**
 * A promise of ours that the peer has described back to us, for the one who received it so.
 *
 * State: pending (calls go where the peer's calls on the promise go) -> resolved to what the peer was told that the promise
 * became. That is not always what the promise is here: the peer's calls go to exactly what was described, even if that has
 * resolved further (the Tribble 4-way race), and a call that took the shorter way could overtake them.
 */
export class ReflectedClient extends QueuedClient {
  readonly #promise: () => ClientHook;
  readonly #gone: () => void;

  /**
   * @param promise What the peer's calls reach while this is pending. Borrowed.
   * @param gone Called when the last reference is released.
   */
  constructor(promise: () => ClientHook, gone: () => void) {
    super();
    this.#promise = promise;
    this.#gone = gone;
  }

  override get awaits(): ClientHook | null {
    return this.isPromise ? this.#promise() : null;
  }

  override call(interfaceId: bigint, methodId: number, context: CallContext): void {
    if (this.isPromise) this.#promise().call(interfaceId, methodId, context);
    else super.call(interfaceId, methodId, context);
  }

  protected override destroyed(): void {
    this.#gone();
    super.destroyed();
  }
}
