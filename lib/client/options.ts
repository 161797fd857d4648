import type { ConnectSocketOptions } from "../transport/connect-socket.ts";
import type { VatOptions } from "../two-party-vat.ts";
import type { Resolver } from "./addresses.ts";
import type { PickPolicy } from "./endpoint.ts";
import type { MethodList } from "./idempotent.ts";
import type { KeepaliveOptions } from "./keepalive.ts";
import type { Session } from "./session.ts";

/** How a lost connection is replaced. */
export interface ReconnectOptions {
  /** The first delay is anywhere from 0 to this, each further one to twice the bound before. Milliseconds, default 100. */
  readonly minDelay?: number;
  /** The bound does not grow beyond this. Milliseconds, default 30 s. */
  readonly maxDelay?: number;
  /** How many attempts may fail one after the other; then the client is closed. Default: no limit. */
  readonly maxAttempts?: number;
  /** How many calls may wait for a connection; one more fails with kind `overloaded`. Default: 1,024; 0: calls fail at once, with kind `disconnected`. */
  readonly maxWaitingCalls?: number;
  /** How long a call may wait; then it fails with CAPNP_CONNECT. Milliseconds, default 30 s; 0 or Infinity: for ever. */
  readonly waitTimeout?: number;
  /** Numbers from 0 to below 1, for the jitter of delays and ages and for the choice of servers. Default: `Math.random`. */
  readonly random?: () => number;
}

/**
 * Which calls are made again when they fail with `disconnected`: those of methods that are marked `$Rpc.idempotent`
 * (/capstan/rpc.capnp) or listed here. No other call is ever sent twice.
 */
export interface RetryOptions {
  /** Methods that may run twice, besides those that are marked: `[[Example, ["alive"]]]`. */
  readonly methods?: MethodList;
  /** How often a call is made at the most, the first time included. Default: 3. */
  readonly attempts?: number;
  /** How many retries may be made at once; each takes a token of so many. Default: 10. */
  readonly budget?: number;
  /** The part of a token that each such call gives back when it returns. Default: 0.1, so that in the long run one call in eleven is a retry. */
  readonly refill?: number;
}

/** Options of `connect` for one connection. */
export interface ConnectionOptions extends VatOptions, Omit<ConnectSocketOptions, keyof VatOptions | "timeout"> {
  /**
   * How long it may take in all until `connect` resolves: names, TCP and TLS handshake, with each of the addresses. Later, how
   * long an attempt to connect again may take. Milliseconds, default 10 s; 0 or Infinity: no limit.
   */
  readonly connectTimeout?: number;
  /** Finds out that the peer is gone without a word. Default: it is asked after 20 s of silence, and has 10 s. False: never. */
  readonly keepalive?: KeepaliveOptions | false;
  /**
   * Which of several servers is chosen. Default: the `first` that can be reached, in the order given. With `round-robin`, each
   * connection goes to the next one, beginning anywhere; a name counts as many servers as it has addresses.
   */
  readonly pick?: PickPolicy;
  /** What turns names into addresses, for `round-robin` and `srv://`. Default: the system's. */
  readonly resolver?: Resolver;
}

/** Options of `connect` for a client that outlives its connections. */
export interface KeptOptions {
  /**
   * Makes a lost connection anew. Default: only where `onSession`, `lazy`, `maxConnectionAge`, `deadline` or `retry` is given;
   * false: never.
   */
  readonly reconnect?: ReconnectOptions | boolean;
  /**
   * Runs on every connection, the first included: to authenticate, to subscribe. Calls and `connect` wait for it, for
   * `sessionTimeout` at the most. Use `session`, not the client: its calls would wait, too. Where it throws, the connection is
   * closed and another one is made; the first time, `connect` rejects with what it threw.
   */
  readonly onSession?: (session: Session, context: { readonly signal: AbortSignal }) => unknown;
  /** How long calls and `connect` wait for `onSession`, which may well go on after that. Milliseconds, default 1 s. */
  readonly sessionTimeout?: number;
  /** Resolves at once; the connection is made for the first call. Default: false. */
  readonly lazy?: boolean;
  /**
   * Milliseconds after which a connection is replaced, 10 % more or less, so that clients spread over servers that have come later.
   * Default: never. The new one stands before the old one goes.
   */
  readonly maxConnectionAge?: number;
  /** How long calls on a connection that was replaced may take to return. Milliseconds, default 30 s. */
  readonly connectionGrace?: number;
  /** Milliseconds that any call on the capabilities of this client may take, its waiting included. Default: no limit. */
  readonly deadline?: number;
  /** Makes calls of idempotent methods again that were lost with their connection. Default: those that are marked; false: none. */
  readonly retry?: RetryOptions | false;
}

/** Options of `connect`. */
export interface ConnectOptions extends ConnectionOptions, KeptOptions {}

/** Those of them with which `connect` gives a client that outlives its connections. */
export type SessionOptions = ConnectOptions & WantsSessions;

export type WantsSessions =
  | { readonly reconnect: ReconnectOptions | true }
  | { readonly onSession: NonNullable<KeptOptions["onSession"]> }
  | { readonly lazy: true }
  | { readonly maxConnectionAge: number }
  | { readonly deadline: number }
  | { readonly retry: RetryOptions | false };

/** Whether they are of that kind. */
export const needsSessions = (options: KeptOptions): boolean => {
  const { reconnect, onSession, lazy, maxConnectionAge, deadline, retry } = options;
  if (reconnect !== undefined && reconnect !== false) return true;
  return [onSession, maxConnectionAge, deadline, retry].some((option) => option !== undefined) || lazy === true;
};

/** What a client's delays, and its choice among servers, are drawn from. */
export const randomOf = ({ reconnect }: KeptOptions): (() => number) =>
  typeof reconnect === "object" ? (reconnect.random ?? Math.random) : Math.random;
