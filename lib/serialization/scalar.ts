import { CapnpError } from "../errors.ts";

/** A number type of the data section: how its bits are read and written, and which JavaScript values it takes. */
export interface ScalarKind<T extends number | bigint> {
  /** As schemas spell it. */
  readonly name: string;
  readonly bytes: 1 | 2 | 4 | 8;
  readonly zero: T;
  readonly read: (view: DataView, at: number) => T;
  readonly write: (view: DataView, at: number, value: T) => void;
  /** The value as this type; throws CAPNP_TYPE or CAPNP_RANGE, naming `where`, for what it cannot hold exactly. */
  readonly check: (value: unknown, where: string) => T;
  /** A field is stored XOR its default value. On bits, not on values: what is stored may look like any NaN. */
  readonly readMasked: (view: DataView, at: number, defaultValue: T) => T;
  readonly writeMasked: (view: DataView, at: number, value: T, defaultValue: T) => void;
}

/** A value for an error text, cut where it is long. */
export const describeValue = (value: unknown): string => {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === "function") return "a function";
  if (typeof value === "symbol") return "a symbol";
  if (typeof value === "object" && value !== null) {
    if (Array.isArray(value)) return `an array of ${value.length}`;
    if (value instanceof Uint8Array) return `a Uint8Array of ${value.length} bytes`;
    return "an object";
  }
  return String(value);
};

export const wrongType = (where: string, expected: string, value: unknown): CapnpError =>
  new CapnpError("CAPNP_TYPE", `${where} takes ${expected}, not ${describeValue(value)}.`);

const badInteger = (where: string, name: string, value: unknown, min: number | bigint, max: number | bigint) => {
  if (typeof value === "number" || typeof value === "bigint") {
    const why = typeof value === "number" && !Number.isInteger(value) ? "it is not an integer" : "it is out of range";
    return new CapnpError(
      "CAPNP_RANGE",
      `${where} of type ${name} takes integers from ${min} to ${max}; ${describeValue(value)} does not fit: ${why}.`,
    );
  }
  const wide = name.endsWith("64") ? "a bigint or an integer" : "an integer";
  return wrongType(where, `${wide} (${name})`, value);
};

/** Integers whose values a number holds; a bigint is taken where it fits. */
const smallInteger = (name: string, min: number, max: number) => {
  return (value: unknown, where: string): number => {
    if (typeof value === "number" && value >= min && value <= max && Math.trunc(value) === value) return value;
    if (typeof value === "bigint" && value >= min && value <= max) return Number(value);
    throw badInteger(where, name, value, min, max);
  };
};

const bigInteger = (name: string, min: bigint, max: bigint) => {
  return (value: unknown, where: string): bigint => {
    if (typeof value === "bigint") {
      if (value >= min && value <= max) return value;
    } else if (typeof value === "number") {
      if (Number.isSafeInteger(value)) {
        const big = BigInt(value);
        if (big >= min && big <= max) return big;
      } else if (Number.isInteger(value)) {
        throw new CapnpError(
          "CAPNP_RANGE",
          `${where} of type ${name} does not take the number ${value}: beyond 2^53 a number is not exact. Pass a bigint.`,
        );
      }
    }
    throw badInteger(where, name, value, min, max);
  };
};

export const int8: ScalarKind<number> = {
  name: "Int8",
  bytes: 1,
  zero: 0,
  read: (view, at) => view.getInt8(at),
  write: (view, at, value) => view.setInt8(at, value),
  check: smallInteger("Int8", -0x80, 0x7f),
  readMasked: (view, at, defaultValue) => view.getInt8(at) ^ defaultValue,
  writeMasked: (view, at, value, defaultValue) => view.setInt8(at, value ^ defaultValue),
};

export const int16: ScalarKind<number> = {
  name: "Int16",
  bytes: 2,
  zero: 0,
  read: (view, at) => view.getInt16(at, true),
  write: (view, at, value) => view.setInt16(at, value, true),
  check: smallInteger("Int16", -0x8000, 0x7fff),
  readMasked: (view, at, defaultValue) => view.getInt16(at, true) ^ defaultValue,
  writeMasked: (view, at, value, defaultValue) => view.setInt16(at, value ^ defaultValue, true),
};

export const int32: ScalarKind<number> = {
  name: "Int32",
  bytes: 4,
  zero: 0,
  read: (view, at) => view.getInt32(at, true),
  write: (view, at, value) => view.setInt32(at, value, true),
  check: smallInteger("Int32", -0x80000000, 0x7fffffff),
  readMasked: (view, at, defaultValue) => view.getInt32(at, true) ^ defaultValue,
  writeMasked: (view, at, value, defaultValue) => view.setInt32(at, value ^ defaultValue, true),
};

