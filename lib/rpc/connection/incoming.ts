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
  type MessageTarget,
  messageName,
  messageTag,
  protocolError,
  readCapDescriptor,
  readException,
  readMessageTarget,
  u16,
  u32,
  u64,
} from "../wire.ts";
import { Answer, closedPipeline } from "./answer.ts";
import { receive, receiveCapTable } from "./cap-descriptor.ts";
import type { ConnectionState } from "./connection-state.ts";
import { releaseExport } from "./export.ts";
import type { AnswerId, ImportId } from "./ids.ts";
import { sendDisembargo, sendUnimplemented } from "./outgoing.ts";
import { PromiseClient } from "./promise-client.ts";
import { RemoteClient } from "./remote-client.ts";

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
      handleDisembargo(state, child(root, 0));
      break;
    case messageTag.unimplemented:
      handleUnimplemented(state, child(root, 0));
      break;
    case messageTag.abort:
      throw handleAbort(child(root, 0));
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
  index < s._pointerCount
    ? new Payload(s._segment, pointerPosition(s, index), s._depth)
    : new Payload(nullWord, 0, defaultNestingLimit);

const nullWord = new Segment(emptySegment.arena, 0, new Uint8Array(8), 8);

const handleBootstrap = (state: ConnectionState, host: Host, bootstrap: Struct): void => {
  const id = newAnswerId(state, u32(bootstrap, 0));
  const answer = new Answer(state, id, undefined);
  state.answers.set(id, answer);
  let hook: ClientHook;
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
  const target = callTarget(state, readMessageTarget(child(call, 0)));
  try {
    const payload = child(call, 1);
    const table = receiveCapTable(state, payload);
    if (table.length > 0) message.capTable = table;
    const params = pointerPayload(payload, 0);
    const answer = new Answer(state, id, params, {
      redirected: resultsTo === sendResultsTo.yourself,
      pipelineOnly: bit(call, 130),
      caller: host.caller,
    });
    state.answers.set(id, answer);
    target.call(u64(call, 8), u16(call, 4), answer);
  } finally {
    target.release();
  }
};

/** Where a call goes; the reference is the caller's. */
const callTarget = (state: ConnectionState, to: MessageTarget): ClientHook => {
  if (to.which === "importedCap") {
    const row = state.exports.get(to.id);
    if (row === undefined) throw protocolError(`a call to unknown export ${to.id}`);
    return row.hook.addRef();
  }
  const answer = state.answers.get(to.questionId as AnswerId);
  return answer === undefined ? new BrokenClient(closedPipeline()) : answer.pipelined(to.path);
};

const returnTag = {
  results: 0,
  exception: 1,
  canceled: 2,
  resultsSentElsewhere: 3,
  takeFromOtherQuestion: 4,
  acceptFromThirdParty: 5,
} as const;

