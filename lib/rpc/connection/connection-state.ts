import type { CapnpError } from "../../errors.ts";
import type { ClientHook } from "../capability/client-hook.ts";
import type { OutgoingCall } from "../capability/request.ts";
import type { OutgoingMessage } from "../wire.ts";
import type { Answer } from "./answer.ts";
import type { Embargo } from "./embargo.ts";
import type { ExportRow } from "./export.ts";
import type { AnswerId, EmbargoId, ExportId, ImportId, QuestionId } from "./ids.ts";
import type { ImportRow } from "./import-client.ts";
import type { PromiseClient } from "./promise-client.ts";
import type { Question } from "./question.ts";
import type { RemoteClient } from "./remote-client.ts";
import { IdTable } from "./table.ts";

/** Limits on what one peer may make a vat hold, each with the attack that it stops. */
export interface ConnectionLimits {
  /** Words that reading one message may visit. Default: 8 Mi. See `ReaderOptions`. */
  readonly traversalLimitInWords: number;
  /** Depth of pointers in one message. Default: 64. */
  readonly nestingLimit: number;
  /** Capabilities in one message: each costs a row here for a few bytes there. Default: 1,024. */
  readonly maxCapabilitiesPerMessage: number;
  /** Calls of the peer's that have not been finished. Default: 65,536. */
  readonly maxAnswers: number;
  /** Capabilities of the peer's that are held here. Default: 65,536. */
  readonly maxImports: number;
  /** Bytes of the largest message that may be sent; what does not fit is answered with an exception. Default: 64 MiB. */
  readonly maxMessageBytes: number;
}

export const defaultConnectionLimits: ConnectionLimits = {
  traversalLimitInWords: 8 * 1024 * 1024,
  nestingLimit: 64,
  maxCapabilitiesPerMessage: 1024,
  maxAnswers: 65_536,
  maxImports: 65_536,
  maxMessageBytes: 64 * 1024 * 1024,
};

/** Where a connection's messages go. */
export interface Link {
  send(segments: readonly Uint8Array[]): void;
}

/** Begins a call to the peer; given to the state so that clients need not know how calls are sent. */
export type BeginCall = (
  state: ConnectionState,
  target: RemoteClient,
  interfaceId: bigint,
  methodId: number,
  via: PromiseClient | undefined,
) => OutgoingCall;

/** The four tables of rpc.capnp and the embargoes: all that one connection knows. */
export class ConnectionState {
  readonly questions = new IdTable<QuestionId, Question>();
  readonly answers = new Map<AnswerId, Answer>();
  readonly exports = new IdTable<ExportId, ExportRow>();
  /** The row under which a hook is exported, so that it gets one id however often it is sent. */
  readonly exportsByHook = new Map<ClientHook, ExportRow>();
  readonly imports = new Map<ImportId, ImportRow>();
  readonly embargoes = new IdTable<EmbargoId, Embargo>();
  /** Why the connection is over; undefined while it stands. */
  closedBy: CapnpError | undefined;

  /** What is in no table and yet ends with the connection. */
  readonly atClose = new Set<{ lost(): void }>();

  readonly limits: ConnectionLimits;
  readonly beginCall: BeginCall;
  /** Ends the connection, for what is found wrong after the message was handled that is to blame. */
  readonly fail: (error: unknown) => void;
  readonly #link: Link;

  /** Messages sent and received, and how often an answer was waited for. */
  sent = 0;
  received = 0;
  roundTrips = 0;
  /** True while the peer has been asked something since its last answer. */
  #asked = false;

  constructor(link: Link, limits: ConnectionLimits, beginCall: BeginCall, fail: (error: unknown) => void) {
    this.#link = link;
    this.limits = limits;
    this.beginCall = beginCall;
    this.fail = fail;
  }

  send(message: OutgoingMessage): void {
    this.sendSegments(message.segments);
  }

  sendSegments(segments: readonly Uint8Array[]): void {
    if (this.closedBy !== undefined) return;
    this.sent++;
    this.#link.send(segments);
  }

  /** Counts round trips: a question went out, ... */
  asked(): void {
    this.#asked = true;
  }

  /** ... and an answer came back. Any number of questions that share one way out and back count once. */
  answered(): void {
    if (!this.#asked) return;
    this.#asked = false;
    this.roundTrips++;
  }
}
