import { type Loose, loadLoosely } from "./loose.ts";
import { turn } from "./vats.ts";

/** test/fixtures/streaming.capnp. */
export const streaming: Loose = loadLoosely("test/fixtures/streaming.capnp");

/** Methods of a Stream whose calls run until the test ends them, and what they have seen. */
export const slowStream = () => {
  /** What arrived, as `write 1`; in the order in which methods started. */
  const started: string[] = [];
  /** Ends the oldest call at work: with an error where one is given. */
  const ends: ((error?: Error) => void)[] = [];
  const aborted: string[] = [];
  /** The most methods that were ever at work together. */
  let most = 0;
  let running = 0;
  const run =
    (name: string, streams: boolean) =>
    (context: Loose): Promise<void> | void => {
      const title = `${name} ${context.params.n ?? ""}`.trim();
      started.push(title);
      context.signal.addEventListener("abort", () => aborted.push(title));
      if (!streams) return undefined;
      most = Math.max(most, ++running);
      return new Promise<void>((resolve, reject) => {
        ends.push((error) => {
          running--;
          if (error === undefined) resolve();
          else reject(error);
        });
      });
    };
  return {
    started,
    aborted,
    get most() {
      return most;
    },
    get waiting() {
      return ends.length;
    },
    /** Ends the method at work and lets the next one start. */
    async end(error?: Error): Promise<void> {
      ends.shift()?.(error);
      await turn();
    },
    methods: { write_context: run("write", true), other_context: run("other", true), done_context: run("done", false) },
  };
};

/** Methods of a Stream that takes numbers as they come. */
export const quickStream = () => {
  const numbers: number[] = [];
  return {
    numbers,
    methods: {
      write({ n }: Loose) {
        numbers.push(n);
      },
      other({ n }: Loose) {
        numbers.push(-n);
      },
      done: () => ({ numbers }),
    },
  };
};

/** Whether a promise is settled by now, and how. */
export const stateOf = async (promise: PromiseLike<unknown>): Promise<string> => {
  const pending = {};
  const first = await Promise.race([
    promise.then(
      () => "room",
      (error: Error) => error.message,
    ),
    turn().then(() => pending),
  ]);
  return first === pending ? "waiting" : (first as string);
};

export const stop = (): Error => new Error("the stream is full of stones");
