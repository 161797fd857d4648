import type { Duplex } from "node:stream";
import type { BehaviorSubject, Observable } from "rxjs";
import { type BootstrapSource, bootstrapFor, holdBootstrap } from "./bootstrap-source.ts";
import { CapnpError } from "./errors.ts";
import { ended, observables } from "./lazy-rxjs.ts";
import { ConnectionObserver } from "./observation.ts";
import { contained, type Logger, silent } from "./logger.ts";
import type { ConnectionStats } from "./rpc/connection/connection.ts";
import type { Clock } from "./rpc/clock.ts";
import type { ConnectionDump } from "./rpc/connection/inspect.ts";
import type { ConnectionLimits } from "./rpc/limits.ts";
import type { StreamWindow } from "./rpc/streaming/stream-window.ts";
import { TwoPartyConnection } from "./rpc/two-party.ts";
import { objectIdMessage, type Restorer } from "./restorer.ts";
import type { Client } from "./rpc/capability/client.ts";
import type { PointerTypeArgument } from "./schema/any-pointer.ts";
import { clientOf, type InterfaceClient, type InterfaceType } from "./schema/interface-client.ts";
import { methodName } from "./schema/method-name.ts";
import type { ByteStreamOptions, ByteStreamTransport } from "./transport/byte-stream.ts";
import type { PeerInfo, Transport } from "./transport/transport.ts";
import type { TwoWayPipe } from "./transport/two-way-pipe.ts";
import type { isWebStreams, WebStreams } from "./transport/web-streams.ts";

/** `disconnected`: the peer or the network ended it; `closed`: this side did. Neither comes back to life. */
export type ConnectionStatus = "connected" | "disconnected" | "closed";

export interface CloseOptions {
  /** Milliseconds that calls in progress have to finish. Default: 0, they are cut off. */
  readonly drain?: number;
}

export interface VatOptions extends ByteStreamOptions {
  /** What the peer gets when it asks for our bootstrap capability. Default: nothing, its question fails. */
  readonly bootstrap?: BootstrapSource;
  /** What restores capabilities by object id: see `restore`. Default: nothing, the question fails. */
  readonly restorer?: Restorer;
  /** What one peer may make this vat hold. */
  readonly limits?: Partial<ConnectionLimits>;
  /**
   * Whether the peer is told the text of every error that a method throws. Default: true, as it helps those who write both sides.
   * With false only texts travel that are meant to: of a CapnpError, or of an error that has `expose: true`. Any other is logged in
   * full under an id, and the peer reads `internal error` and that id. Set it wherever strangers may call.
   */
  readonly exposeErrors?: boolean;
  /** What the limits that speak of time go by, for tests. Default: time as it passes. */
  readonly clock?: Clock;
  /**
   * How many bytes of one stream (the calls of `-> stream` methods of one capability) may be under way before their promises
   * wait: a number of bytes, or "adaptive" for what the connection turns out to need, 8 MiB at most. They also wait when 512 such
   * calls are under way, those of all streams of the connection together. Default: 65,536 bytes.
   */
  readonly streamWindow?: StreamWindow;
  /**
   * Whether a call that a method passes on to its own caller is answered there, without a detour
   * (`Call.sendResultsTo.yourself`). Default: true. A peer that does not know it (go-capnp) fails the first such call, and later
   * ones take the detour; false spares it that.
   */
  readonly tailCalls?: boolean;
  /** Hears of every message that is sent and received, in a line for people. It costs time. Default: nobody does. */
  readonly trace?: (line: string) => void;
  /**
   * Says where an error happened, for the peer to read (`remoteTrace`): `(error) => error.stack`, or an id in a log. Default: the
   * peer is not told.
   */
  readonly encodeTrace?: (error: unknown) => string;
  /** Where connections and their failures are logged. Default: nowhere. */
  readonly logger?: Logger;
}

const isTransport = (stream: object): stream is Transport => "setReading" in stream;
const isDuplex = (stream: object): stream is Duplex => "pipe" in stream;

/** What makes transports of streams, which a client that was connected by address does not need. */
interface StreamCarriers {
  readonly ByteStreamTransport: typeof ByteStreamTransport;
  readonly TwoWayPipe: typeof TwoWayPipe;
  readonly isWebStreams: typeof isWebStreams;
}

let given: StreamCarriers | undefined;

/** Gives them to an end, which is the same class as before. A bundler may leave that out where the result is not used. */
export const overStreams = <Vat>(vat: Vat, carriers: StreamCarriers): Vat => {
  given = carriers;
  return vat;
};

const carriers = (): StreamCarriers => {
  if (given !== undefined) return given;
  throw new CapnpError("CAPNP_TYPE", "Import TwoPartyClient or TwoPartyServer by name to make one over a stream.");
};

/** What carries the bytes of a connection. */
type Bytes = Duplex | WebStreams;