const handleReturn = (state: ConnectionState, message: MessageReader, ret: Struct): void => {
  const id = u32(ret, 0);
  const question = state.questions.get(id);
  if (question === undefined) throw protocolError(`a Return for unknown question ${id}`);
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
  } else {
    switch (which) {
      case returnTag.results: {
        const payload = child(ret, 0);
        const table = receiveCapTable(state, payload);
        if (table.length > 0) message.capTable = table;
        question.returned(pointerPayload(payload, 0), table, noFinishNeeded);
        break;
      }
      case returnTag.exception:
        question.threw(fromException(readException(child(ret, 0))), noFinishNeeded);
        break;
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

const handleFinish = (state: ConnectionState, finish: Struct): void => {
  // Unknown ids are no mistake: an older peer finishes what its Return said needs no Finish.
  state.answers.get(u32(finish, 0) as AnswerId)?.finished(!bit(finish, 32), !bit(finish, 33));
};

const handleResolve = (state: ConnectionState, resolve: Struct): void => {
  const id = u32(resolve, 0) as ImportId;
  const row = state.imports.get(id);
  const which = u16(resolve, 4);
  if (row !== undefined && !row.isPromise) throw protocolError(`Resolve of import ${id}, which is no promise`);
  if (which === 1) {
    row?.promise?.resolve(new BrokenClient(fromException(readException(child(resolve, 0)))), false);
    return;
  }
  if (which !== 0) throw protocolError(`unknown Resolve ${which}`);
  const { hook, reflected } = receive(state, readCapDescriptor(child(resolve, 0)));
  if (hook === null) throw protocolError(`Resolve of promise ${id} to no capability`);
  // Where we have released the promise, we do not want what it became.
  if (row?.promise === undefined) hook.release();
  else row.promise.resolve(hook, reflected);
};

const handleRelease = (state: ConnectionState, release: Struct): void =>
  releaseExport(state, u32(release, 0), u32(release, 4));

const handleDisembargo = (state: ConnectionState, disembargo: Struct): void => {
  const which = u16(disembargo, 4);
  const id = u32(disembargo, 0);
  if (which === 1) {
    const embargo = state.embargoes.get(id);
    if (embargo === undefined) throw protocolError(`Disembargo of unknown embargo ${id}`);
    state.embargoes.delete(embargo.id);
    embargo.queued.resolve(embargo.replacement);
    embargo.queued.release();
    return;
  }
  if (which !== 0) throw protocolError(`unknown Disembargo.context ${which}`);
  const target = callTarget(state, readMessageTarget(child(disembargo, 0)));
  returnDisembargo(state, target, id);
};

/** Sends a Disembargo back along the way of the calls before it; takes over the reference. */
const returnDisembargo = (state: ConnectionState, target: ClientHook, id: number): void => {
  const inner = innermost(target);
  const remote = inner instanceof PromiseClient ? inner.initial : inner;
  if (inner.connection === state && remote instanceof RemoteClient) {
    sendDisembargo(state, remote.target, "receiverLoopback", id);
    target.release();
    return;
  }
  if (inner.isPromise) {
    if (state.atClose.size >= state.limits.maxAnswers) {
      target.release();
      throw new CapnpError("CAPNP_LIMIT", `The peer waits for ${state.limits.maxAnswers} promises (maxAnswers).`);
    }
    // Calls before it wait for the same promise, and go on their way before this listener is called.
    const stopWaiting = inner.onResolved(() => {
      state.atClose.delete(waiting);
      try {
        returnDisembargo(state, target, id);
      } catch (error) {
        state.fail(error);
      }
    });
    const waiting = {
      lost: () => {
        stopWaiting();
        target.release();
      },
    };
    state.atClose.add(waiting);
    return;
  }
  const broken = inner.brokenBy;
  target.release();
  throw protocolError(
    broken === undefined
      ? "Disembargo whose target does not lead back to the sender"
      : `Disembargo whose target is broken: ${broken.message}`,
  );
};

const handleUnimplemented = (state: ConnectionState, echoed: Struct): void => {
  const tag = u16(echoed, 0);
  const content = child(echoed, 0);
  switch (tag) {
    case messageTag.call:
    case messageTag.bootstrap: {
      const question = state.questions.get(u32(content, 0));
      if (question === undefined) throw protocolError(`unimplemented: unknown question ${u32(content, 0)}`);
      const { paramExports } = question;
      if (question.isCanceled) state.questions.delete(question.id);
      else {
        question.threw(
          new CapnpError("CAPNP_UNIMPLEMENTED", `The peer does not implement this form of ${messageName(tag)}.`),
          true,
        );
      }
      for (const id of paramExports) releaseExport(state, id, 1);
      return;
    }
    case messageTag.resolve: {
      // The peer will not use what its promise became.
      if (u16(content, 4) !== 0) return;
      const descriptor = readCapDescriptor(child(content, 0));
      if (descriptor.which === "senderHosted" || descriptor.which === "senderPromise") {
        releaseExport(state, descriptor.id, 1);
      }
      return;
    }
    default:
      throw protocolError(`the peer does not implement ${messageName(tag)}, which this connection depends on`);
  }
};

const handleAbort = (exception: Struct): PeerAborted => {
  const { kind, reason } = readException(exception);
  return new PeerAborted("CAPNP_ABORTED", `The peer aborted the connection: ${reason}`, { kind });
};
