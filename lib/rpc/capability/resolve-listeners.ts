/**
 * Who waits for a promise to resolve. One that is taken away while others are told is not told any more: what hears of it may
 * end another connection, and that lets go of everything it had waiting for this very promise.
 */
export class ResolveListeners {
  readonly #listeners = new Set<() => void>();

  /** What this returns takes the listener away. */
  add(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tells each of them, once, in their order. */
  tell(): void {
    for (const listener of this.#listeners) {
      this.#listeners.delete(listener);
      listener();
    }
  }
}
