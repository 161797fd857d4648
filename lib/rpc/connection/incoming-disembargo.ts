import { CapnpError } from "../../errors.ts";
import type { MessageReader } from "../../serialization/message.ts";
import type { Struct } from "../../serialization/struct.ts";
import { type ClientHook, innermost } from "../capability/client-hook.ts";
import { child, protocolError, u16, u32 } from "../wire.ts";
import { callTarget } from "./call-target.ts";
import type { ConnectionState } from "./connection-state.ts";
import { sendDisembargo, sendUnimplemented } from "./outgoing.ts";
import { BrokenPreset } from "./preset-pipeline.ts";
import { PromiseClient } from "./promise-client.ts";
import { RemoteClient } from "./remote-client.ts";

export const handleDisembargo = (state: ConnectionState, message: MessageReader, disembargo: Struct): void => {
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
  if (which === 2 || which === 3) {
    // `accept` and `provide` belong to level 3.
    sendUnimplemented(state, message);
    return;
  }
  if (which !== 0) throw protocolError(`unknown Disembargo.context ${which}`);
  const target = callTarget(state, child(disembargo, 0));
  returnDisembargo(state, target, id);
};

/** Sends a Disembargo back along the way of the calls before it; takes over the reference. */
const returnDisembargo = (state: ConnectionState, target: ClientHook, id: number): void => {
  const end = innermost(target);
  const inner = end instanceof BrokenPreset ? innermost(end.sent) : end;
  const remote = inner instanceof PromiseClient ? inner.initial : inner;
  // Also where it is in results of the peer's that we have given up since they were described: calls before this one went there
  // or failed, and a peer that was told of it in time cannot know.
  if (remote instanceof RemoteClient && remote.state === state) {
    sendDisembargo(state, remote.target, "receiverLoopback", id);
    target.release();
    return;
  }
  if (inner.isPromise) {
    if (state.waitingDisembargoes >= state.limits.maxEmbargoes) {
      target.release();
      const text = `${state.waitingDisembargoes} embargoes of the peer's wait for promises (maxEmbargoes), and it asks for another.`;
      throw new CapnpError("CAPNP_LIMIT", text);
    }
    state.waitingDisembargoes++;
    // Calls before it wait for the same promise, and go on their way before this listener is called.
    const stopWaiting = inner.onResolved(() => {
      state.atClose.delete(waiting);
      state.waitingDisembargoes--;
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
      : `Disembargo whose target is broken (${broken.message})`,
  );
};
