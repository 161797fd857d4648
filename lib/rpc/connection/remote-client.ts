import { copyPointer } from "../../serialization/copy.ts";
import type { CallContext } from "../capability/call-context.ts";
import { ClientHook } from "../capability/client-hook.ts";
import type { OutgoingCall } from "../capability/request.ts";
import type { FlowController } from "../streaming/flow-controller.ts";
import type { Struct } from "../../serialization/struct.ts";
import { type CapDescriptor, type MessageTarget, writeMessageTarget } from "../wire.ts";
import type { ConnectionState } from "./connection-state.ts";

/** Something at the peer that calls can be sent to. */
export abstract class RemoteClient extends ClientHook {
  readonly state: ConnectionState;
  #stream: FlowController | undefined;

  constructor(state: ConnectionState) {
    super();
    this.state = state;
  }

  /** Flow control of the streaming calls to it. */
  get stream(): FlowController {
    this.#stream ??= this.state.newStream();
    return this.#stream;
  }

  /**
   * The promise that this stood for has become something else at the same peer: its stream goes on there. Where that has one
   * of its own, the two stay apart, and what is under way in this one is counted there no longer.
   */
  handStreamTo(successor: RemoteClient): void {
    successor.#stream ??= this.#stream;
  }

  /** How the peer is told to find it. */
  abstract get target(): MessageTarget;

  /** The same, written where the peer reads it. */
  writeTarget(to: Struct): void {
    writeMessageTarget(to, this.target);
  }

  /** How it is described to the peer that hosts it, when it goes back there. */
  abstract get descriptor(): CapDescriptor;

  override get connection(): object | null {
    return this.state;
  }

  override messageCall(interfaceId: bigint, methodId: number): OutgoingCall | null {
    return this.state.beginCall(this.state, this, interfaceId, methodId, undefined);
  }

  override call(interfaceId: bigint, methodId: number, context: CallContext): void {
    forward(this.state.beginCall(this.state, this, interfaceId, methodId, undefined), context);
  }
}

/** Passes a call on: its params are copied into the message, its results will be what the call returns. */
export const forward = (call: OutgoingCall, context: CallContext): void => {
  try {
    const { segment, position, depth } = context.params;
    copyPointer(call.segment, call.position, segment, position, depth);
  } catch (error) {
    call.discard();
    context.threw(error);
    return;
  }
  context.tailCall(call);
};
