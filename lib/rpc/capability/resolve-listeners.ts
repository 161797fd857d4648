/**
 * Who waits for a promise to resolve. One that is taken away while others are told is not told any more: what hears of it may
 * end another connection, and that lets go of everything it had waiting for this very promise.
 */
export class ResolveListeners {
  /** Undefined until somebody waits: hardly anybody does. */
  #listeners: Set<() => void> | undefined;

  /** What this returns takes the listener away. */
  add(listener: () => void): () => void {
    this.#listeners ??= new Set();
    const listeners = this.#listeners;
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** Tells each of them, once, in their order. */
  tell(): void {
    const listeners = this.#listeners;
    if (listeners === undefined) return;
    for (const listener of listeners) {
      listeners.delete(listener);
      listener();
    }
  }
}
