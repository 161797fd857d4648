import { CapnpError } from "../errors.ts";
import type { FieldAccess } from "./field-access.ts";
import { groupAccess } from "./group-access.ts";
import { kindOf } from "./kind-of.ts";
import { defineNested } from "./nested.ts";
import { pointerAccess } from "./pointer-access.ts";
import { scalarAccess } from "./scalar-access.ts";
import type { FieldSchema, StructSchema } from "./schema.ts";
import { newStructClass, StructBuilder, StructReader } from "./struct-base.ts";
import type { StructClass } from "./struct-class.ts";
import { installStructMethods, structClassPrototype } from "./struct-methods.ts";
import { textAccess } from "./text-access.ts";
import { unionMemberAccess } from "./union-access.ts";

installStructMethods();

/** Makes the classes of a struct type. Classes that its fields need are made when a field is first used. */
export const defineStruct = (schema: StructSchema): StructClass => {
  const Reader = newStructClass(StructReader);
  const Builder = newStructClass(StructBuilder);
  const fields = new Map<string, FieldAccess>();
  const union: FieldAccess[] = [];
  const order: FieldAccess[] = [];
  const tag = schema.body.discriminantCount > 0 ? schema.body.discriminantOffset * 2 : -1;

  const structClass: StructClass = Object.create(structClassPrototype, {
    schema: { value: schema },
    Reader: { value: Reader },
    Builder: { value: Builder },
    dataBytes: { value: schema.dataBytes },
    pointerCount: { value: schema.pointerCount },
  }) as StructClass;

  for (const { prototype } of [Reader, Builder]) {
    define(prototype, "$schema", schema);
    define(prototype, "$class", structClass);
    define(prototype, "$fields", fields);
    define(prototype, "$order", order);
    define(prototype, "$union", union);
    define(prototype, "$tag", tag);
    define(prototype, Symbol.toStringTag, schema.path);
  }

  const install = (access: FieldAccess): void => {
    const { name, discriminantValue, isUnionMember } = access.schema;
    const old = fields.get(name);
    fields.set(name, access);
    for (let place = 0; place < order.length; place++) if (order[place] === old) order[place] = access;
    if (isUnionMember) union[discriminantValue] = access;
    const descriptor = { configurable: true, enumerable: false };
    Object.defineProperty(Reader.prototype, name, { ...descriptor, get: access.read, set: refuse(access.schema) });
    Object.defineProperty(Builder.prototype, name, { ...descriptor, get: access.get, set: access.set });
  };
  const inUnion = (access: FieldAccess): FieldAccess =>
    access.schema.isUnionMember ? unionMemberAccess(access, tag) : access;

  for (const field of schema.fields) {
    const access = scalarAccess(field) ?? blobAccess(field);
    install(access === undefined ? lazy(field, () => inUnion(objectAccess(field)), install) : inUnion(access));
  }
  return defineNested(structClass, schema);
};

const define = (target: object, name: PropertyKey, value: unknown): void => {
  Object.defineProperty(target, name, { value, configurable: true });
};

const refuse = (field: FieldSchema) => (): never => {
  throw new CapnpError("CAPNP_TYPE", `${field.path} cannot be set: this is a reader. reader.copy() makes a builder.`);
};

/** Access to Text and Data, which need no other class. */
const blobAccess = (field: FieldSchema): FieldAccess | undefined => {
  const { defaultValue } = field;
  if (defaultValue?.which === "text") return textAccess(field, field.offset as number, defaultValue.value);
  if (defaultValue?.which !== "data") return undefined;
  return pointerAccess(field, field.offset as number, kindOf(field.type, defaultValue));
};

/** Access to structs, groups, lists, capabilities and AnyPointer. */
const objectAccess = (field: FieldSchema): FieldAccess => {
  const { type, offset, defaultValue } = field;
  if (type.which === "struct" && type.schema.isGroup) return groupAccess(field, type.schema);
  return pointerAccess(field, offset as number, kindOf(type, defaultValue));
};

/**
 * Stands for a field until it is used for the first time: types may refer to each other in circles, generic ones without
 * end. Then the real accessors replace it on the classes, so that V8 sees constant functions over constant classes.
 */
const lazy = (field: FieldSchema, make: () => FieldAccess, install: (access: FieldAccess) => void): FieldAccess => {
  let made: FieldAccess | undefined;
  const access = (): FieldAccess => {
    if (made === undefined) {
      made = make();
      install(made);
    }
    return made;
  };
  return {
    schema: field,
    read() {
      return access().read.call(this);
    },
    get() {
      return access().get.call(this);
    },
    set(value) {
      access().set.call(this, value);
    },
    setFresh(value) {
      access().setFresh.call(this, value);
    },
    init(count) {
      return access().init.call(this, count);
    },
    has() {
      return access().has.call(this);
    },
    clear() {
      access().clear.call(this);
    },
  };
};
