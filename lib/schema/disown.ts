import { CapnpError } from "../errors.ts";
import type { BuilderArena } from "../serialization/arena.ts";
import { List, settableIndex } from "../serialization/list.ts";
import { adopt as adoptPointer, disown as disownPointer, newPointer } from "../serialization/orphan.ts";
import { initStruct } from "../serialization/pointer-builder.ts";
import { describeValue } from "../serialization/scalar.ts";
import { moveContent } from "../serialization/upgrade.ts";
import { AnyPointerBuilder } from "./any-pointer.ts";
import { assign } from "./assign.ts";
import { typeKey } from "./brand.ts";
import type { FieldAccess } from "./field-access.ts";
import { elementTypeOf, kindOf, typeName } from "./kind-of.ts";
import { Orphan } from "./orphan.ts";
import { isPointerType, noSuchField, type SchemaType, type StructSchema } from "./schema.ts";
import { StructBase, StructBuilder } from "./struct-base.ts";

const anyPointer: SchemaType = { which: "anyPointer", kind: "unconstrained" };

const builderOf = (value: unknown, operation: string): StructBuilder => {
  if (value instanceof StructBuilder) return value;
  const what = value instanceof StructBase ? `a reader of ${value.$schema.path}` : describeValue(value);
  throw new CapnpError("CAPNP_TYPE", `${operation} changes a message: it takes a builder, not ${what}.`);
};

const accessOf = (struct: StructBuilder, name: string): FieldAccess => {
  const access = struct.$fields.get(name);
  if (access === undefined) throw noSuchField(struct.$schema, name);
  return access;
};

/** Where a field's pointer lies; undefined for a group and for what lies in the data section. */
const pointerPosition = (struct: StructBuilder, { schema: { offset, type } }: FieldAccess): number | undefined =>
  offset === undefined || !isPointerType(type) ? undefined : struct.$data + struct.$dataBytes + offset * 8;

const checkType = (orphan: unknown, type: SchemaType, where: string): Orphan => {
  if (!(orphan instanceof Orphan)) {
    throw new CapnpError(
      "CAPNP_TYPE",
      `${where} adopts orphans, which disown() and newOrphan() return; not ${describeValue(orphan)}.`,
    );
  }
  const its = orphan.$type;
  const isAny = its.which === "anyPointer" || type.which === "anyPointer";
  if (isAny ? isPointerType(its) && isPointerType(type) : typeKey(its) === typeKey(type)) return orphan;
  throw new CapnpError("CAPNP_TYPE", `${where} is of type ${typeName(type)}; the orphan is of type ${typeName(its)}.`);
};

/** A copy of a group, which has no place of its own to be taken from, as a struct of its own. */
const disownGroup = (from: StructBuilder, { get, clear }: FieldAccess, schema: StructSchema): Orphan => {
  const type: SchemaType = { which: "struct", schema };
  const arena = from.$segment.arena as BuilderArena;
  const holder = newPointer(arena, (segment, position) => {
    initStruct(segment, position, schema.dataBytes, schema.pointerCount);
    assign(kindOf(type).get(segment, position) as StructBuilder, get.call(from));
  });
  clear.call(from);
  return new Orphan(arena, holder, type);
};

/**
 * Takes the value of a field out of its struct, and leaves the field null, or with its default value. What lies behind a pointer
 * stays where it is in the message until it is adopted, which copies nothing, or released; a group is copied. Of a union the
 * member must be the active one.
 */
export const disown = (struct: unknown, field: string): Orphan => {
  const from = builderOf(struct, "disown");
  const access = accessOf(from, field);
  const { isUnionMember, discriminantValue, path, type } = access.schema;
  if (isUnionMember && from.$segment.view.getUint16(from.$data + from.$tag, true) !== discriminantValue) {
    throw new CapnpError("CAPNP_UNION_MEMBER", `${path} cannot be disowned: it is not the active member of its union.`);
  }
  const arena = from.$segment.arena as BuilderArena;
  const position = pointerPosition(from, access);
  if (position !== undefined) return new Orphan(arena, disownPointer(from.$segment, position), type);
  if (access.schema.isGroup && type.which === "struct") return disownGroup(from, access, type.schema);
  const value = access.get.call(from);
  access.clear.call(from);
  return new Orphan(arena, arena.holdLoosePointer(), type, value);
};

