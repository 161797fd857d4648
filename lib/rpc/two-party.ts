import { CapnpError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { MessageBuilder } from "../serialization/message.ts";
import type { PeerInfo, Transport } from "../transport/transport.ts";
import type { ClientHook } from "./capability/client-hook.ts";
import type { Payload } from "./capability/payload.ts";
import { Connection, type ConnectionStats } from "./connection/connection.ts";
import type { Clock } from "./clock.ts";
import type { ConnectionDump } from "./connection/inspect.ts";
import type { NameMethod, Trace } from "./connection/trace.ts";
import type { EncodeTrace } from "./exception.ts";
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
  #resolveOver!: (reason: CapnpError) => void;
  #transportGone = false;

  constructor(transport: Transport, options: TwoPartyOptions) {
    this.#transport = transport;
    this.#logger = options.logger;
    this.over = new Promise((resolve) => {
      this.#resolveOver = resolve;
    });
    const { peer } = transport;
    const bootstrap = options.bootstrap ?? noBootstrap;
    this.#connection = new Connection(
      {
        send: (segments) => transport.send(segments),
        get queued() {
          return transport.queued;
        },
      },
      { bootstrap: (objectId) => bootstrap(peer, objectId), caller: peer },
      (reason) => this.#over(reason),
      {
        newStream: streamsOf(options.streamWindow, options.clock),
        tailCalls: options.tailCalls ?? true,
        trace: options.trace,
        encodeTrace: options.encodeTrace,
        ...(options.nameMethod === undefined ? {} : { nameMethod: options.nameMethod }),
        ...(options.limits === undefined ? {} : { limits: options.limits }),
        ...(options.clock === undefined ? {} : { clock: options.clock }),
        exposeErrors: options.exposeErrors ?? true,
        onHiddenError: (id, error) =>
          this.#logger.error({ peer: peer.address, id, err: error }, "an error whose text the peer was not told"),
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
    this.#connection.close(
      error ?? new CapnpError("CAPNP_DISCONNECTED", `The connection with ${this.peer.address} was closed by the peer.`),
    );
  }

  #over(reason: CapnpError): void {
    const { address } = this.peer;
    if (reason.kind === "disconnected")
      this.#logger.debug({ peer: address, reason: reason.message }, "connection closed");
    else this.#logger.warn({ peer: address, code: reason.code, reason: reason.message }, "connection failed");
    // The abort that tells the peer why is queued: it leaves before the end of the stream does.
    if (!this.#transportGone) void this.#transport.close();
    this.#resolveOver(reason);
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
