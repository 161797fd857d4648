import { type Limit, readLimits } from "../limit.ts";
import { defaultMaxFrameBytes, defaultMaxSegments } from "../serialization/framing.ts";

/**
 * The limits of one byte stream (`ByteStreamOptions`) and of a listening socket (`ListenSocketOptions`), with their defaults.
 * docs/limits.md has the same list, and a test holds the two together.
 */
export const streamLimits = {
  maxSegments: { kind: "count", default: defaultMaxSegments },
  maxFrameBytes: { kind: "count", default: defaultMaxFrameBytes },
  maxFirstFrameBytes: { kind: "count", default: Number.POSITIVE_INFINITY },
  softQueuedBytes: { kind: "count", default: 1024 * 1024 },
  maxQueuedBytes: { kind: "count", default: 16 * 1024 * 1024 },
  maxHeldBytes: { kind: "count", default: 16 * 1024 * 1024 },
  slowReaderTimeout: { kind: "time", default: 30_000 },
  firstMessageTimeout: { kind: "time", default: 0 },
  partialFrameTimeout: { kind: "time", default: 30_000 },
  closeTimeout: { kind: "time", default: 5_000 },
} as const satisfies Record<string, Limit>;

export const listenLimits = {
  backlog: { kind: "count", default: 511 },
  maxConnections: { kind: "count", default: 10_000 },
  maxConnectionsPerAddress: { kind: "count", default: 1_000 },
  idleTimeout: { kind: "time", default: 0 },
} as const satisfies Record<string, Limit>;

/** What `listen` sets otherwise than `streamLimits` has it: who connects is a stranger until it has said something. */
export const strangerLimits = {
  firstMessageTimeout: 10_000,
  maxFirstFrameBytes: 64 * 1024,
} as const;

/** And for peers from other machines. */
export const remoteLimits = { maxFrameBytes: 4 * 1024 * 1024 } as const;

/** What a peer may do over one WebSocket, besides what it may over every connection. */
export interface WebSocketLimits {
  /**
   * The most pieces that one message may come in. Attack: pieces of a byte each, whose bookkeeping outweighs them. Default 16,384;
   * then the connection ends with close code 1008.
   */
  readonly maxFragments?: number;
  /** The most pings that may wait for their pongs to leave. Attack: a flood of pings. Default 60; then close code 1008. */
  readonly maxPendingPongs?: number;
}

/** What one WebSocket may do, besides what every connection may (`WebSocketOptions`). */
export const webSocketLimits = {
  upgradeTimeout: { kind: "time", default: 10_000 },
  maxFragments: { kind: "count", default: 16_384 },
  maxPendingPongs: { kind: "count", default: 60 },
} as const satisfies Record<string, Limit>;

/** What a connecting socket may take. */
export const connectLimits = {
  timeout: { kind: "time", default: 10_000 },
} as const satisfies Record<string, Limit>;

export type StreamLimitName = keyof typeof streamLimits;

type Given<Name extends string> = { readonly [N in Name]?: number | undefined };

/** Throw CAPNP_TYPE or CAPNP_RANGE, naming the option that is wrong. Whatever else the options have is left alone. */
export const readStreamLimits = (given?: Given<StreamLimitName>): Record<StreamLimitName, number> =>
  readLimits<StreamLimitName>(streamLimits, given);

export const readListenLimits = (given?: Given<keyof typeof listenLimits>): Record<keyof typeof listenLimits, number> =>
  readLimits<keyof typeof listenLimits>(listenLimits, given);

export const readConnectLimits = (
  given?: Given<keyof typeof connectLimits>,
): Record<keyof typeof connectLimits, number> => readLimits<keyof typeof connectLimits>(connectLimits, given);

export const readWebSocketLimits = (
  given?: Given<keyof typeof webSocketLimits>,
): Record<keyof typeof webSocketLimits, number> => readLimits<keyof typeof webSocketLimits>(webSocketLimits, given);
