import type { Clock } from "../clock.ts";

/** Allows `burst` events at once, and `perSecond` of them in the long run. */
export class TokenBucket {
  readonly #burst: number;
  readonly #perSecond: number;
  readonly #clock: Clock;
  #tokens: number;
  /** When `#tokens` was right. The clock is not read before the first event. */
  #at: number | undefined;

  constructor(burst: number, perSecond: number, clock: Clock) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#clock = clock;
    this.#tokens = burst;
  }

  /** Counts an event; false where it is one too many. */
  take(): boolean {
    const now = this.#clock.now();
    // A rate without limit has no time to wait for: 0 ms times Infinity is no number.
    const gained = this.#perSecond === Number.POSITIVE_INFINITY ? this.#burst : this.#gained(now);
    this.#tokens = Math.min(this.#burst, this.#tokens + gained);
    this.#at = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  #gained(now: number): number {
    return this.#at === undefined ? 0 : (Math.max(0, now - this.#at) * this.#perSecond) / 1000;
  }
}
