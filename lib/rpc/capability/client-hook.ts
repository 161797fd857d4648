import type { Capability } from "../../serialization/cap-table.ts";
import type { CallContext } from "./call-context.ts";
import type { OutgoingCall } from "./request.ts";

/** Hooks whose last reference is gone and that have not been destroyed yet. */
const unreferenced: ClientHook[] = [];
let isDestroying = false;

/**
 * What stands behind a capability: an object here, an object at a peer, the promise of one, or an error. User code never
 * sees it; `Client` is its public face.
 *
 * References are counted: whoever is handed one releases it exactly once, and the last release frees the row of the
 * export or import table behind it. A new hook has one reference, its maker's.
 *
 * A promise hook settles at most once: `resolved` then names what it became, which may be a promise again. Everything
 * happens synchronously: no native promise stands between an event of the protocol and its effect, because calls made
 * around that event would be reordered by it (E-order).
 */
export abstract class ClientHook implements Capability {
  #references = 1;
  #isDestroyed = false;

  addRef(): this {
    this.#references++;
    return this;
  }

  /**
   * Hooks that go with this one are destroyed after it, not within: a peer can make chains of promises of any length, which
   * must not end in a call as deep.
   */
  release(): void {
    if (--this.#references !== 0) return;
    unreferenced.push(this);
    if (isDestroying) return;
    isDestroying = true;
    try {
      for (let i = 0; i < unreferenced.length; i++) {
        const hook = unreferenced[i] as ClientHook;
        // Who was looked up in a table in the meantime has a reference again.
        if (hook.#references !== 0 || hook.#isDestroyed) continue;
        hook.#isDestroyed = true;
        hook.destroyed();
      }
    } finally {
      unreferenced.length = 0;
      isDestroying = false;
    }
  }

  get isDestroyed(): boolean {
    return this.#isDestroyed;
  }

  /** True while somebody besides the one who asks holds a reference. */
  get isShared(): boolean {
    return this.#references > 1;
  }

  /**
   * True where all that a reference holds is given back once this hook itself is collected: nobody needs to watch for those who
   * forget a reference. To watch one costs more than most calls, and it is kept until a full collection.
   */
  get releasesItself(): boolean {
    return false;
  }

  /** The last reference is gone. */
  protected abstract destroyed(): void;

  /** Begins a call whose params are built inside the message that carries them; null where no connection is crossed. */
  messageCall(_interfaceId: bigint, _methodId: number): OutgoingCall | null {
    return null;
  }

  /** Delivers a call whose params exist already, and owns the completion of its context from then on. Never throws. */
  abstract call(interfaceId: bigint, methodId: number, context: CallContext): void;

  /** What this promise became; null for one that is pending and for what is no promise. Borrowed, not owned. */
  get resolved(): ClientHook | null {
    return null;
  }

  /** True where this is a promise that may still become something else. */
  get isPromise(): boolean {
    return false;
  }

  /** Where calls on this go, while it is not resolved, if that is another hook here; null for others. Borrowed, not owned. */
  get awaits(): ClientHook | null {
    return null;
  }

  /** Calls back at the moment this promise resolves (only where `isPromise`). What it returns takes the listener away. */
  onResolved(_listener: () => void): () => void {
    throw new Error("only a promise resolves");
  }

  /** True where so many calls, or more, wait here for this promise to resolve; canceled ones do not count. */
  isCrowded(_limit: number): boolean {
    return false;
  }

  /** The connection whose peer hosts this, for recognising a capability that goes back to where it came from. */
  get connection(): object | null {
    return null;
  }

  /** The error that every call on this gets; undefined for what is not broken. */
  get brokenBy(): Error | undefined {
    return undefined;
  }

  /** True for the null capability. */
  get isNull(): boolean {
    return false;
  }
}

/** Whether calls on a hook reach a promise that is pending: if that resolved to the hook, it would wait for itself. */
export const leadsTo = (hook: ClientHook, promise: ClientHook): boolean => {
  for (let next: ClientHook | null = hook; next !== null; ) {
    const inner = innermost(next);
    if (inner === promise) return true;
    next = inner.awaits;
  }
  return false;
};

/** The end of a chain of resolved promises. Borrowed, not owned. */
export const innermost = (hook: ClientHook): ClientHook => {
  let inner = hook;
  for (let next = inner.resolved; next !== null; next = inner.resolved) inner = next;
  return inner;
};
