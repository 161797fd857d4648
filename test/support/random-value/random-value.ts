import { AnyPointerReader } from "../../../lib/schema/any-pointer.ts";
import { adopt, disown } from "../../../lib/schema/disown.ts";
import { get, has, init, set } from "../../../lib/schema/operations.ts";
import { isPointerType, type SchemaType, type StructSchema } from "../../../lib/schema/schema.ts";
import { StructBase, type StructBuilder } from "../../../lib/schema/struct-base.ts";
import { List } from "../../../lib/serialization/list.ts";
import { type Loose, parseLoosely } from "../loose.ts";
import type { Random } from "../random-schema/random.ts";

/** What a random value may be made of besides its own type. */
export interface ValueOptions {
  /** How many levels of pointers it has at most. */
  readonly depth: number;
  /** Structs that AnyPointers may lead to. */
  readonly structs: readonly StructSchema[];
}

/** A plain object, as `newMessage` takes it; where an AnyPointer is, text, bytes, a struct or a list of a message of its own. */
export type Plain = Record<string, unknown>;

const texts = [
  "",
  "a",
  "seven c",
  "eight ch",
  "h\u00e9llo",
  "\u4e16\u754c \ud83d\ude00",
  "a\0b",
  "\ufeffmark",
  "quote \" ' \\ \n\t\x07\x7f",
  "a text of more than forty bytes, which take another way than short ones",
];
const specialFloats = [0, -0, 1.5, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e-320, 3.4e38];
const integers: Readonly<Record<string, readonly [bits: number, signed: boolean]>> = {
  int8: [8, true],
  int16: [16, true],
  int32: [32, true],
  int64: [64, true],
  uint8: [8, false],
  uint16: [16, false],
  uint32: [32, false],
  uint64: [64, false],
};

/** How many values one message may still get: types that hold lists of themselves grow fast. */
interface Budget {
  left: number;
}

export const randomStruct = (random: Random, schema: StructSchema, options: ValueOptions): Plain =>
  structValue(random, schema, options, { left: 120 });

const structValue = (random: Random, schema: StructSchema, options: ValueOptions, budget: Budget): Plain => {
  const plain: Plain = {};
  const member = random.chance(0.8) ? random.tryPick(schema.unionFields) : undefined;
  const fields = schema.nonUnionFields.filter(() => random.chance(0.7));
  for (const field of random.shuffled(member === undefined ? fields : [...fields, member])) {
    const { name, type } = field;
    const value =
      field.isGroup && type.which === "struct"
        ? structValue(random, type.schema, options, budget)
        : randomValue(random, type, options, budget);
    if (value !== undefined) plain[name] = value;
  }
  return plain;
};

/** Undefined where no pointer may be followed any more. */
const randomValue = (random: Random, type: SchemaType, options: ValueOptions, budget: Budget): unknown => {
  budget.left--;
  const integer = integers[type.which];
  if (integer !== undefined) return integerOf(random, ...integer);
  switch (type.which) {
    case "void":
      return null;
    case "bool":
      return random.chance(0.5);
    case "float32":
    case "float64": {
      if (random.chance(0.5)) return Math.fround(random.pick(specialFloats));
      // Eight digits tell a Float32 like this from its neighbours, which is what C++ prints.
      return type.which === "float32"
        ? (random.below(2 ** 16) - 2 ** 15) / 16
        : (random.below(2 ** 32) - 2 ** 31) / 1024;
    }
    case "text":
      return random.pick(texts);
    case "data":
      return Uint8Array.from({ length: random.pick([0, 1, 7, 8, 9, 30]) }, () => random.below(256));
    case "enum": {
      const { names } = type.schema;
      return random.chance(0.8) && names.length > 0 ? random.pick(names) : random.between(names.length, 0xffff);
    }
    case "list": {
      if (options.depth <= 0) return undefined;
      const { elementType } = type;
      const isTiny = elementType.which === "void" || elementType.which === "bool";
      const length = budget.left <= 0 ? 0 : isTiny ? random.pick([0, 1, 7, 8, 9, 65]) : random.below(5);
      const inner = { ...options, depth: options.depth - 1 };
      const elements = Array.from(
        { length },
        () => randomValue(random, elementType, inner, budget) ?? emptyOf(elementType),
      );
      return elements;
    }
    case "struct":
      if (options.depth <= 0 || budget.left <= 0) return undefined;
      return structValue(random, type.schema, { ...options, depth: options.depth - 1 }, budget);
    case "anyPointer":
      return options.depth <= 0 ? null : anyPointerOf(random, type.kind, options, budget);
    default:
      return null;
  }
};

const emptyOf = (type: SchemaType): unknown => (type.which === "list" ? [] : type.which === "struct" ? {} : null);

