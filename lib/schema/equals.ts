import { withinCallStack } from "../serialization/call-stack.ts";
import { type Comparison, comparePointers, compareStructs } from "../serialization/compare.ts";
import { List } from "../serialization/list.ts";
import { Struct } from "../serialization/struct.ts";
import { AnyListReader } from "./any-list.ts";
import { AnyPointerReader } from "./any-pointer.ts";
import { copy } from "./operations.ts";
import { StructBase } from "./struct-base.ts";

/**
 * Whether two structs, lists, AnyPointers, AnyStructs or AnyLists have equal content, however it lies in their messages. Numbers are compared bit by bit:
 * NaN equals NaN where the bits do, and 0 differs from -0. Undefined where it depends on capabilities: whether two of them
 * are the same cannot be told, unless they are one object.
 */
export const equals = (a: unknown, b: unknown): boolean | undefined => {
  switch (withinCallStack("One of these messages", () => compare(a, b))) {
    case "equal":
      return true;
    case "different":
      return false;
    case "unknown":
      return undefined;
  }
};

const compare = (a: unknown, b: unknown): Comparison => {
  if (a instanceof Struct && b instanceof Struct) return compareStructs(whole(a), whole(b));
  if (a instanceof List && b instanceof List) return compareLists(a as List<unknown>, b as List<unknown>);
  if (
    (a instanceof AnyPointerReader && b instanceof AnyPointerReader) ||
    (a instanceof AnyListReader && b instanceof AnyListReader)
  ) {
    return comparePointers(a.$segment, a.$position, a.$depth, b.$segment, b.$position, b.$depth);
  }
  if (a instanceof Uint8Array && b instanceof Uint8Array) {
    return a.length === b.length && a.every((byte, i) => byte === b[i]) ? "equal" : "different";
  }
  if (Object.is(a, b)) return "equal";
  return isOpaque(a) && isOpaque(b) ? "unknown" : "different";
};

/** A capability: no kind of value that could be looked into. */
const isOpaque = (value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  !(value instanceof Struct || value instanceof List || value instanceof AnyPointerReader) &&
  !(value instanceof AnyListReader) &&
  !ArrayBuffer.isView(value);

/** A group lies in its struct among other fields: its own are compared in a copy. */
const whole = (struct: Struct): Struct =>
  struct instanceof StructBase && struct.$schema.isGroup ? copy(struct) : struct;

const compareLists = (a: List<unknown>, b: List<unknown>): Comparison => {
  if (a.length !== b.length) return "different";
  let result: Comparison = "equal";
  for (let i = 0; i < a.length; i++) {
    const one = compare(a.$at(i), b.$at(i));
    if (one === "different") return one;
    if (one === "unknown") result = one;
  }
  return result;
};
