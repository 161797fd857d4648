import { CapnpError } from "../../errors.ts";
import type { MessageBuilder } from "../../serialization/message.ts";
import { BrokenClient } from "../capability/broken-client.ts";
import type { ClientHook } from "../capability/client-hook.ts";
import type { PendingCall } from "../capability/request.ts";
import type { FlowController } from "../streaming/flow-controller.ts";
import { type Clock, systemClock } from "../clock.ts";
import { type EncodeTrace, ErrorReport } from "../exception.ts";
import { type ConnectionLimits, readConnectionLimits } from "../limits.ts";
import { openMessage } from "../wire.ts";
import { beginCall } from "./call-sender.ts";
import { ConnectionState, type Link } from "./connection-state.ts";
import { settleReflected } from "./export.ts";
import { type Host, handleMessage, PeerAborted } from "./incoming.ts";
import { check, type ConnectionDump, dump } from "./inspect.ts";
import { sendAbort, sendBootstrap } from "./outgoing.ts";
import type { CallObserver, CallOutcomes } from "../observe.ts";
import { openQuestion } from "./question.ts";
import { type NameMethod, type Trace, Tracer } from "./trace.ts";

/** How many rows each table has, and what has passed. All tables of an idle connection that holds nothing are empty. */
export interface ConnectionStats {
  readonly questions: number;
  /** Calls of the peer's that are running, or have returned and are kept for calls pipelined on them. */
  readonly answers: number;
  /** Those of `answers` that have not returned. */
  readonly running: number;
  readonly exports: number;
  readonly imports: number;
  readonly embargoes: number;
  readonly sent: number;
  readonly received: number;
  /** How often this side had asked something and then got an answer. Questions that travel together count once. */
  readonly roundTrips: number;
  /** Calls of the peer's that are at work, those included that it gave up and whose methods are not done. Limit: `maxCalls`. */
  readonly calls: number;
  /** Bytes of the messages that brought them. Limit: `maxParamBytes`. */
  readonly paramBytes: number;
  /** Bytes of results that are kept until the peer finishes the call. Limit: `maxResultBytes`. */
  readonly resultBytes: number;
  /** Calls, of either side, that this side refused for a limit, so far. */
  readonly overloaded: number;
  /** Calls that the peer gave up before they returned, so far. Limits: `cancelBurst`, `cancelsPerSecond`. */
  readonly canceled: number;
  /** Calls of the peer's so far; Bootstraps are not counted. */
  readonly served: number;
  /** How those of them ended that have. */
  readonly outcomes: Readonly<CallOutcomes>;
  /** Bytes that were sent and that the network has not taken yet. */
  readonly queuedBytes: number;
}

export interface ConnectionOptions {
  /** Whether a call that a method passes on to its own caller is answered there: `sendResultsTo.yourself`. Default: true. */
  readonly tailCalls?: boolean;
  /** Hears of every message, in a line for people. Default: nobody does. */
  readonly trace?: Trace | undefined;
  /** Says where errors happened, for the peer to read. Default: the peer is not told. */
  readonly encodeTrace?: EncodeTrace | undefined;
  /** Knows the names of methods, for the trace. */
  readonly nameMethod?: NameMethod;
  readonly limits?: Partial<ConnectionLimits>;
  /** Default: time as it passes. */
  readonly clock?: Clock;
  /** Makes the flow control of each stream. */
  readonly newStream?: (() => FlowController) | undefined;
  /** Whether the peer is told the text of any error. Default: true. See `ErrorReport`. */
  readonly exposeErrors?: boolean;
  /** Hears of calls. Default: nobody does. */
  readonly observer?: CallObserver | undefined;
  /** Hears of errors whose text was withheld from the peer, with the id that it got instead. */
  readonly onHiddenError?: (id: string, error: unknown) => void;
}

/**
 * The protocol of one connection, without I/O, clock or promises: messages go in through `receive`, messages come out
 * through the link, and in between nothing waits.
 */
export class Connection {
  readonly #state: ConnectionState;
  readonly #host: Host;
  readonly #onClosed: (error: CapnpError) => void;

  /** @param onClosed Called once, after everything has been told that the connection is over. */
  constructor(link: Link, host: Host, onClosed: (error: CapnpError) => void, options: ConnectionOptions = {}) {
    const { clock = systemClock, exposeErrors = true, onHiddenError = () => undefined } = options;
    const limits = readConnectionLimits(options.limits);
    const errors = new ErrorReport(exposeErrors, limits.maxErrorText, onHiddenError, options.encodeTrace);
    this.#state = new ConnectionState(link, limits, clock, errors, beginCall, (error) => this.fail(error));
    if (options.tailCalls === false) this.#state.tailCalls = false;
    if (options.trace !== undefined) {
      this.#state.tracer = new Tracer(options.trace, options.nameMethod ?? (() => undefined));
    }
    if (options.newStream !== undefined) this.#state.newStream = options.newStream;
    this.#state.observer = options.observer;
    this.#host = host;
    this.#onClosed = onClosed;
  }

  /** Why the connection is over; undefined while it stands. */
  get closedBy(): CapnpError | undefined {
    return this.#state.closedBy;
  }

