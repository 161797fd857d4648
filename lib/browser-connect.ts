import { withObservables } from "./browser-vat.ts";
import { Dialer, type OpenTransport } from "./client/dial.ts";
import {
  type AddressSource,
  addressesOf,
  addressText,
  checkAddresses,
  inOrder,
  type PickPolicy,
  readPick,
} from "./client/endpoint.ts";
import type { KeepaliveOptions } from "./client/keepalive.ts";
import { keepaliveOf } from "./client/limits.ts";
import { type KeptOptions, needsSessions, randomOf, type WantsSessions } from "./client/options.ts";
import type { RpcClient } from "./client/rpc-client.ts";
import { watchPeer } from "./client/session.ts";
import { CapnpError } from "./errors.ts";
import { readConnectionLimits } from "./rpc/limits.ts";
import { streamsOf } from "./rpc/streaming/stream-window.ts";
import { isWebSocketAddress, parseAddress } from "./transport/address.ts";
import { readStreamLimits } from "./transport/limits.ts";
import { type StandardWebSocket, standardWebSocketTransport } from "./transport/standard-web-socket.ts";
import { TwoPartyClient, type VatOptions } from "./two-party-vat.ts";

/** Options of `connect` for one connection. */
export interface BrowserConnectionOptions extends VatOptions {
  /**
   * How long it may take in all until `connect` resolves, with each of the addresses. Later, how long an attempt to connect again may
   * take. Milliseconds, default 10 s; 0 or Infinity: no limit.
   */
  readonly connectTimeout?: number;
  /** Gives up when aborted, with CAPNP_CANCELED. After the connection stands it does nothing. */
  readonly signal?: AbortSignal;
  /** Finds out that the peer is gone without a word. Default: it is asked after 20 s of silence, and has 10 s. False: never. */
  readonly keepalive?: KeepaliveOptions | false;
  /** Which of several servers is chosen. Default: the `first` that can be reached; with `round-robin`, each connection goes to the next one. */
  readonly pick?: PickPolicy;
}

/** Options of `connect`. */
export interface BrowserConnectOptions extends BrowserConnectionOptions, KeptOptions {}

/**
 * Connects to a vat at `ws://host:port/path` or `wss://host:port/path`, with the platform's own WebSocket: in browsers, workers, Deno,
 * Bun, and Node from 22 on.
 *
 * What it gives is one connection, whose capabilities end with it. With `reconnect` (or an option that needs it: `onSession`, `lazy`,
 * `maxConnectionAge`, `deadline`, `retry`) it is a client that outlives its connections; the code for that is a module of its own,
 * which is loaded when it is asked for. It resolves when the first session stands, with `lazy` at once.
 *
 * Rejects with CAPNP_ADDRESS, CAPNP_CONNECT or CAPNP_CANCELED, with what `onSession` threw the first time, and with CAPNP_TYPE or
 * CAPNP_RANGE for an option that is wrong. Why a connection could not be made is more than a browser tells.
 */
export function connect(
  address: AddressSource,
  options?: BrowserConnectionOptions & { readonly reconnect?: false },
): Promise<TwoPartyClient>;
export function connect(address: AddressSource, options: BrowserConnectOptions & WantsSessions): Promise<RpcClient>;
export function connect(address: AddressSource, options: BrowserConnectOptions): Promise<TwoPartyClient | RpcClient>;
export async function connect(
  address: AddressSource,
  options: BrowserConnectOptions = {},
): Promise<TwoPartyClient | RpcClient> {
  const Client = withObservables(TwoPartyClient);
  readConnectionLimits(options.limits);
  readStreamLimits(options);
  streamsOf(options.streamWindow);
  const pick = readPick(options.pick);
  const keepalive = keepaliveOf(options);
  checkAddresses(address, checkAddress);
  const random = randomOf(options);
  const dialer = new Dialer({
    endpoints: async (turn) =>
      inOrder(
        (await addressesOf(address)).map((one) => ({ address: one })),
        pick,
        turn,
      ),
    open: opener(options),
    connectTimeout: options.connectTimeout,
    clock: options.clock,
    random,
  });
  if (needsSessions(options)) {
    const { keptClient } = await import("./client/kept-client.ts");
    return keptClient(options, addressText(address), dialer, random);
  }
  return dialer.dial(dialer.timeout, options.signal, (transport) => {
    const client = new Client(transport, options);
    watchPeer(client, transport, keepalive, options.clock);
    return client;
  });
}

const checkAddress = (address: string): void => {
  if (isWebSocketAddress(parseAddress(address))) return;
  throw new CapnpError("CAPNP_ADDRESS", `"${address}": from here only ws:// and wss:// lead to a vat`, {
    kind: "unimplemented",
  });
};

const newSocket = (address: string): StandardWebSocket => {
  const { WebSocket } = globalThis as { WebSocket?: new (address: string) => StandardWebSocket };
  if (WebSocket !== undefined) return new WebSocket(address);
  const text = 'this platform has no WebSocket; on Node, import "capstan" instead of "capstan/browser"';
  throw new CapnpError("CAPNP_CONNECT", text, { kind: "unimplemented" });
};

const opener =
  (options: VatOptions): OpenTransport =>
  ({ address }, signal) =>
    new Promise((resolve, reject) => {
      checkAddress(address);
      const socket = newSocket(address);
      const transport = standardWebSocketTransport(socket, options);
      // Why is told by who gave up.
      const abort = (): void => transport.destroy();
      signal.addEventListener("abort", abort, { once: true });
      socket.addEventListener("open", () => {
        signal.removeEventListener("abort", abort);
        resolve(transport);
      });
      const failed = (code = 1006): void => {
        signal.removeEventListener("abort", abort);
        const text = `cannot connect to ${address}: the WebSocket was closed before it opened (${code}); is the server running, and may this page connect to it?`;
        reject(new CapnpError("CAPNP_CONNECT", text));
      };
      // The standard has both, in this order; Node 20 leaves it at the error.
      socket.addEventListener("error", () => failed());
      socket.addEventListener("close", ({ code }) => failed(code));
    });
