import { defaultSegment, readStruct, Struct } from "../serialization/struct.ts";
import { readText } from "../serialization/text.ts";
import type { Annotation } from "./node.ts";
import type { EnumSchema, FieldSchema, StructSchema } from "./schema.ts";

/** Annotations of json.capnp. */
const nameId = 0xfa5b1fd61c2e7c3dn;
const flattenId = 0x82d3e852af0336bfn;
const discriminatorId = 0xcfa794e8d19a0162n;
const base64Id = 0xd7d879450a253e4bn;
const hexId = 0xf061e22f0ae5c7b5n;

/** How the active member of a union is told: by the value of a member of its own. */
export interface Discriminator {
  readonly name: string;
  /** The name under which every member's value stands; undefined: each under its own. */
  readonly valueName: string | undefined;
}

/** How a field appears in JSON. */
export interface JsonField {
  readonly field: FieldSchema;
  readonly name: string;
  /** What the names of its members get in front, where they stand among those of the struct around it. */
  readonly flattenPrefix: string | undefined;
  readonly dataAs: DataEncoding;
  /** Of a union with a name. */
  readonly discriminator: Discriminator | undefined;
}

export type DataEncoding = "array" | "base64" | "hex";

/** How a struct appears in JSON. */
export interface JsonStruct {
  readonly fields: ReadonlyMap<FieldSchema, JsonField>;
  /** Of the unnamed union. */
  readonly discriminator: Discriminator | undefined;
}

const find = (annotations: readonly Annotation[], id: bigint): Annotation | undefined =>
  annotations.find((one) => one.id === id);

/** The text members of an annotation whose value is a struct of texts; empty ones are undefined. */
const textsOf = (annotation: Annotation, count: number): (string | undefined)[] => {
  const { value } = annotation;
  if (value.which !== "struct" || value.value.length < 8) return Array<undefined>(count).fill(undefined);
  const { $segment, $data, $dataBytes, $pointerCount } = readStruct(Struct, defaultSegment(value.value), 0, 8);
  return Array.from({ length: count }, (_, i) =>
    i < $pointerCount ? readText($segment, $data + $dataBytes + i * 8, "") || undefined : undefined,
  );
};

const discriminatorOf = (
  annotations: readonly Annotation[],
  unionName: string | undefined,
): Discriminator | undefined => {
  const annotation = find(annotations, discriminatorId);
  if (annotation === undefined) return undefined;
  const [name, valueName] = textsOf(annotation, 2);
  const tagName = name ?? unionName;
  return tagName === undefined ? undefined : { name: tagName, valueName };
};

const renamed = (annotations: readonly Annotation[], name: string): string => {
  const value = find(annotations, nameId)?.value;
  return value?.which === "text" ? value.value : name;
};

const jsonField = (field: FieldSchema): JsonField => {
  const { annotations } = field;
  const name = renamed(annotations, field.node.name);
  const flatten = field.type.which === "struct" ? find(annotations, flattenId) : undefined;
  return {
    field,
    name,
    flattenPrefix: flatten === undefined ? undefined : (textsOf(flatten, 1)[0] ?? ""),
    dataAs:
      find(annotations, base64Id) !== undefined ? "base64" : find(annotations, hexId) !== undefined ? "hex" : "array",
    discriminator: field.isGroup ? discriminatorOf(annotations, flatten === undefined ? undefined : name) : undefined,
  };
};

const known = new WeakMap<StructSchema, JsonStruct>();

export const jsonStructOf = (schema: StructSchema): JsonStruct => {
  let struct = known.get(schema);
  if (struct === undefined) {
    struct = {
      fields: new Map(schema.fields.map((field) => [field, jsonField(field)])),
      discriminator: discriminatorOf(schema.annotations, undefined),
    };
    known.set(schema, struct);
  }
  return struct;
};

/** The name of an enumerant in JSON. */
export const jsonEnumerant = (schema: EnumSchema, ordinal: number): string | undefined => {
  const enumerant = schema.enumerants[ordinal];
  return enumerant === undefined ? undefined : renamed(enumerant.annotations, enumerant.name);
};
