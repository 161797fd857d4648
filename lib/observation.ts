import { CapnpError } from "./errors.ts";
import { childLogger, contained, type Logger, silent } from "./logger.ts";
import type { CallObserver, CallRecord } from "./rpc/observe.ts";
import { methodName } from "./schema/method-name.ts";
import type { PeerInfo } from "./transport/transport.ts";

/** What the channel `capstan:connection` tells, when a connection begins to stand and when it is over. */
export interface ConnectionEvent {
  /** The number of the connection in this process, as in the log. */
  readonly conn: number;
  /** `server` where the peer connected to this vat. */
  readonly side: "client" | "server";
  readonly peer: PeerInfo;
  /** `disconnected`: the peer or the network ended it; `closed`: this side did. */
  readonly state: "connected" | "disconnected" | "closed";
  /** Why it is over. */
  readonly reason?: CapnpError;
}

interface Channel {
  readonly hasSubscribers: boolean;
  publish(message: unknown): void;
}

// A browser has neither channels nor anybody who could subscribe to them.
const diagnostics = globalThis.process?.getBuiltinModule?.("node:diagnostics_channel");
const channel = (name: string): Channel =>
  diagnostics?.channel(name) ?? { hasSubscribers: false, publish: () => undefined };

const channels = {
  connection: channel("capstan:connection"),
  start: channel("capstan:call.start"),
  end: channel("capstan:call.end"),
  error: channel("capstan:call.error"),
};

class WatchedCall implements CallRecord {
  readonly side: CallRecord["side"];
  readonly conn: number;
  readonly peer: string;
  readonly method: string;
  readonly interfaceId: bigint;
  readonly methodId: number;
  readonly call: number;
  duration: number | undefined;
  error: Error | undefined;
  readonly #began = performance.now();

  constructor(
    connection: ConnectionObserver,
    side: CallRecord["side"],
    interfaceId: bigint,
    methodId: number,
    call: number,
  ) {
    this.side = side;
    this.conn = connection.conn;
    this.peer = connection.peer.address;
    this.method = nameOf(interfaceId, methodId);
    this.interfaceId = interfaceId;
    this.methodId = methodId;
    this.call = call;
  }

  end(error: Error | undefined): void {
    this.duration = performance.now() - this.#began;
    this.error = error;
  }
}

const nameOf = (interfaceId: bigint, methodId: number): string =>
  methodName(interfaceId, methodId) ?? `0x${interfaceId.toString(16)}:${methodId}`;

let connections = 0;

/**
 * Tells the log and the channels of node:diagnostics_channel what one connection does. A call costs a look at three channels
 * while nobody has subscribed.
 */
export class ConnectionObserver implements CallObserver {
  readonly conn = ++connections;
  readonly side: "client" | "server";
  readonly peer: PeerInfo;
  /** Told when the peer answers a call with kind `disconnected`. */
  onDisconnectedAnswer: () => void = () => undefined;
  readonly #logger: Logger;
  readonly #lines: Logger;
  #child: Logger | undefined;

  constructor(side: "client" | "server", peer: PeerInfo, logger: Logger) {
    this.side = side;
    this.peer = peer;
    this.#logger = logger;
    this.#lines = contained(logger);
  }

  /** With the fields of the connection on every line. */
  get log(): Logger {
    this.#child ??= childLogger(this.#logger, { conn: this.conn, peer: this.peer.address });
    return this.#child;
  }

  changed(state: ConnectionEvent["state"], reason?: CapnpError): void {
    if (!channels.connection.hasSubscribers) return;
    const { conn, side, peer } = this;
    const event: ConnectionEvent = { conn, side, peer, state, ...(reason === undefined ? {} : { reason }) };
    channels.connection.publish(event);
  }

  started(side: CallRecord["side"], interfaceId: bigint, methodId: number, call: number): CallRecord | undefined {
    const { start, end, error } = channels;
    if (!start.hasSubscribers && !end.hasSubscribers && !error.hasSubscribers) return undefined;
    const record = new WatchedCall(this, side, interfaceId, methodId, call);
    if (start.hasSubscribers) start.publish(record);
    return record;
  }

  ended(record: CallRecord, error: Error | undefined): void {
    (record as WatchedCall).end(error);
    if (error !== undefined && channels.error.hasSubscribers) channels.error.publish(record);
    if (channels.end.hasSubscribers) channels.end.publish(record);
  }

  failed(interfaceId: bigint, methodId: number, call: number, error: Error): void {
    if (this.#logger === silent) return;
    const { conn, peer } = this;
    const fields = { conn, peer: peer.address, method: nameOf(interfaceId, methodId), call };
    // The text of a CapnpError was written for the caller, and may quote what the caller sent.
    if (error instanceof CapnpError) {
      this.#lines.debug({ ...fields, code: error.code, kind: error.kind }, "call failed");
    } else this.#lines.warn({ ...fields, kind: "failed", err: error }, "call failed");
  }

  answeredDisconnected(): void {
    this.onDisconnectedAnswer();
  }

  logger(interfaceId: bigint, methodId: number, call: number): Logger {
    return childLogger(this.log, { method: nameOf(interfaceId, methodId), call });
  }
}