const integerOf = (random: Random, bits: number, signed: boolean): number | bigint => {
  const any = random.bits64();
  const least = signed ? -(1n << BigInt(bits - 1)) : 0n;
  const most = (1n << BigInt(signed ? bits - 1 : bits)) - 1n;
  const value = random.pick([0n, 1n, least, most, signed ? BigInt.asIntN(bits, any) : BigInt.asUintN(bits, any)]);
  return bits === 64 ? value : Number(value);
};

const lists = ((): StructSchema => {
  const types = ["Void", "Bool", "UInt8", "Int16", "Float32", "UInt64", "Text", "Lists", "List(Bool)"];
  const fields = types.map((type, i) => `f${i} @${i} :List(${type});`);
  return (parseLoosely(`struct Lists { ${fields.join(" ")} }`).Lists as Loose).schema as StructSchema;
})();

/** A value that says of what type it is. */
const anyPointerOf = (random: Random, kind: string, options: ValueOptions, budget: Budget): unknown => {
  const kinds = kind === "struct" || kind === "list" ? [kind] : ["null", "text", "data", "struct", "list"];
  const inner = { ...options, depth: options.depth - 1 };
  switch (kind === "capability" || budget.left <= 0 ? "null" : random.pick(kinds)) {
    case "text":
      return random.pick(texts);
    case "data":
      return Uint8Array.of(1, 2, random.below(256));
    case "struct": {
      const schema = random.pick([lists, ...options.structs]);
      return built(random, schema, structValue(random, schema, inner, budget));
    }
    case "list": {
      const field = random.pick(lists.fields);
      const value = randomValue(random, field.type, inner, budget);
      return value === undefined ? null : get(built(random, lists, { [field.name]: value }), field);
    }
    default:
      return null;
  }
};

/** A message with a struct as its root, built as a whole from a plain object or step by step. */
export const built = (
  random: Random,
  schema: StructSchema,
  plain: Plain,
  allocation?: { readonly firstSegmentWords: number; readonly allocation: "fixed" | "grow" },
): StructBuilder => {
  if (random.chance(0.4)) return schema.structClass.newMessage(plain, allocation) as unknown as StructBuilder;
  const message = schema.structClass.newMessage(undefined, allocation) as unknown as StructBuilder;
  fillStruct(random, message, plain);
  return message;
};

const fillStruct = (random: Random, struct: StructBuilder, plain: Plain): void => {
  for (const [name, value] of Object.entries(plain)) {
    const { type, isGroup } = struct.$schema.field(name);
    if (type.which === "struct" && (isGroup || random.chance(0.7))) {
      fillStruct(random, init(struct, name) as StructBuilder, value as Plain);
    } else if (type.which === "list" && random.chance(0.7)) {
      fillList(random, init(struct, name, (value as unknown[]).length) as Loose, type.elementType, value as unknown[]);
    } else if (type.which === "data" && random.chance(0.5)) {
      (init(struct, name, (value as Uint8Array).length) as Uint8Array).set(value as Uint8Array);
    } else {
      set(struct, name, value);
      // What is set twice leaves zeroes behind.
      if (random.chance(0.05)) set(struct, name, value);
    }
    // Taken out and put back, which from another segment takes two more words.
    if (isPointerType(type) && !isGroup && has(struct, name) && random.chance(0.3))
      adopt(struct, name, disown(struct, name));
  }
};

const fillList = (random: Random, list: Loose, type: SchemaType, elements: readonly unknown[]): void => {
  for (const [i, value] of elements.entries()) {
    if (type.which === "struct") fillStruct(random, list.at(i), value as Plain);
    else if (type.which === "list" && random.chance(0.5)) {
      fillList(random, list.init(i, (value as unknown[]).length), type.elementType, value as unknown[]);
    } else list.set(i, value);
  }
};

/** The path to a value that a plain object has and another one lacks; AnyPointers are not compared. */
export const missingIn = (all: unknown, some: unknown, path = ""): string | undefined => {
  if (some === null || some instanceof StructBase || some instanceof List || Object.is(all, some)) return undefined;
  if (all instanceof AnyPointerReader) return undefined;
  if (some instanceof Uint8Array) {
    return all instanceof Uint8Array && Buffer.compare(all, some) === 0 ? undefined : path;
  }
  if (typeof some !== "object" || typeof all !== "object" || all === null) return path;
  if (Array.isArray(some) && (all as unknown[]).length !== some.length) return path;
  for (const [name, value] of Object.entries(some)) {
    const missing = missingIn((all as Plain)[name], value, `${path}.${name}`);
    if (missing !== undefined) return missing;
  }
  return undefined;
};
