import { defaultNestingLimit, nestingLimitExceeded } from "../serialization/read-limiter.ts";
import { decodeText } from "../serialization/blob.ts";
import { wrongType } from "../serialization/scalar.ts";
import { typeName } from "./kind-of.ts";
import { noSuchField, type SchemaType, type StructSchema } from "./schema.ts";
import type { StructBuilder } from "./struct-base.ts";
import type { StructClass } from "./struct-class.ts";
import { type Literal, TextReader } from "./text-reader.ts";

export interface FromTextOptions {
  /** How deep structs and lists may nest. Attack: text of a million brackets. Default: 64. */
  readonly nestingLimit?: number;
}

/**
 * Reads a struct in Cap'n Proto text, such as `(id = 123, name = "Alice")`: what `formatText` and `capnp decode` write. The
 * result is what `newMessage` takes, which checks that the values fit.
 *
 * Throws CAPNP_PARSE where the text is something else, CAPNP_NO_SUCH_FIELD, CAPNP_NESTING_LIMIT.
 */
const plainFromText = (schema: StructSchema, text: string, options?: FromTextOptions): Record<string, unknown> => {
  if (typeof text !== "string") throw wrongType("fromText", "a string", text);
  const reader = new TextReader(text);
  const plain = structFrom(reader, schema, options?.nestingLimit ?? defaultNestingLimit);
  if (!reader.isAtEnd) throw reader.error(`expected nothing after ${schema.path}`);
  return plain;
};

/** A new message with the struct that Cap'n Proto text describes as its root. See {@link plainFromText}. */
export const fromText = (type: StructClass, text: string, options?: FromTextOptions): StructBuilder =>
  type.newMessage(plainFromText(type.schema, text, options));

const structFrom = (reader: TextReader, schema: StructSchema, depth: number): Record<string, unknown> => {
  if (depth <= 0) throw nestingLimitExceeded();
  const plain = Object.create(null) as Record<string, unknown>;
  reader.expect("(", schema.path);
  if (reader.takes(")")) return plain;
  let activeMember: string | undefined;
  do {
    const name = reader.name(schema.path);
    const field = schema.fields.find(({ node }) => node.name === name);
    if (field === undefined) throw noSuchField(schema, name);
    if (Object.hasOwn(plain, field.name)) throw reader.error(`${field.path} has two values`);
    if (field.isUnionMember) {
      if (activeMember !== undefined) {
        throw reader.error(`${field.path} and ${activeMember} are members of one union, of which only one can be set`);
      }
      activeMember = name;
    }
    reader.expect("=", field.path);
    plain[field.name] = valueFrom(reader, field.type, field.path, depth);
    // A comma may stand behind the last member, too.
  } while (reader.takes(",") && !reader.sees(")"));
  reader.expect(")", schema.path);
  return plain;
};

const valueFrom = (reader: TextReader, type: SchemaType, where: string, depth: number): unknown => {
  switch (type.which) {
    case "struct":
      return structFrom(reader, type.schema, depth - 1);
    case "list":
      return listFrom(reader, type.elementType, where, depth - 1);
    case "enum":
      return enumerantFrom(reader, where);
    case "interface":
    case "anyPointer":
      throw reader.error(`${where} is of type ${typeName(type)}, which cannot be written as text`);
    default:
      return scalarFrom(reader, type, reader.literal(where), where);
  }
};

const listFrom = (reader: TextReader, element: SchemaType, where: string, depth: number): unknown[] => {
  if (depth <= 0) throw nestingLimitExceeded();
  const elements: unknown[] = [];
  reader.expect("[", where);
  if (reader.takes("]")) return elements;
  do elements.push(valueFrom(reader, element, where, depth));
  while (reader.takes(",") && !reader.sees("]"));
  reader.expect("]", where);
  return elements;
};

/** A name, or a number in parentheses: an enumerant that the writer's schema did not know. */
const enumerantFrom = (reader: TextReader, where: string): unknown => {
  if (!reader.takes("(")) return reader.name(where);
  const literal = reader.literal(where);
  reader.expect(")", where);
  if (literal.which !== "number") throw reader.error(`${where}: expected the number of an enumerant`);
  return Number(literal.text);
};

const scalarFrom = (reader: TextReader, type: SchemaType, literal: Literal, where: string): unknown => {
  const value = literalAs(type, literal);
  if (value === undefined) throw reader.error(`${where}: expected a value of type ${typeName(type)} before this`);
  return value;
};

const words: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  void: { void: null },
  bool: { true: true, false: false },
  float: { inf: Number.POSITIVE_INFINITY, "-inf": Number.NEGATIVE_INFINITY, nan: Number.NaN },
};

const wordAs = (type: string, word: string): unknown => {
  const known = words[type];
  return known !== undefined && Object.hasOwn(known, word) ? known[word] : undefined;
};

/** Undefined where the literal is not one of that type. */
const literalAs = ({ which }: SchemaType, literal: Literal): unknown => {
  switch (which) {
    case "void":
    case "bool":
      return literal.which === "name" ? wordAs(which, literal.text) : undefined;
    case "float32":
    case "float64":
      if (literal.which === "name") return wordAs("float", literal.text);
      return literal.which === "number" ? floatOf(literal.text) : undefined;
    case "text":
      return literal.which === "bytes" ? decodeText(literal.bytes, 0, literal.bytes.length) : undefined;
    case "data":
      return literal.which === "bytes" ? literal.bytes : undefined;
    default:
      return literal.which === "number" ? integerOf(literal.text) : undefined;
  }
};

/** No integer of 64 bits is longer, even in octal; of longer text no bigint is made, as that takes time that grows with its square. */
const longestInteger = 24;

/** Undefined for text that is no integer: `1.5`, or 30 digits. */
const integerOf = (text: string): bigint | undefined => {
  const isNegative = text.startsWith("-");
  const digits = isNegative ? text.slice(1) : text;
  if (digits.length > longestInteger || !/^(0[xX][0-9a-fA-F]+|\d+)$/.test(digits)) return undefined;
  const isOctal = /^0[0-7]+$/.test(digits);
  const value = BigInt(isOctal ? `0o${digits}` : digits);
  return isNegative ? -value : value;
};

const floatOf = (text: string): number => {
  const whole = integerOf(text);
  return whole === undefined ? Number(text) : Number(whole);
};
