import { expect } from "chai";
import { get, init, set } from "../../lib/schema/operations.ts";
import type { FieldSchema, SchemaType, StructSchema } from "../../lib/schema/schema.ts";
import type { StructBase } from "../../lib/schema/struct-base.ts";
import type { Loose } from "./loose.ts";

/**
 * Structs with a value in each field that can be told from its ordinal, so that any version of the schema can check what
 * another wrote. A version knows the fields below `shared`, the number of ordinals that both have.
 */

/** The ordinal of a field; of a group that of its first member. */
const ordinalOf = ({ node, type }: FieldSchema): number => {
  if (node.ordinal !== undefined) return node.ordinal;
  return ordinalOf((type as { readonly schema: StructSchema }).schema.fields[0] as FieldSchema);
};

const exampleValue = (type: SchemaType, ordinal: number): unknown => {
  switch (type.which) {
    case "int32":
    case "uint32":
      return ordinal * 47327;
    case "float64":
      return ordinal * 313.25;
    case "int8":
      return (ordinal % 256) - 128;
    case "uint16":
      return ordinal * 13;
    case "bool":
      return ordinal % 2 === 0;
    case "text":
      return String(ordinal);
    case "enum":
      return type.schema.names[ordinal % type.schema.names.length];
    case "list":
      return [exampleValue(type.elementType, ordinal)];
    case "struct": {
      const first = type.schema.fields[0] as FieldSchema;
      return { [first.name]: exampleValue(first.type, ordinal) };
    }
    default:
      throw new Error(`no example of ${type.which}`);
  }
};

const checkValue = (value: Loose, type: SchemaType, ordinal: number): void => {
  if (type.which === "list") checkValue(value[0], type.elementType, ordinal);
  else if (type.which === "struct") {
    const first = type.schema.fields[0] as FieldSchema;
    checkValue(get(value, first), first.type, ordinal);
  } else expect(value).to.equal(exampleValue(type, ordinal));
};

/** Fields outside of the union, and the member of the union that is set: one that both versions have. */
const fieldsToSet = (schema: StructSchema, shared: number): FieldSchema[] => {
  const members = schema.unionFields.filter((field) => ordinalOf(field) < shared);
  const [first] = members;
  const member = first === undefined ? undefined : members[ordinalOf(first) % members.length];
  return member === undefined ? [...schema.nonUnionFields] : [...schema.nonUnionFields, member];
};

export const fillExample = (struct: StructBase, shared: number): void => {
  for (const field of fieldsToSet(struct.$schema, shared)) {
    if (field.isGroup) fillExample(init(struct, field) as StructBase, shared);
    else set(struct, field, exampleValue(field.type, ordinalOf(field)));
  }
};

export const checkExample = (struct: StructBase, shared: number): void => {
  for (const field of fieldsToSet(struct.$schema, shared)) {
    if (field.isGroup) checkExample(get(struct, field) as StructBase, shared);
    else if (ordinalOf(field) < shared) checkValue(get(struct, field), field.type, ordinalOf(field));
  }
};
