import type { LookupFunction, Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { CapnpError } from "../errors.ts";
import { type Address, formatAddress, isWebSocketAddress, parseAddress } from "./address.ts";
import { type ByteStreamOptions, ByteStreamTransport } from "./byte-stream.ts";
import type { WebSocketClientOptions } from "./connect-web-socket.ts";
import { readConnectLimits, readStreamLimits, readWebSocketLimits } from "./limits.ts";
import { translateNodeError } from "./node-error.ts";
import * as node from "./node-modules.ts";
import { rememberPeer } from "./node-sockets.ts";
import { peerOf } from "./peer.ts";
import { socketSettingsFor, type TcpOptions, tcpTarget } from "./tcp.ts";
import { keepSessions, sessionFor } from "./tls-sessions.ts";
import { type ClientTlsOptions, clientTls, pinError, pinsOf } from "./tls.ts";
import type { Transport } from "./transport.ts";

export interface ConnectSocketOptions extends ByteStreamOptions, TcpOptions {
  /** Encrypts, whatever the address says. A `tls://` or `wss://` address without this trusts the authorities that Node trusts. */
  readonly tls?: ClientTlsOptions;
  /** For `ws://` and `wss://`. */
  readonly webSocket?: WebSocketClientOptions;
  /** Finds the addresses of a host name, as `net.connect` has it. Default: `dns.lookup`. */
  readonly lookup?: LookupFunction;
  /** How long the connection may take in all: name, TCP and TLS handshake. Milliseconds, default 10 s; 0 or Infinity: no limit. */
  readonly timeout?: number;
  /** Gives up when aborted, with CAPNP_CANCELED. After the connection stands it does nothing. */
  readonly signal?: AbortSignal;
}

/**
 * Connects to a TCP, TLS or Unix socket or to a WebSocket. Rejects with CAPNP_ADDRESS, CAPNP_CONNECT (kind `disconnected`), CAPNP_TLS
 * or CAPNP_CANCELED.
 */
export async function connectSocket(target: string | Address, options: ConnectSocketOptions = {}): Promise<Transport> {
  const address = typeof target === "string" ? parseAddress(target) : target;
  const name = formatAddress(address);
  const { timeout } = readConnectLimits(options);
  readStreamLimits(options);
  readWebSocketLimits(options.webSocket);
  if (options.signal?.aborted) throw canceled(name, options.signal);
  const isSecure = address.kind === "tls" || address.kind === "wss" || options.tls !== undefined;
  const tls = isSecure ? (options.tls ?? systemTrust) : undefined;
  const pins = pinsOf(tls?.fingerprint256);
  const socket = open(address, tls, name, options);
  const isPinned = pins !== undefined;
  return await established(socket, isSecure ? "secureConnect" : "connect", name, timeout, options.signal, async () => {
    const wrong = isPinned ? pinError(socket as TLSSocket, pins, name) : undefined;
    if (wrong !== undefined) throw wrong;
    const peer = peerOf(socket, isPinned);
    if (isWebSocketAddress(address)) {
      const { webSocketOver } = await import("./connect-web-socket.ts");
      return await webSocketOver(socket, address, peer, options);
    }
    return new ByteStreamTransport(socket, {
      peer: address.kind === "unix" ? { ...peer, address: name } : peer,
      ...options,
    });
  });
}

function open(
  address: Address,
  tls: ClientTlsOptions | undefined,
  name: string,
  options: ConnectSocketOptions,
): Socket {
  const settings = socketSettingsFor(options);
  const target =
    address.kind === "unix"
      ? { path: address.path }
      : {
          ...tcpTarget(address.host, address.port),
          ...(options.lookup === undefined ? {} : { lookup: guarded(options.lookup) }),
        };
  if (tls === undefined) return node.net().connect({ ...target, ...settings });
  try {
    const host = address.kind === "unix" ? undefined : address.host;
    const mayResume = tls.resume ?? true;
    const kept = mayResume ? sessionFor(tls, name) : undefined;
    const resumption = kept === undefined ? {} : { session: kept.session };
    const socket = node.tls().connect({ ...resumption, ...clientTls(tls, host), ...target, ...settings });
    if (kept?.certificate !== undefined) rememberPeer(socket, kept.certificate);
    if (mayResume) keepSessions(socket, tls, name);
    return socket;
  } catch (error) {
    // A key or certificate that cannot be read is found out here.
    throw translateNodeError(error, "open", name);
  }
}

/** The same lookup, of which Node can take whatever it does: of no address, Node makes an exception that nobody can catch. */
const guarded =
  (lookup: LookupFunction): LookupFunction =>
  (host, options, done) => {
    const fail = (error: unknown): void => done(error instanceof Error ? error : new Error(String(error)), "", 0);
    try {
      lookup(host, options, (error, found, family) => {
        const all = Array.isArray(found) ? found : [{ address: found }];
        if (error) fail(error);
        else if (all.length > 0 && all.every((one) => typeof one?.address === "string")) done(null, found, family);
        else fail(Object.assign(new Error(`lookup found no address of ${host}`), { code: "ENOTFOUND" }));
      });
    } catch (error) {
      fail(error);
    }
  };

/** One object, so that its sessions are found again. */
const systemTrust: ClientTlsOptions = {};

/** Waits for the socket, then for what `then` makes of it, all within the time that there is. */
function established<T>(
  socket: Socket,
  event: "connect" | "secureConnect",
  name: string,
  timeout: number,
  signal: AbortSignal | undefined,
  then: () => Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    };
    const fail = (error: CapnpError): void => {
      settle();
      socket.destroy();
      reject(error);
    };
    const abort = (): void => fail(canceled(name, signal!));
    const limited = timeout > 0 && timeout < 2 ** 31;
    const expire = (): void => fail(new CapnpError("CAPNP_CONNECT", `no connection to ${name} within ${timeout} ms`));
    const timer = limited ? setTimeout(expire, timeout) : undefined;
    const succeed = (result: T): void => {
      settle();
      socket.off("error", onError);
      socket.off("close", onClose);
      resolve(result);
    };
    const onError = (error: Error): void => fail(translateNodeError(error, "open", name));
    const onClose = (): void => fail(new CapnpError("CAPNP_CONNECT", `cannot connect to ${name}: the peer hung up`));
    signal?.addEventListener("abort", abort, { once: true });
    // A socket may emit an error also after it was given up.
    socket.on("error", () => undefined);
    socket.on("error", onError);
    socket.once("close", onClose);
    socket.once(event, () => {
      then().then(succeed, (error: unknown) => fail(translateNodeError(error, "open", name)));
    });
  });
}

function canceled(name: string, signal: AbortSignal): CapnpError {
  return new CapnpError("CAPNP_CANCELED", `the connection to ${name} was canceled`, { cause: signal.reason });
}
