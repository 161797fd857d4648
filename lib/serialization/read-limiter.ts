import { CapnpError } from "../errors.ts";

/** Limits on what reading one message may cost. Both guard against messages made to waste the reader's time. */
export interface ReaderOptions {
  /**
   * How many words may be visited while a message is read, counting a word each time it is visited. A small message may
   * point to the same data many times; without a limit, a walk over it takes time exponential in its size. What is made of a
   * message counts, too, where it is more than what was read: in `toObject` a word pays for 8 values, in JSON and text for 2.
   *
   * Default: 8 Mi words (64 MiB).
   */
  readonly traversalLimitInWords?: number;
  /**
   * How deep pointers may nest. A small message may nest so deeply that a recursive walk overflows the stack.
   *
   * Default: 64.
   */
  readonly nestingLimit?: number;
}

/** Throws CAPNP_TYPE or CAPNP_RANGE for a limit that is none: one that was mistyped would be no limit. */
export const checkReaderOptions = (options: ReaderOptions): void => {
  checkLimit("traversalLimitInWords", options.traversalLimitInWords);
  checkLimit("nestingLimit", options.nestingLimit);
};

const checkLimit = (name: string, value: unknown): void => {
  if (value === undefined) return;
  const wanted = `${name} must be a number of 0 or more, or Infinity for no limit`;
  if (typeof value !== "number") throw new CapnpError("CAPNP_TYPE", `${wanted}, not a ${typeof value}.`);
  if (!(value >= 0)) throw new CapnpError("CAPNP_RANGE", `${wanted}, not ${value}.`);
};

export const defaultTraversalLimitInWords = 8 * 1024 * 1024;
export const defaultNestingLimit = 64;

/**
 * How deep pointers may nest where nobody limits it, as in a message that is built here: deeper than memory allows. Not
 * Infinity: a depth that is no small integer costs every reader and builder an allocation of its own in V8.
 */
export const unlimitedNesting = 0x3fffffff;

export const traversalLimitExceeded = (): CapnpError =>
  new CapnpError(
    "CAPNP_TRAVERSAL_LIMIT",
    "Exceeded message traversal limit. Where the message is trusted, raise `traversalLimitInWords` (default 8388608 words).",
  );

export const nestingLimitExceeded = (): CapnpError =>
  new CapnpError(
    "CAPNP_NESTING_LIMIT",
    "Message is too deeply nested or contains cycles. Where the message is trusted, raise `nestingLimit` (default 64).",
  );