/** Whether the first argument is what carries the bytes, and not the options of an end that has no such thing. */
const isStreamOrTransport = (first: Bytes | Transport | VatOptions): first is Bytes | Transport => {
  if (typeof first === "object" && first !== null) {
    if (isTransport(first) || isDuplex(first) || carriers().isWebStreams(first)) return true;
    const prototype = Object.getPrototypeOf(first);
    if (prototype === Object.prototype || prototype === null) return false;
  }
  const what =
    typeof first === "string" ? `the address ${JSON.stringify(first)}: see connect and listen` : typeof first;
  throw new CapnpError(
    "CAPNP_TYPE",
    `An end of a connection is made with a Duplex, a pair of web streams or a transport, or with nothing but options; not with ${what}.`,
  );
};

/**
 * One end of a connection between two vats, over any Duplex, pair of web streams or transport. Both ends are equal once it stands.
 *
 * Without a stream it is an end whose bytes you carry: what `read` gives goes to the peer, what the peer sent is for
 * `write`, and `end` tells that the peer has ended its side.
 */
abstract class TwoPartyVat {
  readonly #connection: TwoPartyConnection;
  readonly #observer: ConnectionObserver;
  #status: ConnectionStatus = "connected";
  #states: BehaviorSubject<ConnectionStatus> | undefined;
  #closing = false;
  readonly #pipe: TwoWayPipe | undefined;

