import type { Observable, Subject } from "rxjs";
import { holdBootstrap } from "./bootstrap-source.ts";
import { rxjs } from "./lazy-rxjs.ts";
import { silent } from "./logger.ts";
import { type ListenSocketOptions, listenSocket, type SocketServer } from "./transport/listen-socket.ts";
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

  /** @internal Use `listen`. */
  constructor(socket: SocketServer, open: Set<TwoPartyServer>, release: () => void) {
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

/** A connection that says nothing holds a place: it has this long for its first message. */
const firstMessageTimeout = 10_000;

/**
 * Listens on `host:port`, `*:port`, `tls://host:port` (with `tls: { key, cert }`) or `unix:path`. Port 0 takes a free one.
 *
 * A peer that misbehaves loses its connection, and nothing else happens. Rejects with CAPNP_ADDRESS, CAPNP_LISTEN or CAPNP_TLS.
 */
export const listen = async (address: string, options: ListenOptions): Promise<RpcServer> => {
  const logger = options.logger ?? silent;
  const open = new Set<TwoPartyServer>();
  const socket = await listenSocket(
    address,
    {
      firstMessageTimeout,
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
  const server = new RpcServer(socket, open, holdBootstrap(options.bootstrap));
  return server;
};
