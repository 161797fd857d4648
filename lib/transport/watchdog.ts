/**
 * A timeout that is put off far more often than it runs out. Starting or restarting it costs a reading of the clock; the one timer
 * behind it is armed anew only when it lapses and finds that it was put off. It keeps the process alive only where it is told to.
 */
export class Watchdog {
  readonly #limit: number;
  readonly #expired: () => void;
  readonly #isHolding: boolean;
  #running = false;
  #since = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param limit Milliseconds; 0 or Infinity means never.
   * @param isHolding Whether the process stays alive for it. Default: no.
   */
  constructor(limit: number, expired: () => void, isHolding = false) {
    this.#isHolding = isHolding;
    this.#limit = limit > 0 ? limit : Number.POSITIVE_INFINITY;
    this.#expired = expired;
  }

  /** Begins to count, unless it is counting already. */
  start(): void {
    if (!this.#running) this.restart();
  }

  /** Begins to count from now. */
  restart(): void {
    if (this.#limit === Number.POSITIVE_INFINITY) return;
    this.#running = true;
    this.#since = performance.now();
    if (this.#timer === undefined) this.#arm(this.#limit);
  }

  /** Stops counting. The timer is left to lapse: it is likely to be wanted again soon. */
  stop(): void {
    this.#running = false;
  }

  /** Stops for good. */
  dispose(): void {
    this.#running = false;
    clearTimeout(this.#timer);
  }

  #arm(delay: number): void {
    this.#timer = setTimeout(() => this.#lapsed(), Math.min(delay, longestTimer));
    if (!this.#isHolding) unref(this.#timer);
  }

  #lapsed(): void {
    this.#timer = undefined;
    if (!this.#running) return;
    const left = this.#since + this.#limit - performance.now();
    if (left > 0) {
      this.#arm(Math.ceil(left));
    } else {
      this.#running = false;
      this.#expired();
    }
  }
}

/** Lets the process end although this timer waits; elsewhere than in Node, timers are numbers and hold nothing up. */
export function unref(timer: ReturnType<typeof setTimeout>): void {
  (timer as { unref?: () => unknown }).unref?.();
}

/** Node runs a longer timer at once. */
const longestTimer = 2 ** 31 - 1;
