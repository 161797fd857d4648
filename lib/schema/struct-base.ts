import { Struct } from "../serialization/struct.ts";
import type { FieldAccess } from "./field-access.ts";
import type { StructSchema } from "./schema.ts";
import type { StructClass } from "./struct-class.ts";

/** What all readers and builders have: their type, on the prototype of each class. */
export abstract class StructBase extends Struct {
  /** @internal */
  declare readonly _schema: StructSchema;
  /** @internal */
  declare readonly _class: StructClass;
  /** How each field is reached, by name. @internal */
  declare readonly _fields: ReadonlyMap<string, FieldAccess>;
  /** Members of the unnamed union, by discriminant. @internal */
  declare readonly _union: readonly FieldAccess[];
  /** Byte offset of the union's tag; -1 where there is no union. @internal */
  declare readonly _tag: number;
}

/** A struct in a message that is read. `x instanceof StructReader` tells readers of every type. */
export abstract class StructReader extends StructBase {}

/** A struct in a message that is built. */
export abstract class StructBuilder extends StructBase {}
