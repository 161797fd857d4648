import { bootstrapFor, holdBootstrap } from "./bootstrap-source.ts";
import { checkVatOptions } from "./check-vat-options.ts";
import { CapnpError } from "./errors.ts";
import { IdleWatch } from "./idle-watch.ts";
import { contained, silent } from "./logger.ts";
import { RpcServer, ServerState } from "./rpc-server.ts";
import { BrokenClient } from "./rpc/capability/broken-client.ts";
import type { ClientHook } from "./rpc/capability/client-hook.ts";
import { toError } from "./rpc/capability/thrown.ts";
import { readConnectionLimits } from "./rpc/limits.ts";
import { streamsOf } from "./rpc/streaming/stream-window.ts";
import { type Address, parseAddress } from "./transport/address.ts";
import { ConnectionPlaces } from "./transport/connection-places.ts";
import { hungUpText, type ListenSocketOptions, listenSocket, type SocketServer } from "./transport/listen-socket.ts";
import { readListenLimits, remoteLimits, strangerLimits } from "./transport/limits.ts";
import type { PeerInfo, Transport } from "./transport/transport.ts";
import type { WebSocketMount } from "./transport/web-socket-mount.ts";
import { TwoPartyServer } from "./stream-vat.ts";
import type { VatOptions } from "./two-party-vat.ts";

export interface ListenOptions
  extends Omit<VatOptions, "peer">,
    Omit<ListenSocketOptions, keyof VatOptions | "onConnectionError" | "onReload" | "places"> {
  /**
   * Whether a peer may connect at all: asked when its connection stands, with its address and certificate, before a word of it is
   * read. With false (or a promise of it) it is refused with CAPNP_REFUSED; so it is when this throws, and then the peer is told
   * the text of a CapnpError. Default: everybody who gets through TLS may.
   */
  readonly authorize?: (peer: PeerInfo) => boolean | PromiseLike<boolean>;
  /**
   * How long a connection may go without a message in either direction while no call is at work. Milliseconds; 0 or Infinity: for
   * ever, the default, because a client that holds a capability may be right to wait. It takes up to a quarter longer.
   */
  readonly idleTimeout?: number;
}

export type { RpcServer } from "./rpc-server.ts";

/** An address, or an HTTP server with the path at which it takes WebSockets. */
export type ListenAddress = string | WebSocketMount;

/** True where only this machine can connect. An HTTP server may listen anywhere. */
const isLocal = (address: Address | WebSocketMount): boolean =>
  !("server" in address) &&
  (address.kind === "unix" || address.host === "localhost" || address.host === "::1" || /^127\./.test(address.host));

/**
 * Listens on `host:port`, `*:port`, `tls://host:port` (with `tls: { key, cert }`), `ws://host:port/path`, `wss://host:port/path` or
 * `unix:path`, on a path of an HTTP server of yours (`{ server, path }`), or on several of them at once. Port 0 takes a free one. Workers of node:cluster share a port by listening on the same address.
 *
 * A peer that misbehaves loses its connection, and nothing else happens. Besides the limits of every connection, those who
 * connect have 10 s and 64 KiB for their first message (`firstMessageTimeout`, `maxFirstFrameBytes`); where other machines can
 * connect, no message may be larger than 4 MiB (`maxFrameBytes`). See docs/limits.md.
 *
 * Rejects with CAPNP_ADDRESS, CAPNP_LISTEN or CAPNP_TLS, and with CAPNP_TYPE or CAPNP_RANGE for a limit that is none; where one of
 * several addresses cannot be listened on, on none.
 */
