import type { Arena } from "../serialization/arena.ts";
import { withinCallStack } from "../serialization/call-stack.ts";
import { List, type ListConstructor } from "../serialization/list.ts";
import { defaultNestingLimit } from "../serialization/read-limiter.ts";
import { wrongType } from "../serialization/scalar.ts";
import { AnyPointerReader } from "./any-pointer.ts";
import { discriminantOf } from "./assign.ts";
import { base64 } from "./byte-text.ts";
import {
  chargeBytes,
  chargeElements,
  chargeStruct,
  converting,
  defaultsPayer,
  valuesPerWord,
} from "./conversion-cost.ts";
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
 *
 * A message that was received pays for the result: a word of its traversal limit for each 8 values.
 */
export const toObject = (value: unknown, options: ToObjectOptions = {}): unknown => {
  if (!(value instanceof StructBase || value instanceof List)) throw wrongType("toObject", "a struct or a list", value);
  const leaf: Leaf =
    options.bytes === "base64" ? (one) => (one instanceof Uint8Array ? base64(one) : one) : (one) => one;
  const { arena } = value.$segment;
  return withinCallStack("This message", () =>
    converting(arena, () => plain(value, options.defaults === true, leaf, arena)),
  );
};

/** @param payer The message that is charged, also for default values, which lie in no message. */
const plain = (value: unknown, defaults: boolean, leaf: Leaf, payer: Arena): unknown => {
  if (value instanceof StructBase) return plainStruct(asReader(value), defaults, leaf, payer);
  if (value instanceof List) {
    const list = value as List<unknown>;
    if (isUnlimitedDefault(list, payer)) return plain(limited(list), defaults, leaf, defaultsPayer());
    chargeElements(
      payer,
      list.$length,
      list.$segment.arena === payer ? list.$length * list.$step * 8 : 0,
      valuesPerWord,
    );
    return list.map((one) => plain(one, defaults, leaf, payer));
  }
  if (value instanceof AnyPointerReader && value.isNull) return null;
  if (typeof value === "string" || value instanceof Uint8Array) chargeBytes(payer, value.length, false);
  return leaf(value);
};

/** Whether a list is a default value, in a message that is built and pays nothing: those may double at every level. */
const isUnlimitedDefault = (list: List<unknown>, payer: Arena): boolean =>
  list.$segment.arena !== payer && !Number.isFinite(payer.traversalLeft);

/** The same list with the nesting limit of a reader. */
const limited = (list: List<unknown>): List<unknown> => {
  const ListClass = list.constructor as ListConstructor<List<unknown>>;
  const { $segment, $start, $length, $step, $dataBytes, $pointerCount } = list;
  return new ListClass($segment, $start, $length, $step, $dataBytes, $pointerCount, defaultNestingLimit);
};

const plainStruct = (struct: StructReader, defaults: boolean, leaf: Leaf, payer: Arena): object => {
  const object: Record<string, unknown> = {};
  const { $dataBytes: dataBytes, $pointerCount: pointerCount } = struct;
  // A group lies where its struct lies, and a default value in no message: neither has words that pay for it.
  if (struct.$schema.isGroup || struct.$segment.arena !== payer) {
    chargeStruct(payer, struct.$fields.size, 0, 0, valuesPerWord);
  } else chargeStruct(payer, struct.$fields.size, dataBytes, pointerCount, valuesPerWord);
  const active = struct.$tag < 0 ? undefined : struct.$union[discriminantOf(struct)];
  for (const access of struct.$fields.values()) {
    const { schema } = access;
    if (schema.isUnionMember ? access !== active : !(defaults || access.has.call(struct))) continue;
    // An empty struct may hold an empty struct of the same type, without end.
    const isNull = schema.type.which === "struct" && !access.has.call(struct);
    const value = isNull ? null : plain(access.read.call(struct), defaults, leaf, payer);
    // An assignment would set the prototype for `__proto__`, and fail for `constructor` where Object.prototype is frozen.
    if (schema.name in Object.prototype) {
      Object.defineProperty(object, schema.name, { value, writable: true, enumerable: true, configurable: true });
    } else object[schema.name] = value;
  }
  return object;
};
