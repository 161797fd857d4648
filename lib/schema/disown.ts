import { CapnpError } from "../errors.ts";
import type { BuilderArena } from "../serialization/arena.ts";
import { List, settableIndex } from "../serialization/list.ts";
import * as orphans from "../serialization/orphan.ts";
import { describeValue } from "../serialization/scalar.ts";
import type { Segment } from "../serialization/segment.ts";
import { typeKey } from "./brand.ts";
import type { FieldAccess } from "./field-access.ts";
import { kindOf, typeName } from "./kind-of.ts";
import { isPointerType, noSuchField, type SchemaType } from "./schema.ts";
import { StructBase, StructBuilder } from "./struct-base.ts";
import { typeOfArgument } from "./type-argument.ts";

/** What each orphan's pointer said it is. An orphan made by the serialization layer alone is not here. */
const types = new WeakMap<orphans.Orphan, SchemaType>();

const builderOf = (value: unknown, operation: string): StructBuilder => {
  if (value instanceof StructBuilder) return value;
  const what = value instanceof StructBase ? `a reader of ${value._schema.path}` : describeValue(value);
  throw new CapnpError("CAPNP_TYPE", `${operation} changes a message: it takes a builder, not ${what}.`);
};

interface Place {
  readonly segment: Segment;
  readonly position: number;
}

/** Where a field's pointer lies. */
const placeOf = (struct: StructBuilder, name: string): Place & { readonly access: FieldAccess } => {
  const access = struct._fields.get(name);
  if (access === undefined) throw noSuchField(struct._schema, name);
  const { offset, type, path } = access.schema;
  if (offset === undefined || !isPointerType(type)) {
    const what = offset === undefined ? "a group, which is part of its struct" : `of type ${typeName(type)}`;
    throw new CapnpError("CAPNP_TYPE", `${path} is ${what}: only what is behind a pointer can be disowned or adopted.`);
  }
  return { access, segment: struct._segment, position: struct._data + struct._dataBytes + offset * 8 };
};

const checkType = (orphan: unknown, type: SchemaType, where: string): orphans.Orphan => {
  if (!(orphan instanceof orphans.Orphan)) {
    throw new CapnpError(
      "CAPNP_TYPE",
      `${where} adopts orphans, which disown() and newOrphan() return; not ${describeValue(orphan)}.`,
    );
  }
  const its = types.get(orphan);
  if (
    its === undefined ||
    its.which === "anyPointer" ||
    type.which === "anyPointer" ||
    typeKey(its) === typeKey(type)
  ) {
    return orphan;
  }
  throw new CapnpError("CAPNP_TYPE", `${where} is of type ${typeName(type)}; the orphan is of type ${typeName(its)}.`);
};

const anyPointer: SchemaType = { which: "anyPointer", kind: "unconstrained" };

const typed = (orphan: orphans.Orphan, type: SchemaType): orphans.Orphan => {
  types.set(orphan, type);
  return orphan;
};

/**
 * Takes the value of a pointer field out of its struct, and leaves the field null. It stays where it lies in the message until
 * it is adopted, which copies nothing, or released. Of a union the member must be the active one.
 */
export const disown = (struct: unknown, field: string): orphans.Orphan => {
  const from = builderOf(struct, "disown");
  const { access, segment, position } = placeOf(from, field);
  const { isUnionMember, discriminantValue, path, type } = access.schema;
  if (isUnionMember && from._segment.view.getUint16(from._data + from._tag, true) !== discriminantValue) {
    throw new CapnpError("CAPNP_UNION_MEMBER", `${path} cannot be disowned: it is not the active member of its union.`);
  }
  return typed(orphans.disown(segment, position), type);
};

/**
 * Makes an orphan the value of a field; what was there is zeroed. A member of a union becomes the active one. An orphan of
 * another message is copied.
 *
 * Throws CAPNP_ORPHAN where the orphan was adopted or released before, CAPNP_TYPE where it is of another type.
 */
export const adopt = (struct: unknown, field: string, orphan: unknown): void => {
  const to = builderOf(struct, "adopt");
  const { access, segment, position } = placeOf(to, field);
  const { isUnionMember, discriminantValue, path, type } = access.schema;
  orphans.adopt(segment, position, checkType(orphan, type, path));
  if (isUnionMember) to._segment.view.setUint16(to._data + to._tag, discriminantValue, true);
};

const pointerListOf = (list: unknown): List<unknown> => {
  // Of all lists only those of pointers can initialise their elements.
  if (list instanceof List && "init" in list) return list as List<unknown>;
  throw new CapnpError(
    "CAPNP_TYPE",
    "Only elements that are pointers can be disowned or adopted, and only in a builder.",
  );
};

/** Takes an element out of a list of pointers, and leaves it null. */
export const disownElement = (list: unknown, index: number): orphans.Orphan => {
  const from = pointerListOf(list);
  const i = settableIndex(index, from._length);
  return orphans.disown(from._segment, from._start + i * from._step);
};

/** Makes an orphan an element of a list of pointers; what was there is zeroed. */
export const adoptElement = (list: unknown, index: number, orphan: unknown): void => {
  const to = pointerListOf(list);
  const i = settableIndex(index, to._length);
  orphans.adopt(to._segment, to._start + i * to._step, checkType(orphan, anyPointer, "An element"));
};

/**
 * A new value in the message of `struct` that no pointer leads to yet: a struct (`newOrphan(book, Person)`), or a list or Data of
 * `count` elements. Read and filled through {@link orphanValue}.
 */
export const newOrphan = (struct: unknown, type: unknown, count?: number): orphans.Orphan => {
  const arena = builderOf(struct, "newOrphan")._segment.arena as BuilderArena;
  const schemaType = typeOfArgument(type);
  const kind = kindOf(schemaType);
  const made = orphans.newOrphan(arena, (segment, position) => {
    kind.init(segment, position, count, "A new orphan");
  });
  return typed(made, schemaType);
};

/** A copy of a value in the message of `struct` that no pointer leads to yet. */
export const newOrphanCopy = (struct: unknown, type: unknown, value: unknown): orphans.Orphan => {
  const arena = builderOf(struct, "newOrphanCopy")._segment.arena as BuilderArena;
  const schemaType = typeOfArgument(type);
  const kind = kindOf(schemaType);
  const made = orphans.newOrphan(arena, (segment, position) => {
    kind.set(segment, position, value, "A new orphan", true);
  });
  return typed(made, schemaType);
};

/** An orphan's value: a builder, list, string or bytes. The type is needed only for what came out of an AnyPointer. */
export const orphanValue = (orphan: orphans.Orphan, type?: unknown): unknown => {
  const schemaType = type === undefined ? types.get(orphan) : typeOfArgument(type);
  if (schemaType === undefined) throw new CapnpError("CAPNP_TYPE", "The type of this orphan is not known: pass it.");
  return kindOf(schemaType).get(orphan.hold(), 0);
};
