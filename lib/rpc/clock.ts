/** What a connection needs of time. A test brings its own; the protocol itself reads no clock. */
export interface Clock {
  /** Milliseconds since whenever. */
  now(): number;
  /** Calls back after so many milliseconds, unless what it returns is called before. It does not keep the process alive. */
  after(milliseconds: number, act: () => void): () => void;
}

/** Node runs a longer timer at once. */
const longestTimer = 2 ** 31 - 1;

/** Time as it passes. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after: (milliseconds, act) => {
    const timer = setTimeout(act, Math.min(milliseconds, longestTimer));
    // A browser's timer is a number.
    if (typeof timer === "object") timer.unref();
    return () => clearTimeout(timer);
  },
};
