import type { Exposed } from "./bootstrap-source.ts";
import { CapnpError } from "./errors.ts";
import { toHook } from "./rpc/capability/client.ts";
import type { ClientHook } from "./rpc/capability/client-hook.ts";
import type { Payload } from "./rpc/capability/payload.ts";
import { AnyPointerBuilder, AnyPointerReader, type PointerTypeArgument } from "./schema/any-pointer.ts";
import { StructRestorer } from "./schema/restorer.ts";
import type { AnyPointerReader as TypedPointerReader } from "./schema/typed-any-pointer.ts";
import { MessageBuilder } from "./serialization/message.ts";
import type { PeerInfo } from "./transport/transport.ts";

/**
 * The capability that an object id stands for; null or undefined where it stands for none. Read the id as what its type is
 * agreed to be: `objectId.as(MyStruct)`, `objectId.as("Text")`.
 */
export type RestoreFunction = (objectId: TypedPointerReader, peer: PeerInfo) => Exposed | null | undefined;

/**
 * What restores capabilities by `Bootstrap.deprecatedObjectId`: a function, or an instance of a class that extends
 * `SomeStruct.Restorer`. An object id that is null asks for the bootstrap capability; where there is none, the restorer is
 * asked for that, too.
 */
export type Restorer = RestoreFunction | { restore(objectId: never, peer: PeerInfo): unknown };

/** Asks a restorer; the reference that it returns is the caller's. */
export const restore = (restorer: Restorer, objectId: Payload | undefined, peer: PeerInfo): ClientHook => {
  const pointer =
    objectId === undefined ? nullPointer() : new AnyPointerReader(objectId.segment, objectId.position, objectId.depth);
  const restored = toHook(askFor(restorer, pointer, peer));
  if (restored !== null) return restored;
  throw new CapnpError("CAPNP_RESTORE", "The restorer of this vat knows no capability by this object id.");
};

const askFor = (restorer: Restorer, objectId: AnyPointerReader, peer: PeerInfo): unknown => {
  if (typeof restorer === "function") return restorer(objectId as TypedPointerReader, peer);
  const id = restorer instanceof StructRestorer ? objectId.as(restorer.$type) : objectId;
  return restorer.restore(id as never, peer);
};

const nullPointer = (): AnyPointerReader => new AnyPointerReader(new MessageBuilder().rootSegment, 0, 1);

/** An object id, as a message of its own: a struct, Text, Data, list, AnyPointer or null; plain objects with their type. */
export const objectIdMessage = (objectId: unknown, type: PointerTypeArgument | undefined): MessageBuilder => {
  const message = new MessageBuilder();
  new AnyPointerBuilder(message.rootSegment, 0).set(objectId, type);
  if (message.arena.hasCapTable && message.capTable.length > 0) {
    message.capTable.release();
    throw new CapnpError(
      "CAPNP_TYPE",
      "An object id cannot hold capabilities: a Bootstrap message has no place for them.",
    );
  }
  return message;
};
