import { CapnpError } from "../errors.ts";
import type { AllocationOptions } from "../serialization/arena.ts";
import { withinCallStack } from "../serialization/call-stack.ts";
import { MessageBuilder } from "../serialization/message.ts";
import { replaceStruct } from "../serialization/replace.ts";
import { wrongType } from "../serialization/scalar.ts";
import { type MessageSize, structSize } from "../serialization/total-size.ts";
import { assign, discriminantOf } from "./assign.ts";
import type { FieldAccess } from "./field-access.ts";
import { FieldSchema, noSuchField } from "./schema.ts";
import { StructBase, StructBuilder, StructReader } from "./struct-base.ts";
import type { AsReader, Copy, Get, Init, SetField } from "./typed-operations.ts";

/**
 * Every operation on a struct as a function, for schemas with a field of the same name as one of our methods: the field
 * hides the method, never the function. The methods of readers and builders are these.
 */

/** A field by its name or by its schema. */
export type FieldName = string | FieldSchema;

const structOf = (value: unknown): StructBase => {
  if (value instanceof StructBase) return value;
  throw wrongType("This operation", "a struct", value);
};

const builderOf = (value: unknown, operation: string): StructBuilder => {
  const struct = structOf(value);
  if (struct instanceof StructBuilder) return struct;
  throw new CapnpError(
    "CAPNP_TYPE",
    `${operation} changes a struct, but this ${struct.$schema.path} is a reader. reader.copy() makes a builder.`,
  );
};

const fieldOf = (struct: StructBase, field: FieldName): FieldAccess => {
  const name = field instanceof FieldSchema ? field.name : field;
  const access = struct.$fields.get(name);
  if (access === undefined) throw noSuchField(struct.$schema, String(name));
  return access;
};

/** The value of a field. */
export const get = ((struct: unknown, field: FieldName): unknown => {
  const from = structOf(struct);
  const access = fieldOf(from, field);
  return (from instanceof StructReader ? access.read : access.get).call(from);
}) as Get;

/** Sets a field; a member of a union becomes the active one. */
export const set: SetField = (struct: unknown, field: FieldName, value: unknown): void => {
  const to = builderOf(struct, "set");
  fieldOf(to, field).set.call(to, value);
};

/**
 * Replaces a field by a new empty struct or group, or by a new list or Data of `count` elements, and returns that. A
 * member of a union becomes the active one. What was there is zeroed; its space in the message is not used again.
 */
export const init = ((struct: unknown, field: FieldName, count?: number): unknown => {
  const to = builderOf(struct, "init");
  return fieldOf(to, field).init.call(to, count);
}) as Init;

/** Whether a field has a value: a pointer is not null, a member of a union is active; always true for other fields. */
export const has = (struct: unknown, field: FieldName): boolean => {
  const from = structOf(struct);
  return fieldOf(from, field).has.call(from);
};

/** Gives a field its default value: null for pointers. A member of a union becomes the active one. */
export const clear = (struct: unknown, field: FieldName): void => {
  const to = builderOf(struct, "clear");
  const access = fieldOf(to, field);
  access.clear.call(to);
  const { isUnionMember, discriminantValue } = access.schema;
  if (isUnionMember) to.$segment.view.setUint16(to.$data + to.$tag, discriminantValue, true);
};

/** The active member of the struct's unnamed union; its number where this schema does not know it. */
export const which = (struct: unknown): string | number => {
  const from = structOf(struct);
  if (from.$tag < 0) {
    throw new CapnpError(
      "CAPNP_UNION_MEMBER",
      `${from.$schema.path} has no unnamed union. Of a union with a name, ask the union: struct.name.which().`,
    );
  }
  const discriminant = discriminantOf(from);
  return from.$union[discriminant]?.schema.name ?? discriminant;
};

/** Whether a member of the unnamed union is the active one. */
export const is = (struct: unknown, member: FieldName): boolean => {
  const from = structOf(struct);
  const { schema } = fieldOf(from, member);
  if (!schema.isUnionMember) {
    throw new CapnpError("CAPNP_UNION_MEMBER", `${schema.path} is not a member of the unnamed union of its struct.`);
  }
  return discriminantOf(from) === schema.discriminantValue;
};

/** A reader of the same place: it sees what the builder writes. A reader is returned as it is. */
export const asReader: AsReader = (struct: unknown): StructReader => {
  const from = structOf(struct);
  if (from instanceof StructReader) return from;
  const { Reader } = from.$class;
  return new Reader(from.$segment, from.$data, from.$dataBytes, from.$pointerCount, from.$depth);
};

/** A deep copy as the root of a new message. Fields that this schema does not know are copied, too. */
export const copy: Copy = (struct: unknown, options?: AllocationOptions): StructBuilder => {
  const from = structOf(struct);
  const { Builder, dataBytes, pointerCount } = from.$class;
  const message = new MessageBuilder(options);
  if (from.$schema.isGroup) {
    const group = message.initRoot(Builder, dataBytes, pointerCount);
    withinCallStack("This group", () => assign(group, from));
    return group;
  }
  withinCallStack("This message", () => replaceStruct(message.rootSegment, 0, from));
  return message.root(Builder, dataBytes, pointerCount);
};

/** What a struct and everything in it occupy, in words and capabilities: what a copy would need. */
export const totalSize = (struct: unknown): MessageSize => {
  const from = structOf(struct);
  const { $segment: segment, $data: data, $dataBytes: dataBytes, $pointerCount: pointerCount, $depth: depth } = from;
  return withinCallStack("This message", () => structSize(segment, data, dataBytes, pointerCount, depth));
};
