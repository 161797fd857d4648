import type { Struct } from "../serialization/struct.ts";
import type { FieldSchema } from "./schema.ts";

export type Getter = (this: Struct) => unknown;
export type Setter = (this: Struct, value: unknown) => void;

/**
 * How one field of one struct class is reached. The functions are closures over its offset, type and default value; the
 * accessors of the classes are these same functions. Members of a union check and set the union's tag themselves.
 */
export interface FieldAccess {
  readonly schema: FieldSchema;
  /** In a reader. */
  readonly read: Getter;
  /** In a builder. */
  readonly get: Getter;
  readonly set: Setter;
  /** The same where the place belonged to another member of a union, so that there is nothing to merge into. */
  readonly setFresh: Setter;
  /** Makes the field the active member of its union with an empty value, and returns the value. */
  readonly init: (this: Struct, count?: number) => unknown;
  /** Whether it is active and, for a pointer, not null. */
  readonly has: (this: Struct) => boolean;
  /** Gives it its default value; in a union: clears its place. Leaves the tag alone. */
  readonly clear: (this: Struct) => void;
}
