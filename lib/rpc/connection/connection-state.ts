import { CapnpError } from "../../errors.ts";
import type { ClientHook } from "../capability/client-hook.ts";
import type { PipelineRoom } from "../capability/pipeline.ts";
import type { OutgoingCall } from "../capability/request.ts";
import { reasonOf } from "../capability/thrown.ts";
import type { Clock } from "../clock.ts";
import type { ErrorReport } from "../exception.ts";
import type { ConnectionLimits } from "../limits.ts";
import type { FlowController } from "../streaming/flow-controller.ts";
import { streamsOf } from "../streaming/stream-window.ts";
import type { OutgoingMessage } from "../wire.ts";
import type { Answer } from "./answer.ts";
import type { Embargo } from "./embargo.ts";
import type { ExportRow } from "./export.ts";
import { type CallObserver, type CallOutcomes, noOutcomes } from "../observe.ts";
import {
  type AnswerId,
  type EmbargoId,
  type ExportId,
  firstPipelineId,
  type ImportId,
  type QuestionId,
} from "./ids.ts";
import type { ImportRow } from "./import-client.ts";
import type { PromiseClient } from "./promise-client.ts";
import type { Question } from "./question.ts";
import type { RemoteClient } from "./remote-client.ts";
import { IdTable } from "./table.ts";
import type { Tracer } from "./trace.ts";
import { TokenBucket } from "./token-bucket.ts";
import { WaitingResults } from "./waiting-results.ts";

/** Milliseconds after which whoever cancels a call has waited for it. */
const patience = 1000;

/** Where a connection's messages go. */
export interface Link {
  /** The segments do not change until `sent` is called. */
  send(segments: readonly Uint8Array[], sent?: () => void): void;
  /** Bytes that were sent and wait for the peer to read. */
  readonly queued: number;
  /** How many of them are of the largest message. */
  readonly largestQueued: number;
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
  /** Questions for their pipeline only. */
  readonly pipelineQuestions = new Map<QuestionId, Question>();
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

  /** What new calls of the peer's fail with, once this side is about to close; calls that are at work go on. */
  refusal: CapnpError | undefined;
  /** Called when a call or Bootstrap of the peer's has ended, before its answer is sent, while somebody waits for the last one. */
  callEnded: (() => void) | undefined;

  /** Undefined where nobody can watch the calls. */
  observer: CallObserver | undefined;
  /** Calls of the peer's so far, and how they ended. */
  served = 0;
  readonly outcomes: CallOutcomes = noOutcomes();

  /** Undefined where nobody wants to read what is sent and received. */
  tracer: Tracer | undefined;

  /** False where the peer does not know `sendResultsTo.yourself`, or shall not be asked to. */
  tailCalls = true;
  /** True where the peer has answered a question for its pipeline only: it does not know the hint. */
  returnsForPipelines = false;
  #pipelineIds = 0;

  readonly limits: ConnectionLimits;
  readonly clock: Clock;
  /** What the peer is told of errors. */
  readonly errors: ErrorReport;
  readonly beginCall: BeginCall;
  /** Ends the connection, for what is found wrong after the message was handled that is to blame. */
  readonly fail: (error: unknown) => void;
  /** Makes the flow control of one stream. */
  newStream: () => FlowController = streamsOf();
  readonly #link: Link;

  /** Messages sent and received, and how often an answer was waited for. */
  sent = 0;
  received = 0;
  roundTrips = 0;

  /** Calls of the peer's that are at work, those that were canceled included until their methods are done. */
  calls = 0;
  /** Bytes of the messages that brought them. */
  paramBytes = 0;
  /** Bytes of results that are kept until the peer sends Finish. */
  resultBytes = 0;
  /** What calls beyond `maxCalls` are refused with, once there was one. */
  busy: CapnpError | undefined;
  /** Calls of the peer's, and of ours, that were refused for a limit. */
  overloaded = 0;
  /** Calls that the peer gave up before they returned. */
  canceled = 0;
  readonly #cancels: TokenBucket;
  /** Most connections never need it. */
  #waitingResults: WaitingResults | undefined;
  #starts = 0;
  #startTime = 0;
  /** For capabilities that the peer mentions by their place in results that are not there yet. */
  readonly pipelineRoom: PipelineRoom;
  /** Promises of the peer's that are held here, resolved or not. */
  promises = 0;
  /** Disembargoes of the peer's that wait for a promise. */
  waitingDisembargoes = 0;
  #isBreached = false;
  /** True while the peer has been asked something since its last answer. */
  #asked = false;

  constructor(
    link: Link,
    limits: ConnectionLimits,
    clock: Clock,
    errors: ErrorReport,
    beginCall: BeginCall,
    fail: (error: unknown) => void,
  ) {
    this.#link = link;
    this.limits = limits;
    this.clock = clock;
    this.errors = errors;
    this.#cancels = new TokenBucket(limits.cancelBurst, limits.cancelsPerSecond, clock);
    this.pipelineRoom = { used: 0, limit: limits.maxPipelinedPromises };
    this.beginCall = beginCall;
    this.fail = fail;
  }

  get hasPipelineQuestions(): boolean {
    return this.#pipelineIds > 0;
  }

  nextPipelineId(): QuestionId {
    let id: QuestionId;
    do {
      id = (firstPipelineId + this.#pipelineIds) as QuestionId;
      this.#pipelineIds = (this.#pipelineIds + 1) % firstPipelineId;
    } while (this.pipelineQuestions.has(id));
    return id;
  }

  get waitingResults(): WaitingResults {
    this.#waitingResults ??= new WaitingResults(this);
    return this.#waitingResults;
  }

  /** When a call of the peer's begins, or some calls earlier: the clock is too slow to be read for each. */
  startTime(): number {
    if ((this.#starts++ & 15) === 0) this.#startTime = this.clock.now();
    return this.#startTime;
  }

  /** Counts a call that the peer has canceled; false where it is one too many. A call that it has waited for is none of an attack. */
  takeCancel(startTime: number): boolean {
    this.canceled++;
    return this.clock.now() - startTime >= patience || this.#cancels.take();
  }

  /** Bytes that were sent and wait for the peer to read. */
  get queued(): number {
    return this.#link.queued;
  }

  /** Whether so much waits for the peer to read, beside one message of any size, that no more should be added. */
  get isCrowded(): boolean {
    const { maxOutboundBytes } = this.limits;
    const { queued } = this.#link;
    return queued > maxOutboundBytes && queued - this.#link.largestQueued > maxOutboundBytes;
  }

  /**
   * Ends the connection for a limit that turned out to be broken while something else was being done, after that is done: tables
   * must not be emptied under the hands of those who work on them.
   */
  breach(error: Error): void {
    if (this.#isBreached) return;
    this.#isBreached = true;
    queueMicrotask(() => this.fail(error));
  }

  /** Sends a message that nobody looks at afterwards. */
  send(message: OutgoingMessage): void {
    message.done();
    this.sendKept(message);
  }

  /** Sends a message that its maker may still look at, until it is `done`. */
  sendKept(message: OutgoingMessage): void {
    this.sendSegments(message.segments, () => message.sent());
  }

  sendSegments(segments: readonly Uint8Array[], sent?: () => void): void {
    if (this.closedBy !== undefined) return;
    this.sent++;
    try {
      this.tracer?.sent(segments);
      this.#link.send(segments, sent);
    } catch (cause) {
      // Whatever the message said, the peer does not know it: a call might wait for it for ever.
      const text = `A message could not be sent: ${reasonOf(cause)}`;
      this.breach(new CapnpError("CAPNP_DISCONNECTED", text, { cause }));
    }
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