/**
 * Makes an orphan the value of a field; what was there is zeroed. A member of a union becomes the active one. An orphan of
 * another message is copied.
 *
 * Throws CAPNP_ORPHAN where the orphan was adopted or released before, CAPNP_TYPE where it is of another type.
 */
export const adopt = (struct: unknown, field: string, orphan: unknown): void => {
  const to = builderOf(struct, "adopt");
  const access = accessOf(to, field);
  const { isUnionMember, discriminantValue, path, type } = access.schema;
  const adopted = checkType(orphan, type, path);
  const position = pointerPosition(to, access);
  if (position === undefined) {
    access.setFresh.call(to, adopted.get());
    adopted.release();
  } else {
    adoptPointer(to.$segment, position, adopted);
    if (isUnionMember) to.$segment.view.setUint16(to.$data + to.$tag, discriminantValue, true);
  }
};

type ListBuilder = List<unknown> & { set(index: number, value: unknown): void };

const isListBuilder = (list: unknown): list is ListBuilder => list instanceof List && "set" in list;

/** Takes an element out of a list of pointers, and leaves it null. */
export const disownElement = (list: unknown, index: number): Orphan => {
  // Of all lists only those of pointers can initialise their elements.
  if (!isListBuilder(list) || !("init" in list)) {
    throw new CapnpError("CAPNP_TYPE", "Only elements that are pointers can be disowned, and only in a builder.");
  }
  const i = settableIndex(index, list.$length);
  const holder = disownPointer(list.$segment, list.$start + i * list.$step);
  return new Orphan(list.$segment.arena as BuilderArena, holder, elementTypeOf(list) ?? anyPointer);
};

/**
 * Makes an orphan an element of a list of pointers; what was there is zeroed. Into a list of structs an orphan's content is moved,
 * as its elements have no pointers to lead elsewhere: what the element has no room for is lost.
 */
export const adoptElement = (list: unknown, index: number, orphan: unknown): void => {
  const type = elementTypeOf(list) ?? anyPointer;
  if (!isListBuilder(list) || !isPointerType(type)) {
    throw new CapnpError(
      "CAPNP_TYPE",
      "Only elements that are pointers or structs can be adopted, and only in a builder.",
    );
  }
  const i = settableIndex(index, list.$length);
  const adopted = checkType(orphan, type, "An element");
  if ("init" in list) {
    adoptPointer(list.$segment, list.$start + i * list.$step, adopted);
    return;
  }
  const value = adopted.as(type);
  const struct = value.get() as StructBuilder;
  if (value.arena === list.$segment.arena) moveContent(list.$at(i) as StructBuilder, struct);
  else list.set(i, struct);
  value.release();
};

const pointerOf = (pointer: unknown): AnyPointerBuilder => {
  if (pointer instanceof AnyPointerBuilder) return pointer;
  throw new CapnpError("CAPNP_TYPE", "Only a builder of an AnyPointer can be disowned or adopt.");
};

/** Takes out what an AnyPointer leads to, as an orphan of a type that `as` settles, and leaves it null. */
export const disownPointee = (pointer: unknown): Orphan => {
  const { $segment, $position } = pointerOf(pointer);
  return new Orphan($segment.arena as BuilderArena, disownPointer($segment, $position), anyPointer);
};

/** Makes an AnyPointer lead to an orphan; what was there is zeroed. */
export const adoptPointee = (pointer: unknown, orphan: unknown): void => {
  const { $segment, $position } = pointerOf(pointer);
  adoptPointer($segment, $position, checkType(orphan, anyPointer, "An AnyPointer"));
};
