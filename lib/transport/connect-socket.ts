import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { CapnpError } from "../errors.ts";
import { type Address, formatAddress, parseAddress } from "./address.ts";
import { type ByteStreamOptions, ByteStreamTransport } from "./byte-stream.ts";
import { readConnectLimits, readStreamLimits } from "./limits.ts";
import { translateNodeError } from "./node-error.ts";
import { peerOf } from "./peer.ts";
import { socketSettings, tcpTarget } from "./tcp.ts";
import { type ClientTlsOptions, clientTls } from "./tls.ts";

export interface ConnectSocketOptions extends ByteStreamOptions {
  /** Encrypts, whatever the address says. A `tls://` address without this trusts the authorities that Node trusts. */
  readonly tls?: ClientTlsOptions;
  /** How long the connection may take in all: name, TCP and TLS handshake. Milliseconds, default 10 s; 0 or Infinity: no limit. */
  readonly timeout?: number;
  /** Gives up when aborted, with CAPNP_CANCELED. After the connection stands it does nothing. */
  readonly signal?: AbortSignal;
}

/**
 * Connects to a TCP, TLS or Unix socket. Rejects with CAPNP_ADDRESS, CAPNP_CONNECT (kind `disconnected`), CAPNP_TLS or
 * CAPNP_CANCELED.
 */
export async function connectSocket(
  target: string | Address,
  options: ConnectSocketOptions = {},
): Promise<ByteStreamTransport> {
  const address = typeof target === "string" ? parseAddress(target) : target;
  const name = formatAddress(address);
  const { timeout } = readConnectLimits(options);
  readStreamLimits(options);
  if (options.signal?.aborted) throw canceled(name, options.signal);
  const secure = address.kind === "tls" || options.tls !== undefined;
  const socket = open(address, secure ? (options.tls ?? {}) : undefined);
  await established(socket, secure ? "secureConnect" : "connect", name, timeout, options.signal);
  const peer = address.kind === "unix" ? { ...peerOf(socket), address: name } : peerOf(socket);
  return new ByteStreamTransport(socket, { peer, ...options });
}

function open(address: Address, tls: ClientTlsOptions | undefined): Socket {
  const target = address.kind === "unix" ? { path: address.path } : tcpTarget(address.host, address.port);
  if (tls === undefined) return connectTcp({ ...target, ...socketSettings });
  try {
    const host = address.kind === "unix" ? undefined : address.host;
    return connectTls({ ...clientTls(tls, host), ...target, ...socketSettings });
  } catch (error) {
    // A key or certificate that cannot be read is found out here.
    throw translateNodeError(error, "open", formatAddress(address));
  }
}

function established(
  socket: Socket,
  event: "connect" | "secureConnect",
  name: string,
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: CapnpError): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      if (error === undefined) {
        resolve();
      } else {
        socket.destroy();
        reject(error);
      }
    };
    const abort = (): void => settle(canceled(name, signal!));
    const limited = timeout > 0 && timeout < 2 ** 31;
    const expire = (): void => settle(new CapnpError("CAPNP_CONNECT", `no connection to ${name} within ${timeout} ms`));
    const timer = limited ? setTimeout(expire, timeout) : undefined;
    signal?.addEventListener("abort", abort, { once: true });
    socket.once(event, () => settle());
    // Stays, though it settles only once: a socket may emit an error also after it was given up.
    socket.on("error", (error) => settle(translateNodeError(error, "open", name)));
    socket.once("close", () => settle(new CapnpError("CAPNP_CONNECT", `cannot connect to ${name}: the peer hung up`)));
  });
}

function canceled(name: string, signal: AbortSignal): CapnpError {
  return new CapnpError("CAPNP_CANCELED", `the connection to ${name} was canceled`, { cause: signal.reason });
}
