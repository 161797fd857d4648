import { CapnpError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { MessageBuilder } from "../serialization/message.ts";
import type { PeerInfo, Transport } from "../transport/transport.ts";
import type { ClientHook } from "./capability/client-hook.ts";
import type { Payload } from "./capability/payload.ts";
import { Connection, type ConnectionStats } from "./connection/connection.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { ConnectionDump } from "./connection/inspect.ts";
import type { NameMethod, Trace } from "./connection/trace.ts";
import type { EncodeTrace } from "./exception.ts";
import type { CallObserver } from "./observe.ts";
import type { ConnectionLimits } from "./limits.ts";
import { type StreamWindow, streamsOf } from "./streaming/stream-window.ts";

export interface TwoPartyOptions {
  /** Makes what the peer gets for a Bootstrap; the reference is the connection's. Without it a Bootstrap fails. */
  readonly bootstrap?: (peer: PeerInfo, objectId: Payload | undefined) => ClientHook;
  readonly limits?: Partial<ConnectionLimits>;
  readonly clock?: Clock;
  /** Default: true. */
  readonly exposeErrors?: boolean;
  readonly streamWindow?: StreamWindow;
  readonly tailCalls?: boolean;
  readonly trace?: Trace;
  readonly encodeTrace?: EncodeTrace;
  readonly nameMethod?: NameMethod;
  /** Hears of calls. Default: nobody does. */
  readonly observer?: CallObserver;
  /** The number of the connection, for the log. */
  readonly conn?: number;
  readonly logger: Logger;
}

/**
 * The network of two vats that one transport joins (rpc-twoparty.capnp): brings the messages of the transport to the
 * protocol and back, and ends both together.
 */
export class TwoPartyConnection {
  /** Resolves when the connection is over, whatever ended it. */
  readonly over: Promise<CapnpError>;
  readonly #transport: Transport;
  readonly #connection: Connection;
  readonly #logger: Logger;
  readonly #conn: number | undefined;
  readonly #clock: Clock;
  #resolveOver!: (reason: CapnpError) => void;
  #transportGone = false;

  constructor(transport: Transport, options: TwoPartyOptions) {
    this.#transport = transport;
    this.#logger = options.logger;
    this.#conn = options.conn;
    this.#clock = options.clock ?? systemClock;
    this.over = new Promise((resolve) => {
      this.#resolveOver = resolve;
    });
    const { peer } = transport;
    const bootstrap = options.bootstrap ?? noBootstrap;
    this.#connection = new Connection(
      {
        send: (segments, sent) => transport.send(segments, sent),
        get queued() {
          return transport.queued;
        },
        get largestQueued() {
          return transport.largestQueued ?? 0;
        },
      },
      { bootstrap: (objectId) => bootstrap(peer, objectId), caller: peer },
      (reason) => this.#over(reason),
      {
        newStream: streamsOf(options.streamWindow, options.clock),
        tailCalls: options.tailCalls ?? true,
        trace: options.trace,
        observer: options.observer,
        encodeTrace: options.encodeTrace,
        ...(options.nameMethod === undefined ? {} : { nameMethod: options.nameMethod }),
        ...(options.limits === undefined ? {} : { limits: options.limits }),
        ...(options.clock === undefined ? {} : { clock: options.clock }),
        exposeErrors: options.exposeErrors ?? true,
        onHiddenError: (id, error) =>
          this.#logger.error({ ...this.#fields, id, err: error }, "an error whose text the peer was not told"),
      },
    );
    transport.start({
      message: (segments) => this.#connection.receive(segments),
      garbled: (error) => this.#connection.fail(error),
      closed: (error) => this.#lost(error),
    });
  }

  get peer(): PeerInfo {
    return this.#transport.peer;
  }

  /** Why the connection is over; undefined while it stands. */
  get closedBy(): CapnpError | undefined {
    return this.#connection.closedBy;
  }

  /** The peer's bootstrap capability, or the one that it restores by an object id, for the caller to own. */
  bootstrap(objectId?: MessageBuilder): ClientHook {
    return this.#connection.bootstrap(objectId);
  }

  get isIdle(): boolean {
    return this.#connection.isIdle;
  }

  check(): string[] {
    return this.#connection.check();
  }

  dump(): ConnectionDump {
    return this.#connection.dump();
  }

  stats(): ConnectionStats {
    return this.#connection.stats();
  }

  #lost(error: CapnpError | undefined): void {
    this.#transportGone = true;
    const { peer, bytesReceived } = this.#transport;
    // Nothing else tells who does not speak TLS to a server that does: the server hangs up.
    const isMute = bytesReceived === 0 && !peer.encrypted;
    const hint = isMute ? ", which had said nothing: do both ends speak TLS (tls://), or neither?" : ".";
    const text = `The connection with ${peer.address} was closed by the peer${hint}`;
    this.#connection.close(error ?? new CapnpError("CAPNP_DISCONNECTED", text));
  }

  #over(reason: CapnpError): void {
    const { code, kind, message } = reason;
    if (kind === "disconnected") this.#logger.debug({ ...this.#fields, code, reason: message }, "connection closed");
    else this.#logger.warn({ ...this.#fields, code, kind, reason: message }, "connection failed");
    // The abort that tells the peer why is queued: it leaves before the end of the stream does.
    if (!this.#transportGone) this.#closeTransport();
    this.#resolveOver(reason);
  }

  /** A transport of the user's own may fail to close: `close` tells its caller so, and here only the log is left to tell. */
  #closeTransport(): void {
    this.#transport.close().catch((error: unknown) => {
      this.#logger.warn({ ...this.#fields, err: error }, "the transport failed to close");
    });
  }

  /** What every line of the log about this connection says. */
  get #fields(): { readonly conn?: number; readonly peer: string } {
    const peer = this.peer.address;
    return this.#conn === undefined ? { peer } : { conn: this.#conn, peer };
  }

  /** Answers new calls with an error, and resolves when those that are at work have been answered, or after so many milliseconds. */
  async drain(refusal: CapnpError, milliseconds: number): Promise<void> {
    let stop = (): void => undefined;
    const quiet = new Promise<void>((resolve) => {
      stop = this.#clock.after(milliseconds, resolve);
      this.#connection.drain(refusal, resolve);
    });
    await Promise.race([quiet, this.over]);
    stop();
  }

  /** Ends the connection from this side, and tells the peer why. */
  abort(reason: CapnpError): void {
    this.#connection.fail(reason);
  }

  /** Ends the connection from this side. Calls that are pending on either side fail with `disconnected`. */
  async close(): Promise<void> {
    this.#connection.close(
      new CapnpError("CAPNP_DISCONNECTED", `The connection with ${this.peer.address} was closed on this side.`),
    );
    await this.#transport.close();
  }
}

const noBootstrap = (): never => {
  throw new CapnpError("CAPNP_NO_BOOTSTRAP", "This vat does not expose a bootstrap capability.");
};
