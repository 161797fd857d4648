import { BrokenClient } from "../capability/broken-client.ts";
import type { ClientHook } from "../capability/client-hook.ts";
import { type MessageTarget, protocolError } from "../wire.ts";
import { closedPipeline } from "./closed-pipeline.ts";
import type { ConnectionState } from "./connection-state.ts";
import type { AnswerId } from "./ids.ts";

/** Where a call goes; the reference is the caller's. */
export const callTarget = (state: ConnectionState, to: MessageTarget): ClientHook => {
  if (to.which === "importedCap") {
    const row = state.exports.get(to.id);
    if (row === undefined) throw protocolError(`a call to unknown export ${to.id}`);
    return row.hook.addRef();
  }
  const answer = state.answers.get(to.questionId as AnswerId);
  return answer === undefined ? new BrokenClient(closedPipeline()) : answer.pipelined(to.path);
};
