import type { Loose } from "./loose.ts";

/** Methods of a node that records the order in which calls arrive. */
export const recorder = (calls: number[]) => ({
  order({ n }: Loose) {
    calls.push(n);
    return n;
  },
});

/** A method that returns its param, of which it keeps nothing. */
export const echoBack = ({ params, results }: Loose): void => {
  const { cap } = params;
  results.cap = cap;
  cap?.release();
};

/** A promise, and what settles it. */
export const deferred = () => {
  let resolve: (value: Loose) => void = () => undefined;
  let reject: (error: Loose) => void = () => undefined;
  const promise = new Promise<Loose>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
};

/** A node that keeps the capability that it is given, for the test to call. */
export const holder = () => {
  const held: { cap: Loose; take(): Loose } = {
    cap: undefined,
    take() {
      const { cap } = held;
      held.cap = undefined;
      return cap;
    },
  };
  return {
    held,
    methods: {
      hold({ cap }: Loose) {
        held.cap = cap;
      },
    },
  };
};

/** A method that runs until the test ends it, or until it is canceled. */
export const pending = (result: (context: Loose) => void = () => undefined) => {
  const ends: (() => void)[] = [];
  const aborted: number[] = [];
  return {
    ends,
    aborted,
    method: (context: Loose) =>
      new Promise<void>((resolve) => {
        const index =
          ends.push(() => {
            result(context);
            resolve();
          }) - 1;
        context.signal.addEventListener("abort", () => aborted.push(index));
      }),
  };
};
