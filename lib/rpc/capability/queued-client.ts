import type { CallContext } from "./call-context.ts";
import { ClientHook } from "./client-hook.ts";
import type { OutgoingCall } from "./request.ts";

interface QueuedCall {
  readonly interfaceId: bigint;
  readonly methodId: number;
  readonly context: CallContext;
}

/**
 * The promise of a capability, without a place to send calls to until it resolves.
 *
 * State: pending (calls are queued) -> resolved (queued calls have gone to the target in their order, later ones go there
 * at once). A broken promise is one that resolved to a broken client.
 */
export class QueuedClient extends ClientHook {
  #target: ClientHook | null = null;
  #queue: QueuedCall[] = [];
  readonly #listeners = new Set<() => void>();

  override get resolved(): ClientHook | null {
    return this.#target;
  }

  override get isPromise(): boolean {
    return this.#target === null;
  }

  override onResolved(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  override get connection(): object | null {
    return this.#target?.connection ?? null;
  }

  override get brokenBy(): Error | undefined {
    return this.#target?.brokenBy;
  }

  override get isNull(): boolean {
    return this.#target?.isNull ?? false;
  }

  override messageCall(interfaceId: bigint, methodId: number): OutgoingCall | null {
    return this.#target?.messageCall(interfaceId, methodId) ?? null;
  }

  override call(interfaceId: bigint, methodId: number, context: CallContext): void {
    if (this.#target !== null) this.#target.call(interfaceId, methodId, context);
    else this.#queue.push({ interfaceId, methodId, context });
  }

  /** Settles the promise; takes over the reference. Only the first call counts. */
  resolve(target: ClientHook): void {
    if (this.#target !== null) {
      target.release();
      return;
    }
    this.#target = target;
    const queue = this.#queue;
    this.#queue = [];
    for (const { interfaceId, methodId, context } of queue) target.call(interfaceId, methodId, context);
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) listener();
    if (this.#dropped) target.release();
  }

  #dropped = false;

  protected override destroyed(): void {
    // Calls in the queue were made while somebody held a reference; they are delivered when the promise resolves.
    this.#dropped = true;
    this.#target?.release();
  }
}
