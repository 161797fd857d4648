import { CapnpError } from "../../errors.ts";
import { defaultMaxSegments } from "../../serialization/framing.ts";
import type { ClientHook } from "../capability/client-hook.ts";
import { type CapDescriptor, type OutgoingMessage, writeCapTable } from "../wire.ts";
import type { ConnectionState } from "./connection-state.ts";
import { type AfterSend, crowded, type Described, describeAll, exportIds, releaseExport } from "./export.ts";

/** The capabilities of a payload that is going out, as its message describes them. */
export interface DescribedPayload {
  readonly described: readonly Described[];
  readonly descriptors: readonly CapDescriptor[];
  /** To be done once the message is sent. */
  readonly after: Readonly<AfterSend>;
}

/** Most calls and results have no capabilities: nothing is made for them. */
const noCapabilities: DescribedPayload = { described: [], descriptors: [], after: [] };

/** Writes the cap table of a payload that the message's form has begun at an offset. What breaks a limit, or comes on top of too much that waits, is not to be sent. */
export const describePayload = (
  state: ConnectionState,
  message: OutgoingMessage,
  payloadAt: number,
): DescribedPayload | CapnpError => {
  if (state.isCrowded) {
    state.overloaded++;
    return crowded(state);
  }
  const { arena } = message.builder;
  if (!arena.hasCapTable || arena.capTable.length === 0) return noCapabilities;
  const after: AfterSend = [];
  const described = describeAll(state, arena.capTable.entries() as readonly (ClientHook | null)[], after);
  if (described instanceof CapnpError) return described;
  const descriptors = described.map(({ descriptor }) => descriptor);
  writeCapTable(message.part(payloadAt, "payload"), descriptors);
  return { described, descriptors, after };
};

/** Why a message is too large to be sent; what was described in it is taken back then. */
export const tooLarge = (
  state: ConnectionState,
  message: OutgoingMessage,
  bytes: number,
  what: "params" | "results",
  { descriptors }: DescribedPayload,
): CapnpError | undefined => {
  const { maxMessageBytes } = state.limits;
  const segments = message.builder.arena.segments.length;
  if (bytes <= maxMessageBytes && segments <= defaultMaxSegments) return undefined;
  for (const id of exportIds(descriptors)) releaseExport(state, id, 1);
  if (segments > defaultMaxSegments) {
    const text = `The ${what} of this call make a message of ${segments} segments; no reader takes more than ${defaultMaxSegments}. Each referenceExternalData makes one: set Data that is small, which is copied.`;
    return new CapnpError("CAPNP_FRAME_TOO_LARGE", text);
  }
  return new CapnpError(
    "CAPNP_FRAME_TOO_LARGE",
    `The ${what} of this call make a message of ${bytes} bytes; the limit is ${maxMessageBytes} (maxMessageBytes).`,
  );
};
