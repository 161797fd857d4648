import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** What an action may cost at most. The defaults are generous: an attack that works costs a thousand times as much. */
export interface Budget {
  /** Milliseconds of this process's CPU time, which a busy machine does not stretch as it does the clock. Default: 50. */
  readonly cpuMs?: number;
  /** Bytes of ArrayBuffers, where whatever a peer declares the size of would be. Default: 64 KiB. */
  readonly bufferBytes?: number;
  /** Bytes on the heap, which are counted by its pages. Default: 2 MiB. */
  readonly heapBytes?: number;
}

/** What an action took: of memory what was allocated and not collected again before it ended. */
export type Cost = Required<Budget>;

type Collect = (options?: { readonly type: "minor" }) => void;

const collect: Collect = (() => {
  // Also where node was not started with --expose-gc.
  if (globalThis.gc !== undefined) return globalThis.gc as Collect;
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as Collect;
})();

/** Collects all garbage. */
export const collectGarbage = (): void => collect();

const start = (): (() => Cost) => {
  // The young generation, so that no collection comes in between; a full one takes longer than most of what is measured.
  collect({ type: "minor" });
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  const cpu = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(cpu);
    const now = process.memoryUsage();
    return {
      cpuMs: (user + system) / 1000,
      bufferBytes: now.arrayBuffers - arrayBuffers,
      heapBytes: now.heapUsed - heapUsed,
    };
  };
};

const within = (cost: Cost, budget: Cost): boolean =>
  cost.cpuMs <= budget.cpuMs && cost.bufferBytes <= budget.bufferBytes && cost.heapBytes <= budget.heapBytes;

const attempts = 3;

const budgetOf = (budget: Budget): Cost => ({
  cpuMs: 50,
  bufferBytes: 64 * 1024,
  heapBytes: 2 * 1024 * 1024,
  ...budget,
});

const overBudget = (cost: Cost, budget: Cost): Error =>
  new Error(
    `the budget is ${JSON.stringify(budget)}; it took ${JSON.stringify(cost)} at the last of ${attempts} attempts`,
  );

/**
 * Runs an action and throws unless it stays within the budget. It has three attempts, as the first may have to compile what it
 * calls. Returns what the action returned.
 */
export const withinBudget = <T>(action: () => T, budget: Budget = {}): T => {
  const limits = budgetOf(budget);
  for (let attempt = 1; ; attempt++) {
    const stop = start();
    const result = action();
    const cost = stop();
    if (within(cost, limits)) return result;
    if (attempt === attempts) throw overBudget(cost, limits);
  }
};

/** The same of something that takes turns of the event loop. */
export const withinBudgetAsync = async <T>(action: () => Promise<T>, budget: Budget = {}): Promise<T> => {
  const limits = budgetOf(budget);
  for (let attempt = 1; ; attempt++) {
    const stop = start();
    const result = await action();
    const cost = stop();
    if (within(cost, limits)) return result;
    if (attempt === attempts) throw overBudget(cost, limits);
  }
};

/** Most memory that an action had in ArrayBuffers at once, above what there was before. `sample` is to be called often. */
export class PeakMemory {
  readonly #before: NodeJS.MemoryUsage;
  arrayBuffers = 0;
  rss = 0;

  constructor() {
    collectGarbage();
    this.#before = process.memoryUsage();
  }

  sample(): void {
    const { arrayBuffers, rss } = process.memoryUsage();
    this.arrayBuffers = Math.max(this.arrayBuffers, arrayBuffers - this.#before.arrayBuffers);
    this.rss = Math.max(this.rss, rss - this.#before.rss);
  }
}
