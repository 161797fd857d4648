import { CapnpError } from "../../errors.ts";
import type { MessageReader } from "../../serialization/message.ts";
import { defaultNestingLimit } from "../../serialization/read-limiter.ts";
import { Segment } from "../../serialization/segment.ts";
import { emptySegment, pointerPosition, Struct } from "../../serialization/struct.ts";
import { BrokenClient } from "../capability/broken-client.ts";
import { type ClientHook, innermost } from "../capability/client-hook.ts";
import { Payload } from "../capability/payload.ts";
import { fromException } from "../exception.ts";
import {
  bit,
  child,
  hasPointer,
  messageTag,
  protocolError,
  readCapDescriptor,
  returnTag,
  u16,
  u32,
  u64,
} from "../wire.ts";
import { readException } from "../wire-exception.ts";
import { Answer } from "./answer.ts";
import { callTarget } from "./call-target.ts";
import { receive, receiveCapTable } from "./cap-descriptor.ts";
import type { ConnectionState } from "./connection-state.ts";
import { releaseExport } from "./export.ts";
import { type AnswerId, type ImportId, isPipelineId, type QuestionId } from "./ids.ts";
import { handleDisembargo } from "./incoming-disembargo.ts";
import { handleUnimplemented } from "./incoming-unimplemented.ts";
import { sendUnimplemented } from "./outgoing.ts";

/** What the vat decides, and the connection asks it for. */
export interface Host {
  /**
   * The capability that a Bootstrap gets, for the connection to own. Throws where there is none.
   *
   * @param objectId `Bootstrap.deprecatedObjectId`; undefined where it is null.
   */
  bootstrap(objectId: Payload | undefined): ClientHook;
  /** What server methods see as their caller. */
  readonly caller: object | undefined;
}

/** The peer is gone for a reason of its own. */
export class PeerAborted extends CapnpError {}

/**
 * Handles one message. Everything that it changes has changed when it returns; user code runs later, in microtasks. It
 * throws where the peer broke the protocol, and the connection is over then.
 */
export const handleMessage = (state: ConnectionState, host: Host, message: MessageReader): void => {
  const root = message.root(Struct);
  const tag = u16(root, 0);
  switch (tag) {
    case messageTag.bootstrap:
      handleBootstrap(state, host, child(root, 0));
      break;
    case messageTag.call:
      handleCall(state, host, message, child(root, 0));
      break;
    case messageTag.return:
      handleReturn(state, message, child(root, 0));
      break;
    case messageTag.finish:
      handleFinish(state, child(root, 0));
      break;
    case messageTag.resolve:
      handleResolve(state, child(root, 0));
      break;
    case messageTag.release:
      handleRelease(state, child(root, 0));
      break;
    case messageTag.disembargo:
      handleDisembargo(state, message, child(root, 0));
      break;
    case messageTag.unimplemented:
      handleUnimplemented(state, child(root, 0));
      break;
    case messageTag.abort:
      throw handleAbort(state, child(root, 0));
    default:
      // Levels 3 and 4, what is obsolete, and what is newer than this code. Its content may be anything.
      sendUnimplemented(state, message);
      break;
  }
};

const newAnswerId = (state: ConnectionState, id: number): AnswerId => {
  if (state.answers.has(id as AnswerId)) throw protocolError(`question id ${id} is already in use`);
  if (state.answers.size >= state.limits.maxAnswers) {
    throw new CapnpError("CAPNP_LIMIT", `The peer has ${state.limits.maxAnswers} unfinished calls (maxAnswers).`);
  }
  return id as AnswerId;
};

const pointerPayload = (s: Struct, index: number): Payload =>
  index < s.$pointerCount
    ? new Payload(s.$segment, pointerPosition(s, index), s.$depth)
    : new Payload(nullWord, 0, defaultNestingLimit);

const nullWord = new Segment(emptySegment.arena, 0, new Uint8Array(8), 8);

const handleBootstrap = (state: ConnectionState, host: Host, bootstrap: Struct): void => {
  const id = newAnswerId(state, u32(bootstrap, 0));
  const answer = new Answer(state, id, undefined);
  state.answers.set(id, answer);
  let hook: ClientHook;
  if (state.refusal !== undefined) {
    answer.threw(state.refusal);
    return;
  }
  try {
    hook = host.bootstrap(hasPointer(bootstrap, 0) ? pointerPayload(bootstrap, 0) : undefined);
  } catch (error) {
    answer.threw(error);
    return;
  }
  answer.returnCapability(hook);
};

