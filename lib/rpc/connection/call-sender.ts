import { CapnpError } from "../../errors.ts";
import { copyPointer } from "../../serialization/copy.ts";
import type { Segment } from "../../serialization/segment.ts";
import { type ClientHook, innermost } from "../capability/client-hook.ts";
import {
  FailedCall,
  newCall,
  type OutgoingCall,
  type PendingCall,
  type PipelineCall,
  type RedirectedCall,
} from "../capability/request.ts";
import { messageForms, OutgoingMessage, setBit, setU16, setU32, setU64 } from "../wire.ts";
import { StreamedCall } from "../streaming/streamed-call.ts";
import type { ConnectionState } from "./connection-state.ts";
import { exportIds } from "./export.ts";
import { describePayload, tooLarge } from "./outgoing-payload.ts";
import type { PromiseClient } from "./promise-client.ts";
import { openQuestion, type Question, type ResultsFor } from "./question.ts";
import type { RemoteClient } from "./remote-client.ts";
import { unlimitedNesting } from "../../serialization/read-limiter.ts";

const targetAt = messageForms.call.part(0);
/** Also the place of the pointer to the params: `Payload.content` is the first of its pointers, and it has no data. */
const payloadAt = messageForms.call.part(1);

/** A Call message that is being made: its params are built where they are sent from. */
class RemoteCall implements OutgoingCall {
  readonly #state: ConnectionState;
  readonly #target: RemoteClient;
  readonly #interfaceId: bigint;
  readonly #methodId: number;
  /** The promise that the call was begun on; it may resolve before the call is sent. */
  readonly #via: PromiseClient | undefined;
  readonly #message = new OutgoingMessage(messageForms.call);
  #bytes = 0;

  constructor(
    state: ConnectionState,
    target: RemoteClient,
    interfaceId: bigint,
    methodId: number,
    via: PromiseClient | undefined,
  ) {
    this.#state = state;
    this.#target = target;
    this.#interfaceId = interfaceId;
    this.#methodId = methodId;
    this.#via = via;
    // The promise holds its target for as long as calls are sent there.
    (via ?? target).addRef();
  }

  get segment(): Segment {
    return this.#message.builder.rootSegment;
  }

  get position(): number {
    return payloadAt;
  }

  discard(): void {
    const { arena } = this.#message.builder;
    if (arena.hasCapTable) arena.capTable.release();
    (this.#via ?? this.#target).release();
  }

  send(streaming = false): PendingCall {
    const state = this.#state;
    if (state.closedBy !== undefined) return this.#fail(state.closedBy);
    const elsewhere = this.#elsewhere;
    if (elsewhere !== undefined) return this.#redirect(elsewhere).send(streaming);
    const question = this.#sendAs("caller");
    if (question instanceof CapnpError) {
      if (streaming) this.#target.stream.fail(question);
      return this.#fail(question);
    }
    // The export table holds what the peer was given; the message need not.
    const pending = streaming ? new StreamedCall(question, this.#target.stream, this.#bytes) : question;
    this.discard();
    return pending;
  }

  sendForPipeline(): PipelineCall {
    const state = this.#state;
    if (state.closedBy !== undefined) return this.#fail(state.closedBy);
    const elsewhere = this.#elsewhere;
    if (elsewhere !== undefined) return this.#redirect(elsewhere).sendForPipeline();
    const question = this.#sendAs("pipeline");
    if (question instanceof CapnpError) return this.#fail(question);
    this.discard();
    return question;
  }

  sendRedirected(connection: object): RedirectedCall | null {
    const state = this.#state;
    if (state.closedBy !== undefined || !state.tailCalls) return null;
    const elsewhere = this.#elsewhere;
    if (elsewhere !== undefined) {
      // Whether that goes to the peer is known only to a call that is begun there.
      if (innermost(elsewhere).connection !== connection) return null;
      const call = newCall(elsewhere, this.#interfaceId, this.#methodId);
      this.#copyTo(call);
      const sent = call.sendRedirected(connection);
      if (sent === null) call.discard();
      else this.discard();
      return sent;
    }
    if (connection !== state) return null;
    const question = this.#sendAs("callee");
    if (question instanceof CapnpError) return null;
    this.discard();
    return question;
  }

  /** What the promise that the call was begun on has become in the meantime. */
  get #elsewhere(): ClientHook | undefined {
    return this.#via?.resolved ?? undefined;
  }

  /** Describes the capabilities, opens a question and sends the message. What is too large is not sent. */
  #sendAs(resultsFor: ResultsFor): Question | CapnpError {
    const state = this.#state;
    const { at } = this.#message;
    const described = describePayload(state, this.#message, payloadAt);
    if (described instanceof CapnpError) return described;
    this.#via?.markUsed();
    this.#target.writeTarget(this.#message.part(targetAt, "messageTarget"));
    const { bytes } = this.#message;
    this.#bytes = bytes;
    const error = tooLarge(state, this.#message, bytes, "params", described);
    if (error !== undefined) return error;
    const question = openQuestion(state, resultsFor);
    question.paramExports = exportIds(described.descriptors);
    question.record = state.observer?.started("client", this.#interfaceId, this.#methodId, question.id);
    setU32(at, 0, question.id);
    setU16(at, 4, this.#methodId);
    setU64(at, 8, this.#interfaceId);
    if (resultsFor === "callee") setU16(at, 6, 1);
    else if (question.isUnreturned) setBit(at, 130);
    state.asked();
    // Whoever built the params is through with them, or has marked the memory as exposed.
    state.send(this.#message);
    for (const send of described.after) send();
    return question;
  }

  /** The promise has resolved since the call was begun: what it became may not be at this peer at all. */
  #redirect(target: ClientHook): OutgoingCall {
    const call = newCall(target, this.#interfaceId, this.#methodId);
    this.#copyTo(call);
    this.discard();
    return call;
  }

  #copyTo(call: OutgoingCall): void {
    copyPointer(call.segment, call.position, this.segment, this.position, unlimitedNesting);
  }

  #fail(error: Error): FailedCall {
    this.discard();
    return new FailedCall(error);
  }
}

export const beginCall = (
  state: ConnectionState,
  target: RemoteClient,
  interfaceId: bigint,
  methodId: number,
  via: PromiseClient | undefined,
): OutgoingCall => new RemoteCall(state, target, interfaceId, methodId, via);
