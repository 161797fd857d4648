import type { ConnectionState } from "./connection-state.ts";

/** Milliseconds between two looks at what the peer has read: in no time does a network take all of `maxOutboundBytes`. */
const interval = 2;

/**
 * Results that wait until the peer has read some of what was sent before (`maxOutboundBytes`), oldest first. A peer may well read
 * as fast as it can, and have asked for more at once than may be under way to it.
 *
 * A transport says how much waits, and not when that changes: it is looked at from time to time.
 */
export class WaitingResults {
  readonly #state: ConnectionState;
  #waiting: { readonly bytes: number; readonly send: () => void }[] = [];
  #bytes = 0;
  #stopLooking: (() => void) | undefined;

  constructor(state: ConnectionState) {
    this.#state = state;
  }

  /** False where too much waits here, too; otherwise `send` is called once, when there is room or when the connection has ended. */
  add(bytes: number, send: () => void): boolean {
    const { resultBytes, limits } = this.#state;
    if (resultBytes + this.#bytes + bytes > limits.maxResultBytes) return false;
    this.#bytes += bytes;
    this.#waiting.push({ bytes, send });
    if (this.#stopLooking === undefined) {
      this.#state.atClose.add(this);
      this.#lookLater();
    }
    return true;
  }

  #lookLater(): void {
    this.#stopLooking = this.#state.clock.after(interval, () => {
      // What is sent may let another call end, whose results wait here in turn.
      while (this.#waiting.length > 0 && !this.#state.isCrowded) this.#sendFirst();
      if (this.#waiting.length > 0) {
        this.#lookLater();
        return;
      }
      this.#stopLooking = undefined;
      this.#state.atClose.delete(this);
    });
  }

  #sendFirst(): void {
    const first = this.#waiting.shift();
    if (first === undefined) return;
    this.#bytes -= first.bytes;
    first.send();
  }

  lost(): void {
    this.#stopLooking?.();
    while (this.#waiting.length > 0) this.#sendFirst();
  }
}
