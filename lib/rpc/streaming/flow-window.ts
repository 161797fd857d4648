import type { FlowWindow } from "./flow-controller.ts";

/** What a stream may have under way unless an option says otherwise: 64 KiB. */
export const defaultStreamWindow = 64 * 1024;

/** A window that never changes. */
export class FixedWindow implements FlowWindow {
  readonly size: number;

  /** @param size In bytes. */
  constructor(size: number) {
    this.size = size;
  }

  sent(): void {
    // The size does not depend on it.
  }

  acked(): void {
    // Nor on this.
  }
}

/** What an adaptive window starts with: enough for a fast local network, little for a slow one. */
export const initialWindow = 256 * 1024;
/** A window is never smaller: less would not pay for a message's own costs. */
export const minimumWindow = 64 * 1024;
/** Nor larger unless something else is said: whatever is measured, one stream must not take all of the memory. */
export const maximumWindow = 1024 * 1024 * 1024;

const startupGrowth = 2;
const steadyGrowth = 5 / 4;
const steadyDecay = 7 / 8;
/** Rounds in a row without growth that end the start-up. */
const startupRounds = 3;
/** A round with less growth than this counts as one without. */
const worthwhileGrowth = 5 / 4;

/** What the stream was like when a message was sent. */
interface Snapshot {
  readonly at: number;
  readonly delivered: number;
  readonly deliveredAt: number;
  /** The sender filled the window with this message, and was held back. */
  readonly filled: boolean;
}

/**
 * A window that follows the bandwidth-delay product: what must be under way for the connection never to be idle, and no
 * more, since more only waits in buffers. The bandwidth is measured from when one message was sent until it has returned, by
 * all that returned in between; the delay is the shortest time in which any message ever returned.
 *
 * State: start-up (the window doubles with each round trip for as long as that makes it any faster) -> steady (the window is
 * a bit more than the product that was measured, so that it notices when there is more to have; it falls by an eighth in a
 * round trip at most). A sender that does not fill the window says nothing about the connection: the window does not shrink then.
 */
export class AdaptiveWindow implements FlowWindow {
  readonly #now: () => number;
  readonly #largest: number;
  #size = initialWindow;
  #isStarting = true;
  #delivered = 0;
  #deliveredAt: number | undefined;
  #shortest = Number.POSITIVE_INFINITY;
  /** A round lasts until a message returns that was sent after the round began. */
  #roundFrom = 0;
  #roundWindow = 0;
  #roundsWithoutGrowth = 0;
  /** The most bandwidth that was measured in this round. */
  #roundBandwidth = 0;
  #roundFilled = false;

  /**
   * @param now A clock in milliseconds that never goes back.
   * @param largest What the window may grow to, in bytes.
   */
  constructor(now: () => number, largest: number = maximumWindow) {
    this.#now = now;
    this.#largest = largest;
  }

  get size(): number {
    return this.#size;
  }

  /** True until the window has stopped to grow for the first time. */
  get isStarting(): boolean {
    return this.#isStarting;
  }

  sent(bytes: number, inFlight: number): Snapshot {
    const at = this.#now();
    // After a pause, the time in which nothing was under way tells nothing of the bandwidth.
    if (inFlight === bytes) this.#deliveredAt = at;
    return {
      at,
      delivered: this.#delivered,
      deliveredAt: this.#deliveredAt ?? at,
      filled: inFlight >= this.#size,
    };
  }

  acked(bytes: number, sent: unknown): void {
    const { at, delivered, deliveredAt, filled } = sent as Snapshot;
    const now = this.#now();
    this.#delivered += bytes;
    this.#deliveredAt = now;
    const delay = now - at;
    if (delay > 0 && delay < this.#shortest) this.#shortest = delay;
    const elapsed = now - deliveredAt;
    if (elapsed > 0) {
      const bandwidth = (this.#delivered - delivered) / elapsed;
      if (bandwidth > this.#roundBandwidth) this.#roundBandwidth = bandwidth;
    }
    if (filled) this.#roundFilled = true;
    // To grow need not wait for the end of a round: in the start-up, each message that returns makes room for two.
    if (this.#isStarting) this.#resize(startupGrowth, this.#size);
    if (delivered >= this.#roundFrom) this.#endRound();
  }

  #endRound(): void {
    const filled = this.#roundFilled;
    if (!this.#isStarting) this.#resize(steadyGrowth, filled ? this.#size * steadyDecay : this.#size);
    else if (filled) this.#countRound();
    this.#roundFrom = this.#delivered;
    this.#roundBandwidth = 0;
    this.#roundFilled = false;
  }

  #countRound(): void {
    if (this.#size > this.#roundWindow * worthwhileGrowth) {
      this.#roundsWithoutGrowth = 0;
      this.#roundWindow = this.#size;
    } else if (++this.#roundsWithoutGrowth === startupRounds) this.#isStarting = false;
  }

  #resize(growth: number, least: number): void {
    const product = this.#roundBandwidth * this.#shortest;
    // A clock that is too coarse for the connection measures nothing; the window stays what it is.
    if (!(product > 0) || product === Number.POSITIVE_INFINITY) return;
    this.#size = Math.round(Math.min(Math.max(product * growth, least, minimumWindow), this.#largest));
  }
}
