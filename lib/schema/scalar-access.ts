import { CapnpError } from "../errors.ts";
import * as scalar from "../serialization/scalar.ts";
import type { Struct } from "../serialization/struct.ts";
import { checkEnum } from "./enum-class.ts";
import type { FieldAccess, Getter, Setter } from "./field-access.ts";
import type { Value } from "./node.ts";
import type { EnumSchema, FieldSchema } from "./schema.ts";

interface Accessors {
  readonly get: Getter;
  readonly set: Setter;
  readonly clear: (this: Struct) => void;
}

/**
 * Accessors of one field each, closures over where it is. The common case of a default value of zero is written out per
 * type: a call through `kind` would cost in code that V8 has not optimised yet.
 */
const numberGetters: Readonly<Record<string, (offset: number, end: number) => Getter>> = {
  int8: (offset, end) =>
    function () {
      return end <= this.$dataBytes ? this.$segment.view.getInt8(this.$data + offset) : 0;
    },
  int16: (offset, end) =>
    function () {
      return end <= this.$dataBytes ? this.$segment.view.getInt16(this.$data + offset, true) : 0;
    },
  int32: (offset, end) =>
    function () {
      return end <= this.$dataBytes ? this.$segment.view.getInt32(this.$data + offset, true) : 0;
    },
  int64: (offset, end) =>
    function () {
      return end <= this.$dataBytes ? this.$segment.view.getBigInt64(this.$data + offset, true) : 0n;
    },
  uint8: (offset, end) =>
    function () {
      return end <= this.$dataBytes ? this.$segment.view.getUint8(this.$data + offset) : 0;
    },
  uint16: (offset, end) =>
    function () {
      return end <= this.$dataBytes ? this.$segment.view.getUint16(this.$data + offset, true) : 0;
    },
  uint32: (offset, end) =>
    function () {
      return end <= this.$dataBytes ? this.$segment.view.getUint32(this.$data + offset, true) : 0;
    },
  uint64: (offset, end) =>
    function () {
      return end <= this.$dataBytes ? this.$segment.view.getBigUint64(this.$data + offset, true) : 0n;
    },
  float32: (offset, end) =>
    function () {
      return end <= this.$dataBytes ? this.$segment.view.getFloat32(this.$data + offset, true) : 0;
    },
  float64: (offset, end) =>
    function () {
      return end <= this.$dataBytes ? this.$segment.view.getFloat64(this.$data + offset, true) : 0;
    },
};

const clearBytes = (offset: number, bytes: number) =>
  function (this: Struct): void {
    this.$segment.bytes.fill(0, this.$data + offset, this.$data + offset + bytes);
  };

/** Zero bits: not -0, whose sign is one. */
const isZero = (value: number | bigint): boolean => Object.is(value, 0) || value === 0n;

const numberAccessors = <T extends number | bigint>(
  which: string,
  kind: scalar.ScalarKind<T>,
  index: number,
  defaultValue: T,
  where: string,
): Accessors => {
  const { bytes, write, readMasked, writeMasked, check } = kind;
  const offset = index * bytes;
  const end = offset + bytes;
  const clear = clearBytes(offset, bytes);
  if (isZero(defaultValue)) {
    return {
      get: (numberGetters[which] as (offset: number, end: number) => Getter)(offset, end),
      set(value) {
        write(this.$segment.view, this.$data + offset, check(value, where));
      },
      clear,
    };
  }
  return {
    get() {
      return end <= this.$dataBytes ? readMasked(this.$segment.view, this.$data + offset, defaultValue) : defaultValue;
    },
    set(value) {
      writeMasked(this.$segment.view, this.$data + offset, check(value, where), defaultValue);
    },
    clear,
  };
};

const boolAccessors = (index: number, defaultValue: boolean, where: string): Accessors => {
  const offset = index >>> 3;
  const bit = 1 << (index & 7);
  return {
    get() {
      if (offset >= this.$dataBytes) return defaultValue;
      return (((this.$segment.bytes[this.$data + offset] as number) & bit) !== 0) !== defaultValue;
    },
    set(value) {
      const stored = scalar.checkBool(value, where) !== defaultValue;
      const { bytes } = this.$segment;
      const at = this.$data + offset;
      bytes[at] = stored ? (bytes[at] as number) | bit : (bytes[at] as number) & ~bit;
    },
    clear() {
      const { bytes } = this.$segment;
      const at = this.$data + offset;
      bytes[at] = (bytes[at] as number) & ~bit;
    },
  };
};

const enumAccessors = (schema: EnumSchema, index: number, defaultValue: number, where: string): Accessors => {
  const { names } = schema;
  const offset = index * 2;
  const end = offset + 2;
  return {
    get() {
      const stored = end <= this.$dataBytes ? this.$segment.view.getUint16(this.$data + offset, true) : 0;
      const value = stored ^ defaultValue;
      return value < names.length ? names[value] : value;
    },
    set(value) {
      this.$segment.view.setUint16(this.$data + offset, checkEnum(schema, value, where) ^ defaultValue, true);
    },
    clear: clearBytes(offset, 2),
  };
};

const voidAccessors = (where: string): Accessors => ({
  get: () => null,
  set: (value) => {
    scalar.checkVoid(value, where);
  },
  clear: () => {},
});

const kinds = {
  int8: scalar.int8,
  int16: scalar.int16,
  int32: scalar.int32,
  uint8: scalar.uint8,
  uint16: scalar.uint16,
  uint32: scalar.uint32,
  float32: scalar.float32,
  float64: scalar.float64,
} as const;

const accessorsOf = (field: FieldSchema, index: number, defaultValue: Value): Accessors | undefined => {
  const where = field.path;
  switch (defaultValue.which) {
    case "void":
      return voidAccessors(where);
    case "bool":
      return boolAccessors(index, defaultValue.value, where);
    case "int64":
      return numberAccessors("int64", scalar.int64, index, defaultValue.value, where);
    case "uint64":
      return numberAccessors("uint64", scalar.uint64, index, defaultValue.value, where);
    case "enum": {
      const { type } = field;
      return type.which === "enum" ? enumAccessors(type.schema, index, defaultValue.value, where) : undefined;
    }
    case "int8":
    case "int16":
    case "int32":
    case "uint8":
    case "uint16":
    case "uint32":
    case "float32":
    case "float64":
      return numberAccessors(defaultValue.which, kinds[defaultValue.which], index, defaultValue.value, where);
    default:
      return undefined;
  }
};

/** Access to a field of the data section; undefined for a pointer or group. */
export const scalarAccess = (field: FieldSchema): FieldAccess | undefined => {
  const { offset, defaultValue } = field;
  if (offset === undefined || defaultValue === undefined) return undefined;
  const accessors = accessorsOf(field, offset, defaultValue);
  if (accessors === undefined) return undefined;
  return {
    schema: field,
    read: accessors.get,
    get: accessors.get,
    set: accessors.set,
    setFresh: accessors.set,
    init() {
      throw new CapnpError(
        "CAPNP_TYPE",
        `${field.path} is not a struct, list or Data: it is not initialised but assigned.`,
      );
    },
    has: () => true,
    clear: accessors.clear,
  };
};
