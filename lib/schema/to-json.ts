import { withinCallStack } from "../serialization/call-stack.ts";
import { List } from "../serialization/list.ts";
import type { Struct } from "../serialization/struct.ts";
import { base64, hex } from "./byte-text.ts";
import { converting } from "./conversion-cost.ts";
import { type Fold, foldStruct, type Member } from "./fold.ts";
import {
  type DataEncoding,
  type Discriminator,
  jsonEnumerant,
  type JsonField,
  jsonStructOf,
} from "./json-annotations.ts";
import type { StructSchema } from "./schema.ts";
import { StructBase } from "./struct-base.ts";

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/**
 * A struct as `JSON.stringify` takes it, as the JSON codec of C++ writes it: 64-bit integers are text, as are NaN and the
 * infinities; Data is an array of numbers, Void is null. Pointers that are null are left out. The annotations of json.capnp are
 * obeyed. Capabilities and AnyPointers have no form in JSON and are left out.
 */
const structToJson = (struct: Struct, schema: StructSchema): Json =>
  withinCallStack("This message", () =>
    converting(struct.$segment.arena, () => foldStruct(struct, schema, folds.array)),
  ) as Json;

/** What `JSON.stringify` asks structs and lists for. */
export const toJSON = (value: unknown): unknown => {
  if (value instanceof StructBase) return structToJson(value, value.$schema);
  if (value instanceof List) return converting(value.$segment.arena, () => (value as List<unknown>).map(toJSON));
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  if (value instanceof Uint8Array) return Array.from(value);
  // A capability or an AnyPointer.
  return typeof value === "object" ? null : value;
};

/** Undefined for what has no form in JSON. */
type Maybe = Json | undefined;

const withoutForm = (): undefined => undefined;

const foldWith = (dataAs: DataEncoding, discriminator?: Discriminator): Fold<Maybe> => ({
  void: () => null,
  bool: (value) => value,
  integer: (value) => (typeof value === "bigint" ? value.toString() : value),
  float: (value) => (Number.isFinite(value) ? value : String(value)),
  text: (value) => value,
  data: (value) => encodeData(value, dataAs),
  enumerant: (schema, ordinal) => jsonEnumerant(schema, ordinal) ?? ordinal,
  list: (elements) => elements.map((element) => element ?? null),
  struct: (members, schema) => {
    const object: Record<string, Json> = {};
    addMembers(object, "", members, schema, discriminator);
    return object;
  },
  capability: withoutForm,
  anyPointer: withoutForm,
});

const folds: Readonly<Record<DataEncoding, Fold<Maybe>>> = {
  array: foldWith("array"),
  base64: foldWith("base64"),
  hex: foldWith("hex"),
};

const put = (object: Record<string, Json>, name: string, value: Json): void => {
  // Not an assignment: of the name `__proto__` that would set the prototype.
  Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
};

/** Adds the members of a struct to an object, which is that of the struct around it where it is flattened. */
const addMembers = (
  object: Record<string, Json>,
  prefix: string,
  members: readonly Member[],
  schema: StructSchema,
  ofUnion: Discriminator | undefined,
): void => {
  const { fields, discriminator = ofUnion } = jsonStructOf(schema);
  for (const member of members) {
    const json = fields.get(member.field) as JsonField;
    const tagged = member.field.isUnionMember ? discriminator : undefined;
    if (tagged !== undefined) put(object, prefix + tagged.name, json.name);
    if (json.flattenPrefix !== undefined) {
      const inner = prefix + json.flattenPrefix;
      member.fold(flattening(object, inner, json.discriminator));
      continue;
    }
    // The tag says all that there is to say of a member without a value.
    if (tagged !== undefined && member.field.type.which === "void") continue;
    const fold = json.discriminator === undefined ? folds[json.dataAs] : foldWith(json.dataAs, json.discriminator);
    const value = member.fold(fold);
    if (value !== undefined) put(object, prefix + (tagged?.valueName ?? json.name), value);
  }
};

/** Folds a struct into the object of the struct around it. */
const flattening = (
  object: Record<string, Json>,
  prefix: string,
  discriminator: Discriminator | undefined,
): Fold<Maybe> => ({
  ...folds.array,
  struct: (members, schema) => {
    addMembers(object, prefix, members, schema, discriminator);
    return undefined;
  },
});

const encodeData = (bytes: Uint8Array, dataAs: DataEncoding): Json => {
  if (dataAs === "array") return Array.from(bytes);
  if (dataAs === "hex") return hex(bytes);
  return base64(bytes);
};
