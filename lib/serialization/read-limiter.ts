import { CapnpError } from "../errors.ts";

/** Limits on what reading one message may cost. Both guard against messages made to waste the reader's time. */
export interface ReaderOptions {
  /**
   * How many words may be visited while a message is read, counting a word each time it is visited. A small message may
   * point to the same data many times; without a limit, a walk over it takes time exponential in its size.
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

export const defaultTraversalLimitInWords = 8 * 1024 * 1024;
export const defaultNestingLimit = 64;

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
