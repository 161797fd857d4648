import { checkVatOptions } from "./check-vat-options.ts";
import { endpoints, isService, systemResolver } from "./client/addresses.ts";
import { Dialer, type OpenTransport } from "./client/dial.ts";
import { type AddressSource, addressText, checkAddresses, readBalance } from "./client/endpoint.ts";
import { keptClient } from "./client/kept-client.ts";
import { keepaliveOf } from "./client/limits.ts";
import {
  type ConnectionOptions,
  type ConnectOptions,
  needsSessions,
  randomOf,
  type SessionOptions,
} from "./client/options.ts";
import type { RpcClient } from "./client/rpc-client.ts";
import { watchPeer } from "./client/session.ts";
import { readConnectionLimits } from "./rpc/limits.ts";
import { streamsOf } from "./rpc/streaming/stream-window.ts";
import { parseAddress } from "./transport/address.ts";
import { connectSocket } from "./transport/connect-socket.ts";
import { readStreamLimits } from "./transport/limits.ts";
import { TwoPartyClient } from "./stream-vat.ts";

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
  const random = randomOf(options);
  const { balance = "pick-first", resolver = systemResolver, connectTimeout, clock } = options;
  const dialer = new Dialer({
    endpoints: (turn) => endpoints(address, balance, turn, resolver, random),
    open: opener(options),
    connectTimeout,
    clock,
    random,
  });
  if (needsSessions(options)) return keptClient(options, addressText(address), dialer, random);
  const keepalive = keepaliveOf(options);
  return dialer.dial(dialer.timeout, options.signal, (transport) => {
    const client = new TwoPartyClient(transport, options);
    watchPeer(client, transport, keepalive, options.clock);
    return client;
  });
}

/** What is wrong for every connection is told before there is one. */
const checkOptions = (address: AddressSource, options: ConnectOptions): void => {
  checkVatOptions("connect", options);
  readConnectionLimits(options.limits);
  readStreamLimits(options);
  streamsOf(options.streamWindow);
  keepaliveOf(options);
  readBalance(options.balance);
  checkAddresses(address, (one) => {
    if (!isService(one)) parseAddress(one);
  });
};

const opener =
  (options: ConnectionOptions): OpenTransport =>
  ({ address, servername }, signal) => {
    const isSecure = options.tls !== undefined || /^tls:/i.test(address);
    // Whose certificate it must be: as the user says, or the name that the address was found by.
    const tls = isSecure && servername !== undefined ? { servername, ...options.tls } : options.tls;
    return connectSocket(address, { ...options, ...(tls === undefined ? {} : { tls }), signal, timeout: 0 });
  };
