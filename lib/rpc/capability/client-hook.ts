import type { Capability } from "../../serialization/cap-table.ts";
import type { CallContext } from "./call-context.ts";
import type { OutgoingCall } from "./request.ts";

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

  addRef(): this {
    this.#references++;
    return this;
  }

  release(): void {
    if (--this.#references === 0) this.destroyed();
  }

  /** True while somebody besides the one who asks holds a reference. */
  get isShared(): boolean {
    return this.#references > 1;
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

  /** Calls back at the moment this promise resolves (only where `isPromise`). What it returns takes the listener away. */
  onResolved(_listener: () => void): () => void {
    throw new Error("only a promise resolves");
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

/** The end of a chain of resolved promises. Borrowed, not owned. */
export const innermost = (hook: ClientHook): ClientHook => {
  let inner = hook;
  for (let next = inner.resolved; next !== null; next = inner.resolved) inner = next;
  return inner;
};
