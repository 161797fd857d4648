import { type Limit, readLimits } from "../limit.ts";

const mebi = 1024 * 1024;

/**
 * What one peer may make a vat hold or do over one connection, each with the attack that it stops. docs/limits.md has the same
 * list, and a test holds the two together. Limits of the bytes below, of times and of the number of connections are options of
 * transports: see `ByteStreamOptions` and `ListenOptions`.
 */
const declared = {
  traversalLimitInWords: { kind: "count", default: 8 * mebi },
  nestingLimit: { kind: "count", default: 64 },
  maxCapabilitiesPerMessage: { kind: "count", default: 1024 },
  maxTransformOps: { kind: "count", default: 64 },
  maxCalls: { kind: "count", default: 1024 },
  maxParamBytes: { kind: "count", default: 16 * mebi },
  maxPipelinedCalls: { kind: "count", default: 1024 },
  maxPipelinedPromises: { kind: "count", default: 16_384 },
  maxAnswers: { kind: "count", default: 65_536 },
  maxResultBytes: { kind: "count", default: 64 * mebi },
  maxExports: { kind: "count", default: 65_536 },
  maxImports: { kind: "count", default: 65_536 },
  maxEmbargoes: { kind: "count", default: 1024 },
  maxMessageBytes: { kind: "count", default: 64 * mebi },
  maxOutboundBytes: { kind: "count", default: 12 * mebi },
  cancelBurst: { kind: "count", default: 1000 },
  cancelsPerSecond: { kind: "rate", default: 33 },
  callTimeout: { kind: "time", default: 0 },
  maxErrorText: { kind: "count", default: 8192 },
} as const satisfies Record<keyof ConnectionLimits, Limit>;

export interface ConnectionLimits {
  /** Words that reading one message may visit. Default: 8 Mi. See `ReaderOptions`. */
  readonly traversalLimitInWords: number;
  /** Depth of pointers in one message. Default: 64. */
  readonly nestingLimit: number;
  /** Capabilities in one message: each costs a row here for a few bytes there. Default: 1,024. Breach: abort. */
  readonly maxCapabilitiesPerMessage: number;
  /** Steps from the results of a call to a capability in them, in one target or descriptor. Default: 64. Breach: abort. */
  readonly maxTransformOps: number;
  /**
   * Calls of the peer's that are at work: delivered or waiting for a promise, and not yet done. A call that was canceled counts
   * until its method is done. Default: 1,024. Breach: the call is answered `overloaded`, so that nothing else on the connection
   * has to wait; a queue of calls could wait for ever for one that stands in it.
   */
  readonly maxCalls: number;
  /** Bytes of the messages that brought those calls. One call may be of any size. Default: 16 MiB. Breach: `overloaded`. */
  readonly maxParamBytes: number;
  /** Calls that wait for one promise. Default: 1,024. Breach: `overloaded`. */
  readonly maxPipelinedCalls: number;
  /** Capabilities, by their place in results that are not there yet, that the peer mentions. Default: 16,384. Breach: `overloaded`. */
  readonly maxPipelinedPromises: number;
  /** Calls of the peer's that have not been finished, returned or not. Default: 65,536. Breach: abort. */
  readonly maxAnswers: number;
  /**
   * Bytes of results that are kept until the peer finishes the call. Default: 64 MiB. Breach: abort. Results that wait to be sent may
   * make it up to that, too (`maxOutboundBytes`).
   */
  readonly maxResultBytes: number;
  /** Capabilities of ours that the peer holds. Default: 65,536. Breach: what would send one more fails with `overloaded`. */
  readonly maxExports: number;
  /** Capabilities of the peer's that are held here. Default: 65,536. Breach: abort. */
  readonly maxImports: number;
  /** Embargoes of ours that the peer has not lifted, and those of the peer's that wait here. Default: 1,024 each. Breach: abort. */
  readonly maxEmbargoes: number;
  /** Bytes of the largest message that may be sent; what does not fit is answered with an exception. Default: 64 MiB. */
  readonly maxMessageBytes: number;
  /**
   * Bytes that may wait for the peer to read, beside one message of any size, before no more is queued behind them. Calls fail with
   * `overloaded` then; results wait in their turn, within `maxResultBytes`, beyond which they fail, too. Default: 12 MiB, three
   * quarters of `maxQueuedBytes`, which ends the connection.
   */
  readonly maxOutboundBytes: number;
  /**
   * Calls that the peer may cancel at once within a second of making them ... Default: 1,000. Attack: to call and cancel is cheap, to
   * serve is not.
   */
  readonly cancelBurst: number;
  /** ... and in each second after that. Default: 33. Breach: abort. */
  readonly cancelsPerSecond: number;
  /** Milliseconds that a call of the peer's may take; then it fails with CAPNP_TIMEOUT and `signal` is aborted. Default: 0, no limit. */
  readonly callTimeout: number;
  /** Characters of an error's text that are sent, or taken from the peer; the rest is cut off. Default: 8,192. */
  readonly maxErrorText: number;
}

/** The limits of `ConnectionLimits` as they are declared. */
export const connectionLimits: Readonly<Record<keyof ConnectionLimits, Limit>> = declared;

/** All limits of a connection, as given or by default. Throws CAPNP_TYPE or CAPNP_RANGE, naming the option that is wrong. */
export const readConnectionLimits = (given?: Partial<ConnectionLimits>): ConnectionLimits =>
  readLimits<keyof ConnectionLimits>(declared, given, { of: "a connection" });