  constructor(stream: Duplex | WebStreams | Transport | undefined, options?: VatOptions);
  constructor(options?: VatOptions);
  constructor(first: Bytes | Transport | VatOptions = {}, second?: VatOptions) {
    const isStream = isStreamOrTransport(first);
    const options = second ?? (isStream ? {} : first);
    if (!isStream) this.#pipe = new (carriers().TwoWayPipe)();
    const stream = this.#pipe ?? (first as Bytes | Transport);
    const transport = isTransport(stream) ? stream : new (carriers().ByteStreamTransport)(stream, options);
    const release = holdBootstrap(options.bootstrap);
    const logger = options.logger ?? silent;
    const observer = new ConnectionObserver(
      this instanceof TwoPartyServer ? "server" : "client",
      transport.peer,
      logger,
    );
    this.#observer = observer;
    this.#connection = new TwoPartyConnection(transport, {
      bootstrap: bootstrapFor(options.bootstrap, options.restorer),
      logger: contained(logger),
      observer,
      conn: observer.conn,
      ...(options.limits === undefined ? {} : { limits: options.limits }),
      ...(options.clock === undefined ? {} : { clock: options.clock }),
      ...(options.exposeErrors === undefined ? {} : { exposeErrors: options.exposeErrors }),
      ...(options.streamWindow === undefined ? {} : { streamWindow: options.streamWindow }),
      ...(options.tailCalls === undefined ? {} : { tailCalls: options.tailCalls }),
      ...(options.trace === undefined ? {} : { trace: options.trace, nameMethod: methodName }),
      ...(options.encodeTrace === undefined ? {} : { encodeTrace: options.encodeTrace }),
    });
    observer.changed("connected");
    void this.#connection.over.then((reason) => {
      release();
      this.#status = this.#closing ? "closed" : "disconnected";
      observer.changed(this.#status, reason);
      this.#states?.next(this.#status);
      this.#states?.complete();
    });
  }

  /** Who is at the other end. */
  get peer(): PeerInfo {
    return this.#connection.peer;
  }

  /** The number of this connection in this process, as the log and the channels of node:diagnostics_channel have it. */
  get conn(): number {
    return this.#observer.conn;
  }

  /** Writes to the vat's log, with the fields `conn` and `peer` on every line. */
  get logger(): Logger {
    return this.#observer.log;
  }

  /** The state of the connection, now and whenever it changes; completes when the connection is over. */
  get state$(): Observable<ConnectionStatus> {
    const { BehaviorSubject, Observable } = observables();
    // A subject that has completed would tell nobody what it came to.
    if (this.#status !== "connected") return ended(Observable, this.#status);
    this.#states ??= new BehaviorSubject<ConnectionStatus>(this.#status);
    return this.#states.asObservable();
  }

  /** Resolves with the reason when the connection is over, whoever ended it. It never rejects. */
  get closed(): Promise<CapnpError> {
    return this.#connection.over;
  }

  /** Calls back when the peer answers a call with kind `disconnected`, though the connection stands. @internal */
  protected onDisconnectedAnswer(listener: () => void): void {
    this.#observer.onDisconnectedAnswer = listener;
  }

  /** Why the connection is over; undefined while it stands. */
  get closedBy(): CapnpError | undefined {
    return this.#connection.closedBy;
  }

  /** Rows of the connection's tables and messages so far: for tests, and for watching over a service. */
  stats(): ConnectionStats {
    return this.#connection.stats();
  }

  /** True where neither side asks, holds or owes the other anything: nobody would notice if the connection ended. */
  get isIdle(): boolean {
    return this.#connection.isIdle;
  }

  /** Ways in which the connection's tables contradict each other: none, unless this library has a bug. For tests. */
  check(): string[] {
    return this.#connection.check();
  }

  /** The connection's tables as plain objects, for people. */
  dump(): ConnectionDump {
    return this.#connection.dump();
  }

  /** The capability that the peer exposes, as the given interface. Calls on it may be made at once. */
  bootstrap(): InterfaceClient;
  bootstrap<C extends Client>(type: InterfaceType<C>): C;
  bootstrap(type?: InterfaceType<Client>): Client {
    return clientOf(type, this.#connection.bootstrap());
  }

  /**
   * The capability that the peer's restorer finds by an object id: a struct, text, AnyPointer or null, or a plain object
   * with its type (`restore({ name: "x" }, MyObjectId)`). Calls on it may be made at once.
   *
   * It travels as `Bootstrap.deprecatedObjectId`, which peers know that serve by C++'s `EzRpcServer::exportCap` or
   * `SturdyRefRestorer`, or by `restorer` here; C++ from version 2 on ignores or refuses it.
   *
   * @param as The interface of the capability; without it `castAs` says so later.
   */
  restore<C extends Client>(objectId: unknown, as: InterfaceType<C>): C;
  restore(objectId: unknown, objectIdType?: PointerTypeArgument): InterfaceClient;
  restore<C extends Client>(objectId: unknown, objectIdType: PointerTypeArgument, as: InterfaceType<C>): C;
  restore(objectId: unknown, type?: PointerTypeArgument | InterfaceType<Client>, as?: InterfaceType<Client>): Client {
    if (isInterface(type)) return clientOf(type, this.#connection.bootstrap(objectIdMessage(objectId, undefined)));
    return clientOf(as, this.#connection.bootstrap(objectIdMessage(objectId, type)));
  }

  /** The capability that the peer exports under a name: `restore` with a text. */
  ezRestore(name: string): InterfaceClient;
  ezRestore<C extends Client>(name: string, as: InterfaceType<C>): C;
  ezRestore(name: string, as?: InterfaceType<Client>): Client {
    return clientOf(as, this.#connection.bootstrap(objectIdMessage(name, "Text")));
  }

  /**
   * Without a stream: the next bytes for the peer, `maxBytes` at the most, as soon as there are any. Undefined when there
   * will be no more: end your side then, and see `closed` for the reason. The bytes are yours.
   */
  async read(maxBytes = 65_536): Promise<Uint8Array | undefined> {
    return this.#bytes("read").pull(maxBytes);
  }

  /**
   * Without a stream: takes bytes that the peer sent, in any pieces. Resolves when there is room for more: wait for it, so
   * that the peer feels it when we are slow. False when the connection is over, and nothing more is wanted.
   */
  async write(bytes: Uint8Array): Promise<boolean> {
    return this.#bytes("write").feed(bytes);
  }

  /**
   * Without a stream: the peer has ended its side.
   *
   * @param error Why, where it broke off: the connection ends at once then.
   */
  end(error?: Error): void {
    const pipe = this.#bytes("end");
    if (error === undefined) pipe.feedEnd();
    else pipe.destroy(error);
  }

  #bytes(method: string): TwoWayPipe {
    if (this.#pipe !== undefined) return this.#pipe;
    throw new CapnpError(
      "CAPNP_CALL",
      `${method}() is for an end whose bytes you carry: this one reads and writes the stream that it was made with.`,
    );
  }

  /**
   * Ends the connection. Calls in flight, on either side, fail with `disconnected`. With `drain`, the peer's calls that are at work
   * have so many milliseconds to finish first; what the peer asks from now on is answered `disconnected`.
   */
  async close({ drain = 0 }: CloseOptions = {}): Promise<void> {
    this.#closing = true;
    if (drain > 0) {
      const text = "This vat is closing: it finishes the calls that are at work and takes no new ones. Connect again.";
      await this.#connection.drain(new CapnpError("CAPNP_DISCONNECTED", text), drain);
    }
    await this.#connection.close();
  }

  /** Ends the connection at once and tells the peer why. What is pending on either side fails with `disconnected`. */
  abort(reason: CapnpError): void {
    this.#closing = true;
    this.#connection.abort(reason);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

const isInterface = (type: unknown): type is InterfaceType<Client> =>
  typeof type === "object" && type !== null && (type as Partial<InterfaceType<Client>>).schema?.which === "interface";

/** The end that connected, over a stream or transport of yours; see `connect` for one by address. */
export class TwoPartyClient extends TwoPartyVat {}

/** The end that was connected to: exposes `bootstrap` to the peer; see `listen` for a server of many. */
export class TwoPartyServer extends TwoPartyVat {}