  /**
   * Asks for the peer's bootstrap capability: the pipeline of the result at the empty path.
   *
   * @param objectId A message whose root is `Bootstrap.deprecatedObjectId`: asks for what the peer restores by that.
   */
  bootstrap(objectId?: MessageBuilder): ClientHook {
    const { closedBy, limits } = this.#state;
    if (closedBy !== undefined) return new BrokenClient(closedBy);
    const bytes = objectId?.segments().reduce((sum, { length }) => sum + length, 0) ?? 0;
    if (bytes > limits.maxMessageBytes) {
      const text = `This object id takes ${bytes} bytes; the limit of a message is ${limits.maxMessageBytes} (maxMessageBytes).`;
      return new BrokenClient(new CapnpError("CAPNP_FRAME_TOO_LARGE", text));
    }
    const question = this.#ask(objectId);
    const hook = question.pipelined([]);
    // Nobody looks at the results but through the hook, which has a reference of its own.
    question.onReturn({ returned: (results) => results.release(), threw: () => undefined });
    return hook;
  }

  #ask(objectId: MessageBuilder | undefined): PendingCall {
    const state = this.#state;
    const question = openQuestion(state, "caller");
    sendBootstrap(state, question.id, objectId);
    return question;
  }

  /**
   * From now on, new calls of the peer's fail with this error. Those that are at work go on; when the last of them has been
   * answered (at once where none is at work), `quiet` is called, once.
   */
  drain(refusal: CapnpError, quiet: () => void): void {
    const state = this.#state;
    state.refusal = refusal;
    const check = (): void => {
      if (state.callEnded === undefined || this.#isServing) return;
      state.callEnded = undefined;
      quiet();
    };
    // After the answer was sent.
    state.callEnded = () => queueMicrotask(check);
    state.callEnded();
  }

  /** True while a call of the peer's has not been answered. */
  get #isServing(): boolean {
    for (const answer of this.#state.answers.values()) if (answer.status === "running") return true;
    return false;
  }

  /** Handles one message from the peer. A peer that breaks the protocol is told so, and the connection is over. */
  receive(segments: readonly Uint8Array[]): void {
    const state = this.#state;
    if (state.closedBy !== undefined) return;
    state.received++;
    state.tracer?.received(segments);
    try {
      handleMessage(state, this.#host, openMessage(segments, state.limits));
    } catch (error) {
      this.fail(error);
    }
  }

  /** Ends the connection because of an error on this side, and tells the peer. */
  fail(cause: unknown): void {
    if (this.#state.closedBy !== undefined) return;
    const error =
      cause instanceof CapnpError
        ? cause
        : new CapnpError(
            "CAPNP_PROTOCOL",
            `Internal error while handling a message: ${this.#state.errors.of(cause).reason}`,
            {
              cause,
            },
          );
    if (!(error instanceof PeerAborted)) sendAbort(this.#state, error);
    this.close(error);
  }

  /**
   * Ends the connection: every question, import and embargo breaks with the error, every answer is canceled, every export
   * is released. Nothing is sent.
   */
  close(reason: CapnpError): void {
    const state = this.#state;
    if (state.closedBy !== undefined) return;
    // Whatever ended it: to those who still wait, the peer is gone.
    const error =
      reason.kind === "disconnected"
        ? reason
        : new CapnpError("CAPNP_DISCONNECTED", `The connection is over: ${reason.message}`, {
            cause: reason,
            ...(reason.details === undefined ? {} : { details: reason.details }),
          });
    state.closedBy = error;
    const imports = [...state.imports.values()];
    state.imports.clear();
    const answers = [...state.answers.values()];
    state.answers.clear();
    const exports = state.exports.clear();
    state.exportsByHook.clear();
    const embargoes = state.embargoes.clear();
    const questions = [...state.questions.clear(), ...state.pipelineQuestions.values()];
    state.pipelineQuestions.clear();
    for (const question of questions) question.lost(error);
    for (const { promise } of imports) promise?.resolve(new BrokenClient(error), false);
    for (const { queued, replacement } of embargoes) {
      queued.resolve(new BrokenClient(error));
      queued.release();
      replacement.release();
    }
    for (const answer of answers) answer.lost();
    for (const waiting of [...state.atClose]) waiting.lost();
    state.atClose.clear();
    for (const row of exports) {
      row.stopWaiting?.();
      settleReflected(state, row);
      row.hook.release();
    }
    this.#onClosed(reason);
  }

  /** True where neither side asks, holds or owes the other anything: nobody would notice if the connection ended. */
  get isIdle(): boolean {
    const { questions, pipelineQuestions, answers, exports, imports, embargoes, atClose } = this.#state;
    const tables = [questions, pipelineQuestions, answers, exports, imports, embargoes, atClose];
    return tables.every(({ size }) => size === 0);
  }

  /** Ways in which the tables contradict themselves or each other: always none, unless this library has a bug. */
  check(): string[] {
    return check(this.#state);
  }

  /** The tables, for people. */
  dump(): ConnectionDump {
    return dump(this.#state);
  }

  stats(): ConnectionStats {
    const { questions, pipelineQuestions, answers, exports, imports, embargoes, sent, received, roundTrips } =
      this.#state;
    const { calls, paramBytes, resultBytes, overloaded, canceled, served, outcomes } = this.#state;
    return {
      questions: questions.size + pipelineQuestions.size,
      answers: answers.size,
      running: [...answers.values()].filter((answer) => answer.status === "running").length,
      exports: exports.size,
      imports: imports.size,
      embargoes: embargoes.size,
      sent,
      received,
      roundTrips,
      calls,
      paramBytes,
      resultBytes,
      overloaded,
      canceled,
      served,
      outcomes: { ...outcomes },
      queuedBytes: this.#state.queued,
    };
  }
}
