import { List } from "../serialization/list.ts";
import { wrongType } from "../serialization/scalar.ts";
import { AnyPointerReader } from "./any-pointer.ts";
import { discriminantOf } from "./assign.ts";
import { asReader } from "./operations.ts";
import { StructBase, type StructReader } from "./struct-base.ts";

export interface ToObjectOptions {
  /** Whether fields that are null are there, too, with their default values. Default: false. */
  readonly defaults?: boolean;
  /** What Data becomes: a Uint8Array, or with `"base64"` text. Default: `"array"`. */
  readonly bytes?: "array" | "base64";
}

type Leaf = (value: unknown) => unknown;

/**
 * A struct as a plain object, or a list as an array, all the way down. Enums are names, 64-bit integers bigints, Void is
 * null, Data a view of the message; capabilities and AnyPointers stand for themselves. Of a union only the active member
 * is there, and pointers that are null are left out. The inverse is `newMessage(object)`.
 */
export const toObject = (value: unknown, options: ToObjectOptions = {}): unknown => {
  if (!(value instanceof StructBase || value instanceof List)) throw wrongType("toObject", "a struct or a list", value);
  const leaf: Leaf =
    options.bytes === "base64" ? (one) => (one instanceof Uint8Array ? base64(one) : one) : (one) => one;
  return plain(value, options.defaults === true, leaf);
};

const plain = (value: unknown, defaults: boolean, leaf: Leaf): unknown => {
  if (value instanceof StructBase) return plainStruct(asReader(value), defaults, leaf);
  if (value instanceof List) return (value as List<unknown>).map((one) => plain(one, defaults, leaf));
  if (value instanceof AnyPointerReader && value.isNull) return null;
  return leaf(value);
};

const plainStruct = (struct: StructReader, defaults: boolean, leaf: Leaf): object => {
  const object: Record<string, unknown> = {};
  const active = struct._tag < 0 ? undefined : struct._union[discriminantOf(struct)];
  for (const access of struct._fields.values()) {
    const { schema } = access;
    if (schema.isUnionMember ? access !== active : !(defaults || access.has.call(struct))) continue;
    // An empty struct may hold an empty struct of the same type, without end.
    const isNull = schema.type.which === "struct" && !access.has.call(struct);
    const value = isNull ? null : plain(access.read.call(struct), defaults, leaf);
    // An assignment would set the prototype for `__proto__`, and fail for `constructor` where Object.prototype is frozen.
    if (schema.name in Object.prototype) {
      Object.defineProperty(object, schema.name, { value, writable: true, enumerable: true, configurable: true });
    } else object[schema.name] = value;
  }
  return object;
};

const base64 = (bytes: Uint8Array): string => {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
};
