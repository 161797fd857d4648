import { type AddressSource, isService } from "./client/addresses.ts";
import { Backoff } from "./client/backoff.ts";
import { Dialer, type OpenTransport } from "./client/dial.ts";
import { IdempotentMethods } from "./client/idempotent.ts";
import { readClientLimits, readKeepaliveLimits, readReconnectLimits, readRetryLimits } from "./client/limits.ts";
import { type ConnectionOptions, type ConnectOptions, needsSessions, type SessionOptions } from "./client/options.ts";
import { RetryBudget } from "./client/retry-budget.ts";
import type { RetryPolicy } from "./client/retrying-client.ts";
import { RpcClient } from "./client/rpc-client.ts";
import { watchPeer } from "./client/session.ts";
import { CapnpError } from "./errors.ts";
import { silent } from "./logger.ts";
import { type Clock, systemClock } from "./rpc/clock.ts";
import { readConnectionLimits } from "./rpc/limits.ts";
import { streamsOf } from "./rpc/streaming/stream-window.ts";
import { parseAddress } from "./transport/address.ts";
import { connectSocket } from "./transport/connect-socket.ts";
import { readStreamLimits } from "./transport/limits.ts";
import { TwoPartyClient } from "./two-party-vat.ts";

export type { ConnectionOptions, ConnectOptions } from "./client/options.ts";

/**
 * Connects to a vat: `host:port`, `tcp://host:port`, `tls://host:port`, `ws://host:port/path`, `wss://host:port/path`, `unix:path`, or
 * `srv://_service._tcp.domain` (`tls+srv://...`) for the servers that DNS names. Of several addresses the first is taken that can be reached; see `balance`.
 *
 * What it gives is one connection, whose capabilities end with it. With `reconnect` (or an option that needs it: `onSession`, `lazy`,
 * `maxConnectionAge`, `deadline`, `retry`) it is a client that outlives its connections. It resolves when the first session
 * stands, with `lazy` at once.
 *
 * Rejects with CAPNP_ADDRESS, CAPNP_CONNECT, CAPNP_TLS or CAPNP_CANCELED, with what `onSession` threw the first time, and with
 * CAPNP_TYPE or CAPNP_RANGE for an option that is wrong. With `reconnect`, a server that cannot be reached is tried again
 * until `connectTimeout` has passed.
 */
export function connect(
  address: AddressSource,
  options?: ConnectionOptions & { readonly reconnect?: false },
): Promise<TwoPartyClient>;
export function connect(address: AddressSource, options: SessionOptions): Promise<RpcClient>;
export function connect(address: AddressSource, options: ConnectOptions): Promise<TwoPartyClient | RpcClient>;
export async function connect(
  address: AddressSource,
  options: ConnectOptions = {},
): Promise<TwoPartyClient | RpcClient> {
  checkOptions(address, options);
  const random = typeof options.reconnect === "object" ? (options.reconnect.random ?? Math.random) : Math.random;
  const dialer = new Dialer(address, options, opener(options), random);
  if (needsSessions(options)) return reconnecting(address, options, dialer, random);
  const keepalive = keepaliveOf(options);
  return dialer.dial(dialer.timeout, options.signal, (transport) => {
    const client = new TwoPartyClient(transport, options);
    watchPeer(client, transport, keepalive, options.clock);
    return client;
  });
}

/** What is wrong for every connection is told before there is one. */
const checkOptions = (address: AddressSource, options: ConnectOptions): void => {
  readConnectionLimits(options.limits);
  readStreamLimits(options);
  streamsOf(options.streamWindow);
  keepaliveOf(options);
  if (typeof address === "function") return;
  if (typeof address !== "string" && !Array.isArray(address)) {
    throw new CapnpError("CAPNP_ADDRESS", `An address is a string, or an array of strings; not ${typeof address}.`);
  }
  for (const one of typeof address === "string" ? [address] : (address as readonly string[])) {
    if (!isService(one)) parseAddress(one);
  }
};

const keepaliveOf = ({ keepalive = {} }: ConnectionOptions): ReturnType<typeof readKeepaliveLimits> =>
  readKeepaliveLimits(keepalive === false ? { idle: 0 } : keepalive);

const opener =
  (options: ConnectionOptions): OpenTransport =>
  ({ address, servername }, signal) => {
    const isSecure = options.tls !== undefined || /^tls:/i.test(address);
    // Whose certificate it must be: as the user says, or the name that the address was found by.
    const tls = isSecure && servername !== undefined ? { servername, ...options.tls } : options.tls;
    return connectSocket(address, { ...options, ...(tls === undefined ? {} : { tls }), signal, timeout: 0 });
  };

const reconnecting = async (
  address: AddressSource,
  options: ConnectOptions,
  dialer: Dialer,
  random: () => number,
): Promise<RpcClient> => {
  const { reconnect = true, clock = systemClock, logger = silent, lazy = false } = options;
  const { connectTimeout: _, ...times } = readClientLimits(options);
  const reconnectLimits = readReconnectLimits(typeof reconnect === "object" ? reconnect : {});
  const { minDelay, maxDelay } = reconnectLimits;
  const client = new RpcClient({
    ...times,
    ...reconnectLimits,
    dialer,
    vat: options,
    clock,
    logger,
    random,
    reconnects: reconnect !== false,
    isBalanced: options.balance === "round-robin" && reconnect !== false,
    keepalive: keepaliveOf(options),
    onSession: options.onSession,
    retry: retryPolicy(options.retry, clock, () => new Backoff(minDelay, maxDelay, random)),
    address: typeof address === "function" ? "(resolved at each connection)" : String(address),
  });
  if (!lazy) await RpcClient.started(client, options.signal);
  return client;
};

const retryPolicy = (
  retry: ConnectOptions["retry"],
  clock: Clock,
  newBackoff: () => Backoff,
): RetryPolicy | undefined => {
  if (retry === false) return undefined;
  const { attempts, budget, refill } = readRetryLimits(retry ?? {});
  const methods = new IdempotentMethods(retry?.methods ?? []);
  return { methods, attempts, budget: new RetryBudget(budget, refill), clock, newBackoff };
};