export const listen = async (
  address: ListenAddress | readonly ListenAddress[],
  options: ListenOptions,
): Promise<RpcServer> => {
  checkVatOptions("listen", options);
  const logger = contained(options.logger ?? silent);
  const all = Array.isArray(address) ? (address as readonly ListenAddress[]) : [address as ListenAddress];
  const places = all.map((one) => (typeof one === "object" && one !== null ? one : parseAddress(one)));
  if (places.length === 0) throw new CapnpError("CAPNP_ADDRESS", "listen needs at least one address; none was given");
  readConnectionLimits(options.limits);
  streamsOf(options.streamWindow);
  const { maxConnections, maxConnectionsPerAddress, idleTimeout } = readListenLimits(options);
  const state = new ServerState();
  const serve = (transport: Transport): void => {
    const connection = new TwoPartyServer(transport, options);
    logger.debug({ conn: connection.conn, peer: transport.peer.address }, "connection accepted");
    state.add(connection);
    if (!transport.peer.encrypted) return;
    void connection.closed.then(({ code }) => {
      if (transport.bytesReceived !== 0 || code !== "CAPNP_DISCONNECTED" || state.isClosing) return;
      logger.warn({ conn: connection.conn, peer: transport.peer.address, reason: hungUpText }, "connection failed");
    });
  };
  const { authorize } = options;
  const accept = authorize === undefined ? serve : authorized(authorize, state, options, serve);
  const shared = {
    ...options,
    places: new ConnectionPlaces(maxConnections, maxConnectionsPerAddress),
    onConnectionError: (error: CapnpError, peer: string): void => {
      if (error.code === "CAPNP_LIMIT") state.refused++;
      else state.handshakeFailures++;
      logger.warn({ peer, code: error.code, reason: error.message }, "connection failed");
    },
    onReload: (outcome: { readonly fingerprint256: string; readonly validTo: Date } | Error): void => {
      if (outcome instanceof Error) logger.error({ reason: outcome.message }, "new certificates cannot be used");
      else logger.info({ ...outcome }, "new certificates are in use");
    },
  };
  const sockets: SocketServer[] = [];
  try {
    for (const at of places) {
      const limits = { ...strangerLimits, ...(isLocal(at) ? {} : remoteLimits) };
      sockets.push(await listenSocket(at, { ...limits, ...shared }, accept));
    }
  } catch (error) {
    await Promise.all(sockets.map((socket) => socket.close()));
    throw error;
  }
  const bootstrap = bootstrapFor(options.bootstrap, options.restorer);
  const loopback = (peer: PeerInfo): ClientHook => {
    try {
      return bootstrap(peer, undefined);
    } catch (error) {
      // As over a connection: whoever calls it hears why.
      return new BrokenClient(toError(error));
    }
  };
  const idle = new IdleWatch(idleTimeout, state.open, options.clock);
  return new RpcServer(sockets, state, idle, holdBootstrap(options.bootstrap), loopback);
};

/** Serves those peers that `authorize` lets in. A transport reads nothing before it is served. */
const authorized =
  (
    authorize: NonNullable<ListenOptions["authorize"]>,
    state: ServerState,
    options: ListenOptions,
    serve: (transport: Transport) => void,
  ) =>
  async (transport: Transport): Promise<void> => {
    const drop = (): void => transport.destroy();
    state.pending.add(drop);
    let refusal: CapnpError | undefined;
    try {
      if (!(await authorize(transport.peer))) refusal = refused();
    } catch (thrown) {
      const error = toError(thrown);
      refusal = refused(error);
      if (!(error instanceof CapnpError)) {
        contained(options.logger ?? silent).error({ peer: transport.peer.address, err: error }, "authorize failed");
      }
    }
    state.pending.delete(drop);
    if (state.isClosing) return;
    if (refusal === undefined) {
      serve(transport);
      return;
    }
    state.refused++;
    new TwoPartyServer(transport, options).abort(refusal);
  };

const refused = (cause?: unknown): CapnpError =>
  cause instanceof CapnpError
    ? cause
    : new CapnpError("CAPNP_REFUSED", "This server does not let this peer in (authorize).", {
        ...(cause === undefined ? {} : { cause }),
      });
