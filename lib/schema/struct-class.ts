import type { AllocationOptions } from "../serialization/arena.ts";
import type { Struct, StructConstructor } from "../serialization/struct.ts";
import { assign } from "./assign.ts";
import type { StructRestorer } from "./restorer.ts";
import type { StructSchema } from "./schema.ts";
import { StructBase, type StructBuilder, type StructReader } from "./struct-base.ts";

/**
 * A struct type: what `Person` is. Besides these members it has the types and constants that are declared inside of the
 * struct (`Person.PhoneNumber`). `value instanceof Person` is true for its readers and builders.
 */
export interface StructClass {
  readonly schema: StructSchema;
  readonly Reader: StructConstructor<StructReader>;
  readonly Builder: StructConstructor<StructBuilder>;
  /** Size of the data section in bytes. */
  readonly dataBytes: number;
  readonly pointerCount: number;
  /** A new message with this struct as its root, filled from a plain object or a copy of a reader or builder. */
  newMessage(value?: unknown, options?: AllocationOptions): StructBuilder;
  /** The base of classes that restore capabilities by object ids of this type; see the option `restorer`. */
  readonly Restorer: abstract new () => StructRestorer;
  /** A generic struct with its type parameters bound: `Map.of(Text, Person)`. */
  of(...types: unknown[]): StructClass;
}

/** Whether a value is a reader or builder of any struct type, or of the given one. */
export const isStruct = (value: unknown, type?: StructClass): value is StructBase =>
  value instanceof StructBase && (type === undefined || value.$schema.id === type.schema.id);

/**
 * Merges a plain object into a builder, field by field, or copies a reader or builder of the same type over it.
 * CAPNP_TYPE for anything else, CAPNP_NO_SUCH_FIELD for a name that the struct does not have.
 */
export const assignStruct = (builder: Struct, value: unknown): void => assign(builder as StructBuilder, value);
