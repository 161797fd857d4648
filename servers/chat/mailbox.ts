import type { Chat } from "./chat.capnp.ts";

/** How many events may wait for one listener; the oldest make room. */
const maxWaiting = 200;
/** Milliseconds that a listener may take for one call. */
const patience = 30_000;

/**
 * What one listener has still to hear. One call is under way at a time, and what happens meanwhile waits for the next one: who is
 * slow holds up nobody, and costs no more than `maxWaiting` events.
 */
export class Mailbox {
  readonly #listener: Chat.Listener.Client;
  readonly #onLost: () => void;
  readonly #closed = new AbortController();
  #waiting: Chat.Event.Init[] = [];
  #missed = 0;
  #isDelivering = false;

  /**
   * @param listener Taken over.
   * @param onLost Called when the listener has failed, or was too slow: it hears nothing any more.
   */
  constructor(listener: Chat.Listener.Client, onLost: () => void) {
    this.#listener = listener;
    this.#onLost = onLost;
  }

  post(...events: readonly Chat.Event.Init[]): void {
    if (this.#closed.signal.aborted) return;
    this.#waiting.push(...events);
    const tooMany = this.#waiting.length - maxWaiting;
    if (tooMany > 0) {
      this.#waiting.splice(0, tooMany);
      this.#missed += tooMany;
    }
    if (!this.#isDelivering) void this.#deliver();
  }

  /** Gives up what waits, and the call that is under way. */
  close(): void {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort();
    this.#waiting = [];
    this.#listener.release();
  }

  async #deliver(): Promise<void> {
    this.#isDelivering = true;
    const { signal } = this.#closed;
    try {
      while (this.#waiting.length > 0) {
        const news = { events: this.#waiting, missed: this.#missed };
        this.#waiting = [];
        this.#missed = 0;
        await this.#listener.heard(news, { signal, timeout: patience });
      }
    } catch {
      // The listener is gone, or does not want to hear: either way its member is out. Where it was closed here, that is known.
      if (!signal.aborted) this.#onLost();
    }
    this.#isDelivering = false;
  }
}