const sendResultsTo = { caller: 0, yourself: 1 } as const;

const handleCall = (state: ConnectionState, host: Host, message: MessageReader, call: Struct): void => {
  const resultsTo = u16(call, 6);
  if (resultsTo !== sendResultsTo.caller && resultsTo !== sendResultsTo.yourself) {
    sendUnimplemented(state, message);
    return;
  }
  const id = newAnswerId(state, u32(call, 0));
  const target = callTarget(state, child(call, 0));
  try {
    const payload = child(call, 1);
    const table = receiveCapTable(state, payload);
    if (table.length > 0) message.capTable = table;
    const params = pointerPayload(payload, 0);
    const bytes = messageBytes(message);
    const refusal = overload(state, target, bytes);
    const interfaceId = u64(call, 8);
    const methodId = u16(call, 4);
    state.served++;
    const answer = new Answer(state, id, params, {
      interfaceId,
      methodId,
      redirected: resultsTo === sendResultsTo.yourself,
      pipelineOnly: bit(call, 130),
      caller: host.caller,
      bytes,
    });
    state.answers.set(id, answer);
    if (state.refusal !== undefined) {
      answer.threw(state.refusal);
      return;
    }
    if (refusal !== undefined) {
      state.overloaded++;
      answer.threw(refusal);
      return;
    }
    const { callTimeout } = state.limits;
    if (callTimeout > 0 && callTimeout < Number.POSITIVE_INFINITY) answer.expireAfter(callTimeout);
    target.call(interfaceId, methodId, answer);
  } finally {
    target.release();
  }
};

const messageBytes = ({ arena }: MessageReader): number => {
  let bytes = 0;
  const { segments } = arena;
  for (let i = 0; i < segments.length; i++) bytes += (segments[i] as Segment).end;
  return bytes;
};

/** Why a call of the peer's is not served. It is answered, so that nothing has to wait for there to be room. */
const overload = (state: ConnectionState, target: ClientHook, bytes: number): CapnpError | undefined => {
  const { calls, paramBytes, limits } = state;
  if (calls >= limits.maxCalls) {
    // One for all of them: to make an error costs more than to serve a small call.
    state.busy ??= new CapnpError(
      "CAPNP_LIMIT",
      `${limits.maxCalls} calls of this connection are at work (maxCalls). Try again later.`,
    );
    return state.busy;
  }
  if (paramBytes + bytes > limits.maxParamBytes && paramBytes > 0) {
    const text = `Calls with ${paramBytes} bytes of params are at work, this one has ${bytes}; the limit is ${limits.maxParamBytes} (maxParamBytes). Try again later.`;
    return new CapnpError("CAPNP_LIMIT", text);
  }
  const inner = innermost(target);
  if (inner.isCrowded(limits.maxPipelinedCalls)) {
    const text = `${limits.maxPipelinedCalls} calls wait for this promise (maxPipelinedCalls). Try again later.`;
    return new CapnpError("CAPNP_LIMIT", text);
  }
  return undefined;
};

