import { CapnpError } from "../../errors.ts";
import type { Struct } from "../../serialization/struct.ts";
import { child, messageName, messageTag, protocolError, readCapDescriptor, returnTag, u16, u32 } from "../wire.ts";
import type { ConnectionState } from "./connection-state.ts";
import { releaseExport } from "./export.ts";
import { type AnswerId, isPipelineId, type QuestionId } from "./ids.ts";

/** A message of ours came back. Where the connection can do without what it said, it does. */
export const handleUnimplemented = (state: ConnectionState, echoed: Struct): void => {
  const tag = u16(echoed, 0);
  const content = child(echoed, 0);
  switch (tag) {
    case messageTag.call:
    case messageTag.bootstrap: {
      const id = u32(content, 0);
      const question = isPipelineId(id) ? state.pipelineQuestions.get(id as QuestionId) : state.questions.get(id);
      // One for its pipeline only may be gone: nobody waits for its Return.
      if (question === undefined && isPipelineId(id)) return;
      if (question === undefined) throw protocolError(`unimplemented: unknown question ${id}`);
      if (question.isReturned) throw protocolError(`unimplemented: question ${id}, which was answered`);
      if (question.resultsFor === "callee") state.tailCalls = false;
      const { paramExports } = question;
      if (question.isCanceled) state.questions.delete(question.id);
      else {
        question.threw(
          new CapnpError("CAPNP_UNIMPLEMENTED", `The peer does not implement this form of ${messageName(tag)}.`),
          true,
        );
      }
      for (const exported of paramExports) releaseExport(state, exported, 1);
      return;
    }
    case messageTag.resolve: {
      // The peer will not use what its promise became.
      if (u16(content, 4) !== 0) return;
      const descriptor = readCapDescriptor(child(content, 0), state.limits.maxTransformOps);
      if (descriptor.which === "senderHosted" || descriptor.which === "senderPromise") {
        releaseExport(state, descriptor.id, 1);
      }
      return;
    }
    case messageTag.return:
      // Later calls are passed on without a shortcut. This one is answered as far as it can be.
      if (u16(content, 6) === returnTag.takeFromOtherQuestion) {
        state.tailCalls = false;
        if (state.answers.get(u32(content, 0) as AnswerId)?.tailCallRefused() === true) return;
      }
      throw protocolError("the peer does not implement Return, which this connection depends on");
    case messageTag.release:
      // A peer of level 0: what it exports lives as long as the connection.
      return;
    default:
      throw protocolError(`the peer does not implement ${messageName(tag)}, which this connection depends on`);
  }
};
