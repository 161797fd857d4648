import { unpack } from "../serialization/packed.ts";
import type { CompiledSchema } from "./node.ts";
import { decodeCompiledSchema } from "./node-codec.ts";
import { schemaOfSchemasText } from "./schema-of-schemas-text.ts";

/** Id of `Node` in schema.capnp. */
export const nodeTypeId = 0xe682ab4cf923a417n;
/** Id of `CodeGeneratorRequest` in schema.capnp. */
export const requestTypeId = 0xbfc546f6210ad7cen;

/** schema.capnp, compiled: this layer has no compiler. Without comments and annotations. */
export const schemaOfSchemas = (): CompiledSchema => {
  const packed = Uint8Array.from(atob(schemaOfSchemasText), (character) => character.charCodeAt(0));
  return decodeCompiledSchema(unpack(packed));
};
