import type { Clock } from "../../lib/rpc/clock.ts";

/** A clock that goes when the test says so. */
export interface SteppedClock extends Clock {
  /** How many timers wait. */
  readonly timers: number;
  pass(milliseconds: number): void;
}

export const steppedClock = (): SteppedClock => {
  let now = 1_000_000;
  const timers = new Set<{ readonly at: number; readonly act: () => void }>();
  return {
    get timers() {
      return timers.size;
    },
    now: () => now,
    after: (milliseconds, act) => {
      const timer = { at: now + milliseconds, act };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    pass: (milliseconds) => {
      now += milliseconds;
      for (const timer of [...timers].sort((a, b) => a.at - b.at)) {
        if (timer.at <= now && timers.delete(timer)) timer.act();
      }
    },
  };
};
