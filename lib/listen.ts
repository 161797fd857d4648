import type { Observable, Subject } from "rxjs";
import { bootstrapFor, holdBootstrap } from "./bootstrap-source.ts";
import { rxjs } from "./lazy-rxjs.ts";
import { silent } from "./logger.ts";
import { BrokenClient } from "./rpc/capability/broken-client.ts";
import type { Client } from "./rpc/capability/client.ts";
import type { ClientHook } from "./rpc/capability/client-hook.ts";
import { toError } from "./rpc/capability/thrown.ts";
import { readConnectionLimits } from "./rpc/limits.ts";
import { streamsOf } from "./rpc/streaming/stream-window.ts";
import { type Address, parseAddress } from "./transport/address.ts";
import { type ListenSocketOptions, listenSocket, type SocketServer } from "./transport/listen-socket.ts";
import { remoteLimits, strangerLimits } from "./transport/limits.ts";
import { clientOf, type InterfaceClient, type InterfaceType } from "./schema/interface-client.ts";
import type { PeerInfo } from "./transport/transport.ts";
import { TwoPartyServer, type VatOptions } from "./two-party-vat.ts";

export interface ListenOptions
  extends Omit<VatOptions, "peer">,
    Omit<ListenSocketOptions, keyof VatOptions | "onConnectionError"> {}

export interface CloseOptions {
  /** Milliseconds that calls in progress have to finish. Default: 0, they are cut off. */
  readonly drain?: number;
}

/** A vat that many connect to. */
export class RpcServer {
  readonly #socket: SocketServer;
  readonly #open: Set<TwoPartyServer>;
  #connections: Subject<TwoPartyServer> | undefined;
  readonly #release: () => void;
  readonly #loopback: (peer: PeerInfo) => ClientHook;

  /** @internal Use `listen`. */
  constructor(
    socket: SocketServer,
    open: Set<TwoPartyServer>,
    release: () => void,
    loopback: (peer: PeerInfo) => ClientHook,
  ) {
    this.#loopback = loopback;
    this.#socket = socket;
    this.#open = open;
    this.#release = release;
  }

  /** Where it listens, with the port that was chosen; what `connect` takes. */
  get address(): string {
    return this.#socket.address;
  }

  /** Undefined for a Unix socket. */
  get port(): number | undefined {
    return this.#socket.port;
  }

  /**
   * What this server exposes, for callers in the same process: calls on it cross no connection. `bootstrap` functions are
   * asked with a peer whose address is the server's own.
   */
  bootstrap(): InterfaceClient;
  bootstrap<C extends Client>(type: InterfaceType<C>): C;
  bootstrap(type?: InterfaceType<Client>): Client {
    return clientOf(type, this.#loopback({ address: this.address, encrypted: false, authenticated: false }));
  }

  /** The connections that stand. */
  get connections(): readonly TwoPartyServer[] {
    return [...this.#open];
  }

  /** Each connection from now on, as it is accepted. */
  get connections$(): Observable<TwoPartyServer> {
    this.#connections ??= new (rxjs().Subject)<TwoPartyServer>();
    return this.#connections.asObservable();
  }

  /** @internal */
  static accepted(server: RpcServer, connection: TwoPartyServer): void {
    server.#connections?.next(connection);
  }

  /** Stops listening, lets calls in progress finish for as long as `drain` says, and closes every connection. */
  async close({ drain = 0 }: CloseOptions = {}): Promise<void> {
    await this.#socket.close();
    const until = Date.now() + drain;
    const isBusy = (): boolean => [...this.#open].some((connection) => connection.stats().running > 0);
    while (Date.now() < until && isBusy()) {
      await new Promise((resolve) => {
        setTimeout(resolve, 5);
      });
    }
    await Promise.all([...this.#open].map((connection) => connection.close()));
    this.#connections?.complete();
    this.#release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** True where only this machine can connect. */
const isLocal = (address: Address): boolean =>
  address.kind === "unix" || address.host === "localhost" || address.host === "::1" || /^127\./.test(address.host);

/**
 * Listens on `host:port`, `*:port`, `tls://host:port` (with `tls: { key, cert }`) or `unix:path`. Port 0 takes a free one.
 *
 * A peer that misbehaves loses its connection, and nothing else happens. Besides the limits of every connection, those who
 * connect have 10 s and 64 KiB for their first message (`firstMessageTimeout`, `maxFirstFrameBytes`); where other machines can
 * connect, no message may be larger than 4 MiB (`maxFrameBytes`). See docs/limits.md.
 *
 * Rejects with CAPNP_ADDRESS, CAPNP_LISTEN or CAPNP_TLS, and with CAPNP_TYPE or CAPNP_RANGE for a limit that is none.
 */
export const listen = async (address: string, options: ListenOptions): Promise<RpcServer> => {
  const logger = options.logger ?? silent;
  const at = parseAddress(address);
  readConnectionLimits(options.limits);
  streamsOf(options.streamWindow);
  const open = new Set<TwoPartyServer>();
  const socket = await listenSocket(
    at,
    {
      ...strangerLimits,
      ...(isLocal(at) ? {} : remoteLimits),
      ...options,
      onConnectionError: (error, peer) =>
        logger.warn({ peer, code: error.code, reason: error.message }, "connection failed"),
    },
    (transport) => {
      const connection = new TwoPartyServer(transport, options);
      logger.debug({ peer: transport.peer.address }, "connection accepted");
      open.add(connection);
      void connection.closed.then(() => open.delete(connection));
      RpcServer.accepted(server, connection);
    },
  );
  const bootstrap = bootstrapFor(options.bootstrap, options.restorer);
  const loopback = (peer: PeerInfo): ClientHook => {
    try {
      return bootstrap(peer, undefined);
    } catch (error) {
      // As over a connection: whoever calls it hears why.
      return new BrokenClient(toError(error));
    }
  };
  const server = new RpcServer(socket, open, holdBootstrap(options.bootstrap), loopback);
  return server;
};