export const int64: ScalarKind<bigint> = {
  name: "Int64",
  bytes: 8,
  zero: 0n,
  read: (view, at) => view.getBigInt64(at, true),
  write: (view, at, value) => view.setBigInt64(at, value, true),
  check: bigInteger("Int64", -(1n << 63n), (1n << 63n) - 1n),
  readMasked: (view, at, defaultValue) => view.getBigInt64(at, true) ^ defaultValue,
  writeMasked: (view, at, value, defaultValue) => view.setBigInt64(at, value ^ defaultValue, true),
};

export const uint8: ScalarKind<number> = {
  name: "UInt8",
  bytes: 1,
  zero: 0,
  read: (view, at) => view.getUint8(at),
  write: (view, at, value) => view.setUint8(at, value),
  check: smallInteger("UInt8", 0, 0xff),
  readMasked: (view, at, defaultValue) => view.getUint8(at) ^ defaultValue,
  writeMasked: (view, at, value, defaultValue) => view.setUint8(at, value ^ defaultValue),
};

export const uint16: ScalarKind<number> = {
  name: "UInt16",
  bytes: 2,
  zero: 0,
  read: (view, at) => view.getUint16(at, true),
  write: (view, at, value) => view.setUint16(at, value, true),
  check: smallInteger("UInt16", 0, 0xffff),
  readMasked: (view, at, defaultValue) => view.getUint16(at, true) ^ defaultValue,
  writeMasked: (view, at, value, defaultValue) => view.setUint16(at, value ^ defaultValue, true),
};

export const uint32: ScalarKind<number> = {
  name: "UInt32",
  bytes: 4,
  zero: 0,
  read: (view, at) => view.getUint32(at, true),
  write: (view, at, value) => view.setUint32(at, value, true),
  check: smallInteger("UInt32", 0, 0xffffffff),
  readMasked: (view, at, defaultValue) => (view.getUint32(at, true) ^ defaultValue) >>> 0,
  writeMasked: (view, at, value, defaultValue) => view.setUint32(at, value ^ defaultValue, true),
};

export const uint64: ScalarKind<bigint> = {
  name: "UInt64",
  bytes: 8,
  zero: 0n,
  read: (view, at) => view.getBigUint64(at, true),
  write: (view, at, value) => view.setBigUint64(at, value, true),
  check: bigInteger("UInt64", 0n, (1n << 64n) - 1n),
  readMasked: (view, at, defaultValue) => view.getBigUint64(at, true) ^ defaultValue,
  writeMasked: (view, at, value, defaultValue) => view.setBigUint64(at, value ^ defaultValue, true),
};

const scratch = new DataView(new ArrayBuffer(16));

/**
 * Of the many NaNs the one that is written, as C++ does it: programs cannot tell them apart, so messages that are equal to them
 * should be equal in their bytes.
 */
const oneNaN = (value: number): number => (Number.isNaN(value) ? Number.NaN : value);

export const float32: ScalarKind<number> = {
  name: "Float32",
  bytes: 4,
  zero: 0,
  read: (view, at) => view.getFloat32(at, true),
  write: (view, at, value) => view.setFloat32(at, oneNaN(value), true),
  check: (value, where) => {
    if (typeof value !== "number") throw wrongType(where, "a number (Float32)", value);
    if (Number.isFinite(value) && !Number.isFinite(Math.fround(value))) {
      throw new CapnpError("CAPNP_RANGE", `${where} of type Float32 cannot hold ${value}: the limit is 3.4028235e38.`);
    }
    return value;
  },
  readMasked: (view, at, defaultValue) => {
    scratch.setFloat32(0, defaultValue);
    scratch.setUint32(0, scratch.getUint32(0) ^ view.getUint32(at, true));
    return scratch.getFloat32(0);
  },
  writeMasked: (view, at, value, defaultValue) => {
    scratch.setFloat32(0, defaultValue);
    scratch.setFloat32(4, oneNaN(value));
    view.setUint32(at, scratch.getUint32(0) ^ scratch.getUint32(4), true);
  },
};

export const float64: ScalarKind<number> = {
  name: "Float64",
  bytes: 8,
  zero: 0,
  read: (view, at) => view.getFloat64(at, true),
  write: (view, at, value) => view.setFloat64(at, oneNaN(value), true),
  check: (value, where) => {
    if (typeof value !== "number") throw wrongType(where, "a number (Float64)", value);
    return value;
  },
  readMasked: (view, at, defaultValue) => {
    scratch.setFloat64(0, defaultValue);
    scratch.setBigUint64(0, scratch.getBigUint64(0) ^ view.getBigUint64(at, true));
    return scratch.getFloat64(0);
  },
  writeMasked: (view, at, value, defaultValue) => {
    scratch.setFloat64(0, defaultValue);
    scratch.setFloat64(8, oneNaN(value));
    view.setBigUint64(at, scratch.getBigUint64(0) ^ scratch.getBigUint64(8), true);
  },
};

export const checkBool = (value: unknown, where: string): boolean => {
  if (typeof value !== "boolean") throw wrongType(where, "true or false (Bool)", value);
  return value;
};

export const checkVoid = (value: unknown, where: string): null => {
  if (value !== null && value !== undefined) throw wrongType(where, "null (Void)", value);
  return null;
};
