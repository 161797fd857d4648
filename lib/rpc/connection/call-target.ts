import type { Struct } from "../../serialization/struct.ts";
import { BrokenClient } from "../capability/broken-client.ts";
import type { ClientHook } from "../capability/client-hook.ts";
import { protocolError, readMessageTarget, u16, u32 } from "../wire.ts";
import { closedPipeline } from "./closed-pipeline.ts";
import type { ConnectionState } from "./connection-state.ts";
import type { AnswerId } from "./ids.ts";

/** Where a call goes, by its `MessageTarget`; the reference is the caller's. */
export const callTarget = (state: ConnectionState, target: Struct): ClientHook => {
  // By far the most calls go to an export: for them nothing is made but the reference.
  if (u16(target, 4) === 0) return exported(state, u32(target, 0));
  const to = readMessageTarget(target, state.limits.maxTransformOps);
  if (to.which === "importedCap") return exported(state, to.id);
  const answer = state.answers.get(to.questionId as AnswerId);
  return answer === undefined ? new BrokenClient(closedPipeline()) : answer.pipelined(to.path);
};

const exported = (state: ConnectionState, id: number): ClientHook => {
  const row = state.exports.get(id);
  if (row === undefined) throw protocolError(`a call to unknown export ${id}`);
  return row.hook.addRef();
};
