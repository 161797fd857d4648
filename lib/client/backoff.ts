import { type Clock, systemClock } from "../rpc/clock.ts";

/**
 * How long to wait before the next attempt: each time anywhere between nothing and a bound that doubles (full jitter), so that
 * the clients of a server that went down do not all come back in the same moment.
 */
export class Backoff {
  readonly #minDelay: number;
  readonly #maxDelay: number;
  readonly #random: () => number;
  #failures = 0;

  /** @param random Gives numbers from 0 to below 1. */
  constructor(minDelay: number, maxDelay: number, random: () => number) {
    this.#minDelay = minDelay;
    this.#maxDelay = maxDelay;
    this.#random = random;
  }

  /** The most that the next delay can be, in milliseconds. */
  get bound(): number {
    return Math.min(this.#maxDelay, this.#minDelay * 2 ** this.#failures);
  }

  next(): number {
    const delay = this.#random() * this.bound;
    this.#failures++;
    return delay;
  }

  /** Begins from the smallest bound again. */
  reset(): void {
    this.#failures = 0;
  }
}

const longestTimer = 2 ** 31 - 1;

/**
 * Waits. Unlike the timers of a `Clock` it keeps the process alive: who waits to connect again has not finished.
 *
 * @param signal Ends the wait at once. It does not reject.
 */
export const pause = (clock: Clock, milliseconds: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const after = clock === systemClock ? afterInWaking : clock.after;
    const done = (): void => {
      stop();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const stop = after(milliseconds, done);
    signal.addEventListener("abort", done, { once: true });
  });

const afterInWaking: Clock["after"] = (milliseconds, act) => {
  const timer = setTimeout(act, Math.min(milliseconds, longestTimer));
  return () => clearTimeout(timer);
};
