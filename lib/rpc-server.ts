import type { Observable, Subject } from "rxjs";
import type { IdleWatch } from "./idle-watch.ts";
import { rxjs } from "./lazy-rxjs.ts";
import type { Client } from "./rpc/capability/client.ts";
import type { ClientHook } from "./rpc/capability/client-hook.ts";
import type { ConnectionStats } from "./rpc/connection/connection.ts";
import { clientOf, type InterfaceClient, type InterfaceType } from "./schema/interface-client.ts";
import { addStats, countersOf, type ServerStats } from "./server-stats.ts";
import type { SocketServer } from "./transport/listen-socket.ts";
import type { ServerCertificates } from "./transport/tls.ts";
import type { PeerInfo } from "./transport/transport.ts";
import type { TwoPartyServer } from "./stream-vat.ts";
import type { CloseOptions } from "./two-party-vat.ts";

/** What `listen` and the server that it makes both know. */
export class ServerState {
  readonly open = new Set<TwoPartyServer>();
  subject: Subject<TwoPartyServer> | undefined;
  /** Connections that wait for `authorize`: what drops each. */
  readonly pending = new Set<() => void>();
  accepted = 0;
  refused = 0;
  handshakeFailures = 0;
  broken = 0;
  isClosing = false;
  #over: ConnectionStats | undefined;

  /** A connection stands. */
  add(connection: TwoPartyServer): void {
    this.accepted++;
    this.open.add(connection);
    void connection.closed.then((reason) => {
      this.open.delete(connection);
      if (reason.kind !== "disconnected") this.broken++;
      const stats = countersOf(connection.stats());
      this.#over = this.#over === undefined ? stats : addStats([this.#over, stats]);
    });
    this.subject?.next(connection);
  }

  stats(): ServerStats {
    const { accepted, refused, handshakeFailures, broken } = this;
    const connections = [...this.open].map((connection) => connection.stats());
    const sum = addStats(this.#over === undefined ? connections : [this.#over, ...connections]);
    return { ...sum, connections: this.open.size, accepted, refused, handshakeFailures, broken };
  }
}

/** A vat that many connect to. */
export class RpcServer {
  readonly #sockets: readonly SocketServer[];
  readonly #state: ServerState;
  readonly #idle: IdleWatch;
  readonly #release: () => void;
  readonly #loopback: (peer: PeerInfo) => ClientHook;
  #closed: Promise<void> | undefined;

  /** @internal Use `listen`. */
  constructor(
    sockets: readonly SocketServer[],
    state: ServerState,
    idle: IdleWatch,
    release: () => void,
    loopback: (peer: PeerInfo) => ClientHook,
  ) {
    this.#loopback = loopback;
    this.#sockets = sockets;
    this.#state = state;
    this.#idle = idle;
    this.#release = release;
  }

  /**
   * Where it listens, with the port that was chosen; what `connect` takes, unless its host is `*`: name this machine then. Of
   * several addresses the first.
   */
  get address(): string {
    return this.#sockets[0]!.address;
  }

  /** Everywhere it listens, in the order in which `listen` was told. */
  get addresses(): readonly string[] {
    return this.#sockets.map(({ address }) => address);
  }

  /** Of the first address that has one; undefined where all are Unix sockets. */
  get port(): number | undefined {
    return this.#sockets.find(({ port }) => port !== undefined)?.port;
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
    return [...this.#state.open];
  }

  /** Each connection from now on, as it is accepted. */
  get connections$(): Observable<TwoPartyServer> {
    const state = this.#state;
    state.subject ??= new (rxjs().Subject)<TwoPartyServer>();
    return state.subject.asObservable();
  }

  /** What it holds now, and what has passed so far; `metricsText` writes it for Prometheus. */
  stats(): ServerStats {
    return this.#state.stats();
  }

  /**
   * Other certificates, in Node's words (`key`, `cert`, `ca`, `crl`, ...): for connections from now on, on every `tls://` address.
   * Those that stand go on. What is left out is not taken over from before. Throws CAPNP_TLS, and changes nothing, where they
   * cannot be used.
   */
  setSecureContext(certificates: ServerCertificates): void {
    const secure = this.#sockets.filter(({ isSecure }) => isSecure);
    for (const socket of secure.length === 0 ? this.#sockets : secure) socket.setSecureContext(certificates);
  }

  /**
   * Stops listening, and closes every connection. With `drain`, calls that are at work have so many milliseconds to finish; new ones
   * are answered `disconnected` from now on, and each connection is closed when it has no call left.
   */
  async close({ drain = 0 }: CloseOptions = {}): Promise<void> {
    this.#closed ??= this.#close(drain);
    await this.#closed;
  }

  async #close(drain: number): Promise<void> {
    const state = this.#state;
    state.isClosing = true;
    this.#idle.stop();
    for (const drop of state.pending) drop();
    const connections = [...state.open].map((connection) => connection.close({ drain }));
    await Promise.all([...this.#sockets.map((socket) => socket.close()), ...connections]);
    state.subject?.complete();
    this.#release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
