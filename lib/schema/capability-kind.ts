import { CapnpError } from "../errors.ts";
import type { PointerKind } from "../serialization/pointer-list.ts";
import { readCapability, writeCapability } from "./interface-class.ts";
import type { InterfaceSchema } from "./schema.ts";

/** A pointer to a capability; of any interface where the schema is missing. */
export const capabilityKind = (schema: InterfaceSchema | undefined): PointerKind => ({
  read: (segment, position) => readCapability(schema, segment, position),
  get: (segment, position) => readCapability(schema, segment, position),
  set: (segment, position, value) => writeCapability(schema, segment, position, value),
  init: (_segment, _position, _count, where) => {
    throw new CapnpError(
      "CAPNP_TYPE",
      `${where} is a capability, which is not initialised but assigned: set it to a client or a server.`,
    );
  },
});
