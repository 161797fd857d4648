import {
  type CapDescriptor,
  initChild,
  messageForms,
  type MessageTarget,
  messageTag,
  OutgoingMessage,
  returnTag,
  setBit,
  setU16,
  setU32,
  writeCapDescriptor,
  writeMessageTarget,
} from "../wire.ts";
import { writeException } from "../wire-exception.ts";
import { type Capability, CapTable } from "../../serialization/cap-table.ts";
import { MessageBuilder } from "../../serialization/message.ts";
import type { MessageReader } from "../../serialization/message.ts";
import { copyPointer } from "../../serialization/copy.ts";
import { pointerPosition, Struct } from "../../serialization/struct.ts";
import type { ConnectionState } from "./connection-state.ts";
import type { AnswerId, EmbargoId, ExportId, ImportId, QuestionId } from "./ids.ts";
import { unlimitedNesting } from "../../serialization/read-limiter.ts";

/** The small messages: one function for each thing that a vat tells its peer. */

export const sendBootstrap = (state: ConnectionState, question: QuestionId, objectId?: MessageBuilder): void => {
  const message = new OutgoingMessage(messageForms.bootstrap);
  setU32(message.at, 0, question);
  if (objectId !== undefined) {
    copyPointer(message.at.$segment, pointerPosition(message.at, 0), objectId.rootSegment, 0, unlimitedNesting);
  }
  state.asked();
  state.send(message);
};

export const sendFinish = (state: ConnectionState, question: QuestionId, releaseResultCaps: boolean): void => {
  const message = new OutgoingMessage(messageForms.finish);
  setU32(message.at, 0, question);
  // Both flags default to true, so a set bit says false.
  if (!releaseResultCaps) setBit(message.at, 32);
  // requireEarlyCancellationWorkaround: this implementation does not rely on a canceled call being started.
  setBit(message.at, 33);
  state.send(message);
};

export const sendRelease = (state: ConnectionState, id: ImportId, count: number): void => {
  const message = new OutgoingMessage(messageForms.release);
  setU32(message.at, 0, id);
  setU32(message.at, 4, count);
  state.send(message);
};

export const sendResolve = (state: ConnectionState, promise: ExportId, to: CapDescriptor | Error): void => {
  const message = new OutgoingMessage(messageForms.resolve);
  setU32(message.at, 0, promise);
  if (to instanceof Error) {
    setU16(message.at, 4, 1);
    writeException(initChild(message.at, 0, "exception"), state.errors.of(to));
  } else writeCapDescriptor(initChild(message.at, 0, "capDescriptor"), to);
  state.send(message);
};

/** `Disembargo.context`: on its way out, or on its way back. */
export type Loopback = "senderLoopback" | "receiverLoopback";

const disembargoTarget = messageForms.disembargo.part(0);

export const sendDisembargo = (
  state: ConnectionState,
  to: MessageTarget,
  direction: Loopback,
  id: EmbargoId | number,
): void => {
  const message = new OutgoingMessage(messageForms.disembargo);
  writeMessageTarget(message.part(disembargoTarget, "messageTarget"), to);
  setU32(message.at, 0, id);
  setU16(message.at, 4, direction === "senderLoopback" ? 0 : 1);
  state.send(message);
};

export type BareReturn =
  | { readonly which: "exception"; readonly error: unknown }
  | { readonly which: "canceled" | "resultsSentElsewhere" }
  | { readonly which: "takeFromOtherQuestion"; readonly question: number };

/** A return without results. Capabilities in the params are released one by one, never by the return. */
export const sendBareReturn = (state: ConnectionState, answer: AnswerId, outcome: BareReturn): void => {
  const message = new OutgoingMessage(messageForms.return);
  setU32(message.at, 0, answer);
  setBit(message.at, 32);
  setU16(message.at, 6, returnTag[outcome.which]);
  if (outcome.which === "takeFromOtherQuestion") setU32(message.at, 8, outcome.question);
  if (outcome.which === "exception") {
    writeException(initChild(message.at, 0, "exception"), state.errors.of(outcome.error));
  }
  state.send(message);
};

export const sendAbort = (state: ConnectionState, error: Error): void => {
  const message = new OutgoingMessage(messageForms.abort);
  writeException(message.at, state.errors.of(error));
  state.send(message);
};

/** Stands in for the capabilities of a message that is echoed: what is copied keeps its index. */
class IndexTable extends CapTable {
  override get(index: number): Capability {
    const entry = { index, addRef: () => entry, release: () => undefined };
    return entry;
  }

  override add(entry: Capability): number {
    return (entry as ReturnType<IndexTable["get"]> & { readonly index: number }).index;
  }
}

/** Echoes a message that this vat does not understand. */
export const sendUnimplemented = (state: ConnectionState, echoed: MessageReader): void => {
  const { arena } = echoed;
  // Parts that are pointed to many times would make the echo larger than the message, without any limit worth the name.
  let bytes = 0;
  for (const segment of arena.segments) bytes += segment.end;
  arena.traversalLeft = Math.min(arena.traversalLeft, bytes / 8);
  const builder = new MessageBuilder();
  arena.capTable = new IndexTable();
  builder.arena.capTable = new IndexTable();
  const root = builder.initRoot(Struct, 8, 1);
  root.$segment.view.setUint16(root.$data, messageTag.unimplemented, true);
  copyPointer(root.$segment, pointerPosition(root, 0), echoed.rootSegment, 0, state.limits.nestingLimit);
  state.sendSegments(builder.segments());
};
