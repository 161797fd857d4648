import { CapnpError } from "./errors.ts";
import { Client } from "./rpc/capability/client.ts";
import { AnyPointerReader } from "./schema/any-pointer.ts";
import { List } from "./serialization/list.ts";
import { Struct } from "./serialization/struct.ts";

/**
 * Gives back a capability, or all capabilities that a message holds and nobody has read out of it. Also for clients whose
 * interface has a method `release` of its own.
 *
 * What is not released is released when it is garbage collected; nobody knows when.
 */
export const release = (value: Client | object): void => {
  if (value instanceof Client) Client.release(value);
  else if (value instanceof Struct || value instanceof List || value instanceof AnyPointerReader) {
    value.$segment.arena.capTable.release();
  } else
    throw new CapnpError("CAPNP_TYPE", "Only clients and messages (any reader or builder of them) can be released.");
};
