import type { Duplex } from "node:stream";
import type { BehaviorSubject, Observable } from "rxjs";
import { type BootstrapSource, bootstrapFor, holdBootstrap } from "./bootstrap-source.ts";
import type { CapnpError } from "./errors.ts";
import { rxjs } from "./lazy-rxjs.ts";
import { type Logger, silent } from "./logger.ts";
import type { ConnectionStats } from "./rpc/connection/connection.ts";
import type { ConnectionLimits } from "./rpc/connection/connection-state.ts";
import { TwoPartyConnection } from "./rpc/two-party.ts";
import type { Client } from "./rpc/capability/client.ts";
import { clientOf, type InterfaceClient, type InterfaceType } from "./schema/interface-client.ts";
import { type ByteStreamOptions, ByteStreamTransport } from "./transport/byte-stream.ts";
import type { PeerInfo, Transport } from "./transport/transport.ts";

/** `disconnected`: the peer or the network ended it; `closed`: this side did. Neither comes back to life. */
export type ConnectionStatus = "connected" | "disconnected" | "closed";

export interface VatOptions extends ByteStreamOptions {
  /** What the peer gets when it asks for our bootstrap capability. Default: nothing, its question fails. */
  readonly bootstrap?: BootstrapSource;
  /** What one peer may make this vat hold. */
  readonly limits?: Partial<ConnectionLimits>;
  /** Where connections and their failures are logged. Default: nowhere. */
  readonly logger?: Logger;
}

const isTransport = (stream: Duplex | Transport): stream is Transport => "setReading" in stream;

/** One end of a connection between two vats, over any Duplex or transport. Both ends are equal once it stands. */
abstract class TwoPartyVat {
  readonly #connection: TwoPartyConnection;
  #status: ConnectionStatus = "connected";
  #states: BehaviorSubject<ConnectionStatus> | undefined;
  #closing = false;

  constructor(stream: Duplex | Transport, options: VatOptions = {}) {
    const transport = isTransport(stream) ? stream : new ByteStreamTransport(stream, options);
    const release = holdBootstrap(options.bootstrap);
    this.#connection = new TwoPartyConnection(transport, {
      bootstrap: bootstrapFor(options.bootstrap),
      logger: options.logger ?? silent,
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    });
    void this.#connection.over.then(() => {
      release();
      this.#status = this.#closing ? "closed" : "disconnected";
      this.#states?.next(this.#status);
      this.#states?.complete();
    });
  }

  /** Who is at the other end. */
  get peer(): PeerInfo {
    return this.#connection.peer;
  }

  /** The state of the connection, now and whenever it changes; completes when the connection is over. */
  get state$(): Observable<ConnectionStatus> {
    if (this.#states === undefined) {
      const { BehaviorSubject, of } = rxjs();
      if (this.#status !== "connected") return of(this.#status);
      this.#states = new BehaviorSubject<ConnectionStatus>(this.#status);
    }
    return this.#states.asObservable();
  }

  /** Resolves with the reason when the connection is over, whoever ended it. It never rejects. */
  get closed(): Promise<CapnpError> {
    return this.#connection.over;
  }

  /** Rows of the connection's tables and messages so far: for tests, and for watching over a service. */
  stats(): ConnectionStats {
    return this.#connection.stats();
  }

  /** The capability that the peer exposes, as the given interface. Calls on it may be made at once. */
  bootstrap(): InterfaceClient;
  bootstrap<C extends Client>(type: InterfaceType<C>): C;
  bootstrap(type?: InterfaceType<Client>): Client {
    return clientOf(type, this.#connection.bootstrap());
  }

  /** Ends the connection. Calls in flight, on either side, fail with `disconnected`. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** The end that connected, over a Duplex or transport of yours; see `connect` for one by address. */
export class TwoPartyClient extends TwoPartyVat {}

/** The end that was connected to: exposes `bootstrap` to the peer; see `listen` for a server of many. */
export class TwoPartyServer extends TwoPartyVat {}
