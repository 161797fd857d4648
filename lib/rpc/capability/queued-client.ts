import { BrokenClient, resolvedToItself } from "./broken-client.ts";
import type { CallContext } from "./call-context.ts";
import { ClientHook, innermost, leadsTo } from "./client-hook.ts";
import type { OutgoingCall } from "./request.ts";
import { ResolveListeners } from "./resolve-listeners.ts";

interface QueuedCall {
  readonly interfaceId: bigint;
  readonly methodId: number;
  readonly context: CallContext;
}

const firstSweep = 64;

/**
 * The promise of a capability, without a place to send calls to until it resolves.
 *
 * State: pending (calls are queued) -> resolved (queued calls have gone to the target in their order, later ones go there
 * at once). A broken promise is one that resolved to a broken client.
 */
export class QueuedClient extends ClientHook {
  #target: ClientHook | null = null;
  #queue: QueuedCall[] | undefined;
  /** How long the queue may become before canceled calls are taken out: twice what was left the last time. */
  #sweepAt = firstSweep;
  readonly #listeners = new ResolveListeners();

  override get resolved(): ClientHook | null {
    return this.#target;
  }

  override get isPromise(): boolean {
    return this.#target === null;
  }

  override onResolved(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  override get connection(): object | null {
    return this.#target === null ? null : innermost(this.#target).connection;
  }

  override get brokenBy(): Error | undefined {
    return this.#target === null ? undefined : innermost(this.#target).brokenBy;
  }

  override get isNull(): boolean {
    return this.#target !== null && innermost(this.#target).isNull;
  }

  override messageCall(interfaceId: bigint, methodId: number): OutgoingCall | null {
    return this.#target === null ? null : innermost(this.#target).messageCall(interfaceId, methodId);
  }

  override call(interfaceId: bigint, methodId: number, context: CallContext): void {
    if (this.#target !== null) innermost(this.#target).call(interfaceId, methodId, context);
    else {
      const queued = { interfaceId, methodId, context };
      if (this.#queue === undefined) this.#queue = [queued];
      else {
        if (this.#queue.length >= this.#sweepAt) this.#queue = this.#swept(this.#queue);
        this.#queue.push(queued);
      }
    }
  }

  override isCrowded(limit: number): boolean {
    if (this.#queue !== undefined && this.#queue.length >= limit) this.#queue = this.#swept(this.#queue);
    return (this.#queue?.length ?? 0) >= limit;
  }

  /** Forgets calls that were canceled: whoever makes and cancels calls on a promise would fill the queue otherwise. */
  #swept(queue: readonly QueuedCall[]): QueuedCall[] {
    // `start` says to all that the call passed through that it will not run.
    const left = queue.filter(({ context }) => !context.canceled || context.start());
    this.#sweepAt = Math.max(firstSweep, 2 * left.length);
    return left;
  }

  /** True while somebody besides the one who asks holds a reference, or a call waits that was not canceled. */
  get isAwaited(): boolean {
    return this.isShared || (this.#queue?.some(({ context }) => !context.canceled) ?? false);
  }

  /** Settles the promise; takes over the reference. Only the first call counts. What leads back to itself is broken. */
  resolve(replacement: ClientHook): void {
    if (this.#target !== null) {
      replacement.release();
      return;
    }
    const target = leadsTo(replacement, this) ? new BrokenClient(resolvedToItself()) : replacement;
    if (target !== replacement) replacement.release();
    // Who hears of it may release the last reference to this promise, and so to the target.
    if (!this.#dropped) target.addRef();
    this.#target = target;
    const queue = this.#queue;
    this.#queue = undefined;
    if (queue !== undefined) {
      for (const { interfaceId, methodId, context } of queue) target.call(interfaceId, methodId, context);
    }
    this.#listeners.tell();
    target.release();
  }

  #dropped = false;

  protected override destroyed(): void {
    // Calls in the queue were made while somebody held a reference; they are delivered when the promise resolves.
    this.#dropped = true;
    this.#target?.release();
  }
}
