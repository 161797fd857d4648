import { CapnpError } from "../../errors.ts";
import { copyPointer } from "../../serialization/copy.ts";
import type { Segment } from "../../serialization/segment.ts";
import { pointerPosition, type Struct } from "../../serialization/struct.ts";
import { BrokenClient } from "../capability/broken-client.ts";
import type { ClientHook } from "../capability/client-hook.ts";
import { newCall, type OutgoingCall, type PendingCall, type ReturnListener } from "../capability/request.ts";
import {
  initChild,
  messageTag,
  OutgoingMessage,
  setU16,
  setU32,
  setU64,
  writeCapTable,
  writeMessageTarget,
} from "../wire.ts";
import type { ConnectionState } from "./connection-state.ts";
import { type AfterSend, describe, exportIds, releaseExport } from "./export.ts";
import type { PromiseClient } from "./promise-client.ts";
import { Question } from "./question.ts";
import type { RemoteClient } from "./remote-client.ts";

/** A Call message that is being made: its params are built where they are sent from. */
class RemoteCall implements OutgoingCall {
  readonly #state: ConnectionState;
  readonly #target: RemoteClient;
  readonly #interfaceId: bigint;
  readonly #methodId: number;
  /** The promise that the call was begun on; it may resolve before the call is sent. */
  readonly #via: PromiseClient | undefined;
  readonly #message = new OutgoingMessage(messageTag.call, "call", 128);
  readonly #payload: Struct = initChild(this.#message.at, 1, "payload");

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
    return this.#payload._segment;
  }

  get position(): number {
    return pointerPosition(this.#payload, 0);
  }

  discard(): void {
    const { arena } = this.#message.builder;
    if (arena.hasCapTable) arena.capTable.release();
    (this.#via ?? this.#target).release();
  }

  send(): PendingCall {
    const state = this.#state;
    if (state.closedBy !== undefined) return this.#fail(state.closedBy);
    const elsewhere = this.#via?.resolved;
    if (elsewhere !== null && elsewhere !== undefined) return this.#redirect(elsewhere);
    this.#via?.markUsed();

    const { at } = this.#message;
    const after: AfterSend = [];
    const { arena } = this.#message.builder;
    const table = arena.hasCapTable ? arena.capTable.entries() : [];
    const descriptors = table.map((entry) => describe(state, entry as ClientHook | null, after).descriptor);
    writeCapTable(this.#payload, descriptors);
    writeMessageTarget(initChild(at, 0, "messageTarget"), this.#target.target);
    const segments = this.#message.segments;
    let bytes = 0;
    for (const segment of segments) bytes += segment.length;
    if (bytes > state.limits.maxMessageBytes) {
      for (const id of exportIds(descriptors)) releaseExport(state, id, 1);
      return this.#fail(
        new CapnpError(
          "CAPNP_FRAME_TOO_LARGE",
          `The params of this call make a message of ${bytes} bytes; the limit is ${state.limits.maxMessageBytes} (maxMessageBytes).`,
        ),
      );
    }
    const question = state.questions.add((id) => new Question(state, id));
    question.paramExports = exportIds(descriptors);
    setU32(at, 0, question.id);
    setU16(at, 4, this.#methodId);
    setU64(at, 8, this.#interfaceId);
    state.asked();
    state.sendSegments(segments);
    for (const send of after) send();
    // The export table holds what the peer was given; the message need not.
    this.discard();
    return question;
  }

  /** The promise has resolved since the call was begun: what it became may not be at this peer at all. */
  #redirect(target: ClientHook): PendingCall {
    const call = newCall(target, this.#interfaceId, this.#methodId);
    copyPointer(call.segment, call.position, this.segment, this.position, Number.POSITIVE_INFINITY);
    this.discard();
    return call.send();
  }

  #fail(error: Error): PendingCall {
    this.discard();
    return new FailedCall(error);
  }
}

/** A call that could not be sent. */
class FailedCall extends BrokenClient implements PendingCall {
  onReturn(listener: ReturnListener): void {
    listener.threw(this.brokenBy);
  }

  cancel(): void {
    // It is over already.
  }
}

export const beginCall = (
  state: ConnectionState,
  target: RemoteClient,
  interfaceId: bigint,
  methodId: number,
  via: PromiseClient | undefined,
): OutgoingCall => new RemoteCall(state, target, interfaceId, methodId, via);
