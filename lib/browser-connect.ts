import { TwoPartyClient } from "./browser-vat.ts";
import { CapnpError } from "./errors.ts";
import { type Limit, readLimits } from "./limit.ts";
import { readConnectionLimits } from "./rpc/limits.ts";
import { isWebSocketAddress, parseAddress } from "./transport/address.ts";
import type { Transport } from "./transport/transport.ts";
import { type StandardWebSocket, webSocketTransport } from "./transport/web-socket.ts";
import type { VatOptions } from "./two-party-vat.ts";

export interface BrowserConnectOptions extends VatOptions {
  /** How long the connection may take. Milliseconds, default 10 s; 0 or Infinity: no limit. */
  readonly connectTimeout?: number;
  /** Gives up when aborted, with CAPNP_CANCELED. After the connection stands it does nothing. */
  readonly signal?: AbortSignal;
}

const limits = { connectTimeout: { kind: "time", default: 10_000 } } as const satisfies Record<string, Limit>;

/**
 * Connects to a vat at `ws://host:port/path` or `wss://host:port/path`, with the platform's own WebSocket: in browsers, workers, Deno,
 * Bun, and Node from 22 on.
 *
 * Rejects with CAPNP_ADDRESS, CAPNP_CONNECT or CAPNP_CANCELED, and with CAPNP_TYPE or CAPNP_RANGE for an option that is wrong. Why a
 * connection could not be made is more than a browser tells.
 */
export const connect = async (address: string, options: BrowserConnectOptions = {}): Promise<TwoPartyClient> => {
  const { connectTimeout } = readLimits<"connectTimeout">(limits, { connectTimeout: options.connectTimeout });
  readConnectionLimits(options.limits);
  if (!isWebSocketAddress(parseAddress(address))) {
    throw new CapnpError("CAPNP_ADDRESS", `"${address}": from here only ws:// and wss:// lead to a vat`, {
      kind: "unimplemented",
    });
  }
  const { signal } = options;
  if (signal?.aborted) throw canceled(address, signal);
  const socket = newSocket(address);
  return new TwoPartyClient(await opened(socket, address, options, connectTimeout), options);
};

const newSocket = (address: string): StandardWebSocket => {
  const { WebSocket } = globalThis as { WebSocket?: new (address: string) => StandardWebSocket };
  if (WebSocket !== undefined) return new WebSocket(address);
  const text = 'this platform has no WebSocket; on Node, import "capstan" instead of "capstan/browser"';
  throw new CapnpError("CAPNP_CONNECT", text, { kind: "unimplemented" });
};

const opened = (
  socket: StandardWebSocket,
  address: string,
  options: BrowserConnectOptions,
  timeout: number,
): Promise<Transport> =>
  new Promise((resolve, reject) => {
    const transport = webSocketTransport(socket, options);
    const settle = (): void => {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", abort);
    };
    const fail = (error: CapnpError): void => {
      settle();
      transport.destroy(error);
      reject(error);
    };
    const abort = (): void => fail(canceled(address, options.signal!));
    const expire = (): void =>
      fail(new CapnpError("CAPNP_CONNECT", `no connection to ${address} within ${timeout} ms`));
    const timer = timeout > 0 && timeout < 2 ** 31 ? setTimeout(expire, timeout) : undefined;
    options.signal?.addEventListener("abort", abort, { once: true });
    socket.addEventListener("open", () => {
      settle();
      resolve(transport);
    });
    socket.addEventListener("close", ({ code }) => {
      const text = `cannot connect to ${address}: the WebSocket was closed before it opened (${code}); is the server running, and may this page connect to it?`;
      fail(new CapnpError("CAPNP_CONNECT", text));
    });
  });

const canceled = (address: string, signal: AbortSignal): CapnpError =>
  new CapnpError("CAPNP_CANCELED", `the connection to ${address} was canceled`, { cause: signal.reason });
