import type { Logger } from "../logger.ts";

/** How calls ended: well, with an error of some kind, or given up by the caller (or with its connection). */
export interface CallOutcomes {
  ok: number;
  failed: number;
  overloaded: number;
  disconnected: number;
  unimplemented: number;
  canceled: number;
}

export const noOutcomes = (): CallOutcomes => ({
  ok: 0,
  failed: 0,
  overloaded: 0,
  disconnected: 0,
  unimplemented: 0,
  canceled: 0,
});

/**
 * One call as those who watch see it: the same object at its start and at its end, so that a WeakMap can carry what they keep in
 * between. It never holds what was said: no params, no results, no object ids.
 */
export interface CallRecord {
  /** `server` where the peer calls this vat, `client` where this vat calls the peer. */
  readonly side: "client" | "server";
  /** The number of the connection, as in the log. */
  readonly conn: number;
  /** The peer's address. */
  readonly peer: string;
  /** `Calculator.evaluate`, or the ids where no class of the interface was defined. */
  readonly method: string;
  readonly interfaceId: bigint;
  readonly methodId: number;
  /** The caller's question id: free again when the call is over. */
  readonly call: number;
  /** Milliseconds that it took; undefined until it is over. */
  duration: number | undefined;
  /** Why it failed; undefined while it has not. */
  error: Error | undefined;
}

/** Hears of the calls of one connection. It must not throw. */
export interface CallObserver {
  /** Undefined where nobody watches now: then nobody is told of the call's end, either. */
  started(side: CallRecord["side"], interfaceId: bigint, methodId: number, call: number): CallRecord | undefined;
  /** @param error Why it failed or was given up; undefined where it returned. */
  ended(record: CallRecord, error: Error | undefined): void;
  /** A call of the peer's failed here. */
  failed(interfaceId: bigint, methodId: number, call: number, error: Error): void;
  /** The peer has answered a call of ours with kind `disconnected`, though the connection with it stands. */
  answeredDisconnected(): void;
  /** A logger for one call. */
  logger(interfaceId: bigint, methodId: number, call: number): Logger;
}