const handleReturn = (state: ConnectionState, message: MessageReader, ret: Struct): void => {
  const id = u32(ret, 0);
  if (isPipelineId(id) && state.hasPipelineQuestions) {
    returnedUnasked(state, id as QuestionId, !bit(ret, 32));
    return;
  }
  const question = state.questions.get(id);
  if (question === undefined) throw protocolError(`a Return for unknown question ${id}`);
  if (question.isReturned) throw protocolError(`a second Return for question ${id}`);
  state.answered();
  const releaseParamCaps = !bit(ret, 32);
  const noFinishNeeded = bit(ret, 33);
  const which = u16(ret, 6);
  const { paramExports } = question;
  if (question.isCanceled) {
    // Its capabilities are the peer's to release, as our Finish said.
    state.questions.delete(question.id);
    if (which === returnTag.takeFromOtherQuestion) {
      const answer = state.answers.get(u32(ret, 8) as AnswerId);
      if (answer?.isUntaken) answer.abandoned();
    }
  } else if (question.resultsFor === "callee") {
    if (which !== returnTag.resultsSentElsewhere) {
      throw protocolError(`a Return for question ${id}, whose results were to stay, is not resultsSentElsewhere`);
    }
    question.sentElsewhere(noFinishNeeded);
  } else {
    switch (which) {
      case returnTag.results: {
        const payload = child(ret, 0);
        const table = receiveCapTable(state, payload);
        if (table.length > 0) message.capTable = table;
        // Who returns capabilities and needs no Finish contradicts itself: a Finish too many is ignored, one too few is a leak.
        question.returned(pointerPayload(payload, 0), table, noFinishNeeded && table.length === 0);
        break;
      }
      case returnTag.exception: {
        const error = fromException(readException(child(ret, 0), state.limits.maxErrorText));
        question.threw(error, noFinishNeeded);
        if (error.kind === "disconnected") state.observer?.answeredDisconnected();
        break;
      }
      case returnTag.canceled:
        throw protocolError(`a Return says that question ${id} was canceled, and it was not`);
      case returnTag.resultsSentElsewhere:
        throw protocolError(`a Return says that the results of question ${id} were sent elsewhere, unasked`);
      case returnTag.takeFromOtherQuestion: {
        const other = u32(ret, 8);
        const answer = state.answers.get(other as AnswerId);
        if (answer === undefined || !answer.isUntaken) {
          throw protocolError(`takeFromOtherQuestion names ${other}, which keeps no results for its caller`);
        }
        question.takeFrom(answer);
        answer.takenBy(question);
        break;
      }
      case returnTag.acceptFromThirdParty:
        question.threw(
          new CapnpError("CAPNP_UNIMPLEMENTED", "The peer sent the results to a third party; this is a level 1 vat."),
          noFinishNeeded,
        );
        break;
      default:
        throw protocolError(`unknown Return ${which}`);
    }
  }
  if (releaseParamCaps) for (const exported of paramExports) releaseExport(state, exported, 1);
};

/** A peer that does not know that a question is for its pipeline only returns it all the same. Nobody reads that. */
const returnedUnasked = (state: ConnectionState, id: QuestionId, releaseParamCaps: boolean): void => {
  state.returnsForPipelines = true;
  const question = state.pipelineQuestions.get(id);
  if (question === undefined || !releaseParamCaps) return;
  const { paramExports } = question;
  question.paramExports = [];
  for (const exported of paramExports) releaseExport(state, exported, 1);
};

const handleFinish = (state: ConnectionState, finish: Struct): void => {
  // Unknown ids are no mistake: an older peer finishes what its Return said needs no Finish.
  state.answers.get(u32(finish, 0) as AnswerId)?.finished(!bit(finish, 32), !bit(finish, 33));
};

const handleResolve = (state: ConnectionState, resolve: Struct): void => {
  const id = u32(resolve, 0) as ImportId;
  const row = state.imports.get(id);
  const which = u16(resolve, 4);
  if (row !== undefined) {
    if (row.promised !== "pending") {
      throw protocolError(
        `Resolve of import ${id}, which is ${row.promised === "no" ? "no promise" : "resolved already"}`,
      );
    }
    row.promised = "resolved";
  }
  if (which === 1) {
    row?.promise?.resolve(
      new BrokenClient(fromException(readException(child(resolve, 0), state.limits.maxErrorText))),
      false,
    );
    return;
  }
  if (which !== 0) throw protocolError(`unknown Resolve ${which}`);
  const { hook, reflected } = receive(state, readCapDescriptor(child(resolve, 0), state.limits.maxTransformOps));
  if (hook === null) throw protocolError(`Resolve of promise ${id} to no capability`);
  // Where we have released the promise, we do not want what it became.
  if (row?.promise === undefined) hook.release();
  else row.promise.resolve(hook, reflected);
};

const handleRelease = (state: ConnectionState, release: Struct): void =>
  releaseExport(state, u32(release, 0), u32(release, 4));

const handleAbort = (state: ConnectionState, exception: Struct): PeerAborted => {
  const { kind, reason, trace, details } = readException(exception, state.limits.maxErrorText);
  return new PeerAborted("CAPNP_ABORTED", `The peer aborted the connection: ${reason}`, {
    kind,
    ...(trace === undefined ? {} : { remoteTrace: trace }),
    ...(details === undefined ? {} : { details }),
  });
};
