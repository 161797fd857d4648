import { CapnpError } from "../errors.ts";
import { defaultNestingLimit, nestingLimitExceeded } from "../serialization/read-limiter.ts";
import { wrongType } from "../serialization/scalar.ts";
import { fromBase64, fromHex } from "./byte-text.ts";
import {
  type DataEncoding,
  type Discriminator,
  jsonEnumerant,
  type JsonField,
  jsonStructOf,
} from "./json-annotations.ts";
import { typeName } from "./kind-of.ts";
import type { FieldSchema, SchemaType, StructSchema } from "./schema.ts";
import type { StructBuilder } from "./struct-base.ts";
import type { StructClass } from "./struct-class.ts";

export interface FromJsonOptions {
  /** How deep structs and lists may nest. Attack: text of a million brackets. Default: 64. */
  readonly nestingLimit?: number;
}

/** The fields of a struct as `newMessage` takes them. It has no prototype: a field may have any name. */
export type PlainStruct = Record<string, unknown>;

/**
 * Reads JSON as the JSON codec of C++ does: what {@link structToJson} writes, and besides numbers as text and enumerants as
 * numbers. Members that the struct does not have are ignored. The result is what `newMessage` takes, which checks the values.
 *
 * Throws CAPNP_PARSE where the text is not JSON, CAPNP_TYPE where a value cannot be of its field's type, CAPNP_NESTING_LIMIT.
 */
const plainFromJson = (schema: StructSchema, text: string, options?: FromJsonOptions): PlainStruct => {
  if (typeof text !== "string") throw wrongType("fromJSON", "a string", text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new CapnpError("CAPNP_PARSE", `This is not JSON: ${(cause as Error).message}`, { cause });
  }
  const depth = options?.nestingLimit ?? defaultNestingLimit;
  return structFrom(schema, objectOf(value, schema.path), "", undefined, depth);
};

/** A new message with the struct that JSON describes as its root. See {@link plainFromJson}. */
export const fromJSON = (type: StructClass, text: string, options?: FromJsonOptions): StructBuilder =>
  type.newMessage(plainFromJson(type.schema, text, options));

type JsonObject = Readonly<Record<string, unknown>>;

const objectOf = (value: unknown, where: string): JsonObject => {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw wrongType(where, "a JSON object", value);
};

/** @param prefix In front of the names of its members, which stand in the object of the struct around it. */
const structFrom = (
  schema: StructSchema,
  object: JsonObject,
  prefix: string,
  ofUnion: Discriminator | undefined,
  depth: number,
): PlainStruct => {
  if (depth <= 0) throw nestingLimitExceeded();
  const { fields, discriminator = ofUnion } = jsonStructOf(schema);
  const plain: PlainStruct = Object.create(null) as PlainStruct;
  const tag = discriminator === undefined ? undefined : object[prefix + discriminator.name];
  for (const json of fields.values()) {
    const { field } = json;
    const isTagged = field.isUnionMember && discriminator !== undefined;
    if (isTagged && json.name !== tag) continue;
    const value = memberFrom(json, object, prefix, isTagged ? discriminator.valueName : undefined, depth);
    if (value !== undefined) plain[field.name] = value;
    else if (isTagged) plain[field.name] = emptyValue(field);
  }
  return plain;
};

/** A field's value; undefined where the object does not have it. */
const memberFrom = (
  json: JsonField,
  object: JsonObject,
  prefix: string,
  valueName: string | undefined,
  depth: number,
): unknown => {
  const { field, name, flattenPrefix, discriminator, dataAs } = json;
  if (flattenPrefix !== undefined && field.type.which === "struct") {
    const inner = structFrom(field.type.schema, object, prefix + flattenPrefix, discriminator, depth - 1);
    return Object.keys(inner).length > 0 ? inner : undefined;
  }
  const key = prefix + (valueName ?? name);
  if (!Object.hasOwn(object, key)) return undefined;
  return valueFrom(field.type, object[key], field.path, dataAs, discriminator, depth);
};

/** What a member of a union is set to that only its tag mentions. */
const emptyValue = (field: FieldSchema): unknown => {
  const { type, defaultValue } = field;
  if (type.which === "struct") return Object.create(null);
  return defaultValue !== undefined && "value" in defaultValue && !(defaultValue.value instanceof Uint8Array)
    ? defaultValue.value
    : null;
};

const valueFrom = (
  type: SchemaType,
  value: unknown,
  where: string,
  dataAs: DataEncoding,
  discriminator: Discriminator | undefined,
  depth: number,
): unknown => {
  switch (type.which) {
    case "void":
    case "bool":
    case "text":
      return value;
    case "float32":
    case "float64":
      return value === null ? Number.NaN : floatFrom(value);
    case "enum": {
      const { schema } = type;
      if (typeof value !== "string") return value;
      const ordinal = schema.names.findIndex((_, i) => jsonEnumerant(schema, i) === value);
      return ordinal < 0 ? value : ordinal;
    }
    case "data":
      return value === null ? null : dataFrom(value, where, dataAs);
    case "struct":
      if (value === null) return null;
      return structFrom(type.schema, objectOf(value, where), "", discriminator, depth - 1);
    case "list":
      if (value === null) return null;
      if (!Array.isArray(value)) throw wrongType(where, `a JSON array (${typeName(type)})`, value);
      if (depth <= 0) throw nestingLimitExceeded();
      return value.map((one) =>
        valueFrom(type.elementType, one, `An element of ${where}`, "array", undefined, depth - 1),
      );
    case "interface":
    case "anyPointer":
      if (value === null) return null;
      throw new CapnpError("CAPNP_TYPE", `${where} is of type ${typeName(type)}, which has no form in JSON.`);
    default:
      return integerFrom(value);
  }
};

/** No integer of 64 bits has more digits; of longer text no bigint is made, as that takes time that grows with its square. */
const integerText = /^-?\d{1,20}$/;

const integerFrom = (value: unknown): unknown =>
  typeof value === "string" && integerText.test(value) ? BigInt(value) : value;

const floatText = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

const floatFrom = (value: unknown): unknown => {
  switch (value) {
    case "NaN":
      return Number.NaN;
    case "Infinity":
      return Number.POSITIVE_INFINITY;
    case "-Infinity":
      return Number.NEGATIVE_INFINITY;
    default:
      return typeof value === "string" && floatText.test(value) ? Number(value) : value;
  }
};

const dataFrom = (value: unknown, where: string, dataAs: DataEncoding): Uint8Array => {
  switch (dataAs) {
    case "array":
      if (!Array.isArray(value) || !value.every(isByte)) throw wrongType(where, "a JSON array of bytes (Data)", value);
      return Uint8Array.from(value);
    case "hex": {
      const bytes = typeof value === "string" ? fromHex(value) : undefined;
      if (bytes === undefined) throw wrongType(where, "hexadecimal text (Data)", value);
      return bytes;
    }
    case "base64": {
      const bytes = typeof value === "string" ? fromBase64(value) : undefined;
      if (bytes === undefined) throw wrongType(where, "base64 text (Data)", value);
      return bytes;
    }
  }
};

const isByte = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 0xff;
