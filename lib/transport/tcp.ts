import type { TcpNetConnectOpts } from "node:net";
import { CapnpError } from "../errors.ts";
import { readLimits } from "../limit.ts";
import { formatHostPort } from "./address.ts";

/**
 * What every socket of ours is set to. Frames leave whole, so Nagle's algorithm could only delay them. TCP's own probes find a peer
 * whose machine is gone. Half-open is allowed because a peer that ends its side may still read our last answers.
 */
export const socketSettings = {
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: 30_000,
  allowHalfOpen: true,
} as const;

export interface TcpOptions {
  /**
   * Milliseconds of silence after which TCP itself begins to ask whether the peer's machine is still there; how often, and for how
   * long, the system decides. Default 30 s; 0 or Infinity: never.
   */
  readonly tcpKeepAlive?: number;
}

const keepAlive = { tcpKeepAlive: { kind: "time", default: socketSettings.keepAliveInitialDelay } } as const;

/** {@link socketSettings} with the user's wish. Throws CAPNP_TYPE or CAPNP_RANGE. */
export function socketSettingsFor(options: TcpOptions): SocketSettings {
  const { tcpKeepAlive } = readLimits<"tcpKeepAlive">(keepAlive, { tcpKeepAlive: options.tcpKeepAlive });
  if (tcpKeepAlive === 0 || tcpKeepAlive === Number.POSITIVE_INFINITY) return { ...socketSettings, keepAlive: false };
  return { ...socketSettings, keepAliveInitialDelay: tcpKeepAlive };
}

export interface SocketSettings {
  readonly noDelay: boolean;
  readonly keepAlive: boolean;
  readonly keepAliveInitialDelay: number;
  readonly allowHalfOpen: boolean;
}

/**
 * Where `connect` goes. A name with several addresses is tried address by address, IPv6 and IPv4 in turn, each a quarter of a second
 * after the one before (Node's `autoSelectFamily`). Throws CAPNP_ADDRESS for what can be listened on, but not connected to.
 */
export function tcpTarget(host: string, port: number): TcpNetConnectOpts {
  if (host === "*" || port === 0) {
    const what = host === "*" ? "* stands for every address of a server" : "port 0 lets a server choose";
    throw new CapnpError(
      "CAPNP_ADDRESS",
      `cannot connect to ${formatHostPort(host, port)}: ${what}; name host and port`,
    );
  }
  return { host, port, autoSelectFamily: true };
}

/** Where `listen` binds: `*` is every interface, IPv6 and IPv4. */
export function tcpBinding(host: string, port: number): { readonly host?: string; readonly port: number } {
  return host === "*" ? { port } : { host, port };
}
