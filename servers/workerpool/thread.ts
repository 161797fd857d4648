import { setImmediate as nextTurn } from "node:timers/promises";
import { CapnpError } from "capstan";
import { type Compute, Thread } from "./workerpool.capnp.ts";

/** How long a computation may keep its thread from looking for messages, in milliseconds. */
const slice = 10;

/**
 * Gives way from time to time: other calls go on, and the news arrives that this one has been given up. Without it nothing would
 * reach the thread before the computation is over.
 */
class Turn {
  readonly #signal: AbortSignal;
  #until = performance.now() + slice;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** Rejects when the caller has given up. */
  async giveWay(): Promise<void> {
    if (performance.now() < this.#until) return;
    await nextTurn();
    this.#signal.throwIfAborted();
    this.#until = performance.now() + slice;
  }
}

/** Computes, in the thread in which it is. */
export class ThreadImpl extends Thread.Server {
  #running = 0;

  override async countPrimes({ from, to }: Compute.CountPrimesParams.Reader, { signal }: Compute.CountPrimesContext) {
    return this.#run(async () => {
      const turn = new Turn(signal);
      let count = 0;
      for (let n = from; n < to; n++) {
        if (isPrime(n)) count++;
        if (n % 256 === 0) await turn.giveWay();
      }
      return { count };
    });
  }

  override async paint({ view, to }: Compute.PaintParams.Reader, { signal }: Compute.PaintContext) {
    return this.#run(async () => {
      if (to === null) throw new CapnpError("CAPNP_CALL", "there is nobody to give the rows to");
      using rows = to;
      const turn = new Turn(signal);
      for (let y = view.firstRow; y < view.firstRow + view.rows; y++) {
        const depths: number[] = [];
        for (let x = 0; x < view.columns; x++) {
          depths.push(depth(view.left + x * view.stepRight, view.top + y * view.stepDown, view.maxDepth));
          await turn.giveWay();
        }
        // Waits where rows are made faster than they are taken.
        await rows.row({ depths });
      }
      await rows.done();
    });
  }

  override running() {
    return { calls: this.#running };
  }

  async #run<T>(compute: () => Promise<T>): Promise<T> {
    this.#running++;
    try {
      return await compute();
    } finally {
      this.#running--;
    }
  }
}

const isPrime = (n: number): boolean => {
  if (n < 4) return n > 1;
  if (n % 2 === 0) return false;
  for (let divisor = 3; divisor * divisor <= n; divisor += 2) if (n % divisor === 0) return false;
  return true;
};

/** The steps in which a point leaves the Mandelbrot set. */
const depth = (x: number, y: number, maxDepth: number): number => {
  let [re, im] = [0, 0];
  for (let step = 0; step < maxDepth; step++) {
    [re, im] = [re * re - im * im + x, 2 * re * im + y];
    if (re * re + im * im > 4) return step;
  }
  return maxDepth;
};
