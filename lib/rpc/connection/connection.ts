import { CapnpError } from "../../errors.ts";
import { BrokenClient } from "../capability/broken-client.ts";
import type { ClientHook } from "../capability/client-hook.ts";
import type { PendingCall } from "../capability/request.ts";
import { openMessage } from "../wire.ts";
import { beginCall } from "./call-sender.ts";
import { type ConnectionLimits, ConnectionState, defaultConnectionLimits, type Link } from "./connection-state.ts";
import { settleReflected } from "./export.ts";
import { type Host, handleMessage, PeerAborted } from "./incoming.ts";
import { sendAbort, sendBootstrap } from "./outgoing.ts";
import { Question } from "./question.ts";

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
  constructor(link: Link, host: Host, onClosed: (error: CapnpError) => void, limits?: Partial<ConnectionLimits>) {
    const allLimits = { ...defaultConnectionLimits, ...limits };
    this.#state = new ConnectionState(link, allLimits, beginCall, (error) => this.fail(error));
    this.#host = host;
    this.#onClosed = onClosed;
  }

  /** Why the connection is over; undefined while it stands. */
  get closedBy(): CapnpError | undefined {
    return this.#state.closedBy;
  }

  /** Asks for the peer's bootstrap capability: the pipeline of the result at the empty path. */
  bootstrap(): ClientHook {
    if (this.#state.closedBy !== undefined) return new BrokenClient(this.#state.closedBy);
    const question = this.#ask();
    const hook = question.pipelined([]);
    // Nobody looks at the results but through the hook, which has a reference of its own.
    question.onReturn({ returned: (results) => results.release(), threw: () => undefined });
    return hook;
  }

  #ask(): PendingCall {
    const state = this.#state;
    const question = state.questions.add((id) => new Question(state, id));
    sendBootstrap(state, question.id);
    return question;
  }

  /** Handles one message from the peer. A peer that breaks the protocol is told so, and the connection is over. */
  receive(segments: readonly Uint8Array[]): void {
    const state = this.#state;
    if (state.closedBy !== undefined) return;
    state.received++;
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
        : new CapnpError("CAPNP_PROTOCOL", `Internal error while handling a message: ${String(cause)}`, { cause });
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
        : new CapnpError("CAPNP_DISCONNECTED", `The connection is over: ${reason.message}`, { cause: reason });
    state.closedBy = error;
    const imports = [...state.imports.values()];
    state.imports.clear();
    const answers = [...state.answers.values()];
    state.answers.clear();
    const exports = state.exports.clear();
    state.exportsByHook.clear();
    const embargoes = state.embargoes.clear();
    const questions = state.questions.clear();
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

  stats(): ConnectionStats {
    const { questions, answers, exports, imports, embargoes, sent, received, roundTrips } = this.#state;
    return {
      questions: questions.size,
      answers: answers.size,
      running: [...answers.values()].filter((answer) => !answer.completed).length,
      exports: exports.size,
      imports: imports.size,
      embargoes: embargoes.size,
      sent,
      received,
      roundTrips,
    };
  }
}
