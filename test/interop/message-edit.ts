import { clear, get, has, set } from "../../lib/schema/operations.ts";
import type { SchemaType } from "../../lib/schema/schema.ts";
import type { StructBuilder } from "../../lib/schema/struct-base.ts";
import type { Loose } from "../support/loose.ts";

/** Another value of a type that is not made of others; as it was for what has none. Test/interop/cpp/message-edit.h does the same. */
const changed = (type: SchemaType, value: unknown): unknown => {
  switch (type.which) {
    case "bool":
      return value !== true;
    case "float32":
    case "float64":
      return 1.5;
    case "int8":
    case "int16":
    case "int32":
    case "uint8":
    case "uint16":
      return (value as number) ^ 1;
    case "uint32":
      return ((value as number) ^ 1) >>> 0;
    case "int64":
    case "uint64":
      return (value as bigint) ^ 1n;
    case "enum":
      return 0;
    case "text":
      return "edited";
    case "data":
      return Uint8Array.of(1, 2, 3);
    default:
      return value;
  }
};

const isOfPointers = (type: SchemaType): boolean =>
  type.which === "list" ? isOfPointers(type.elementType) : type.which === "anyPointer" || type.which === "interface";

/**
 * Changes every value that is there. Structs that are not there are made where `depth` is 0. With `switches` the last member
 * of each union becomes the active one first.
 */
export const changeStruct = (struct: StructBuilder, depth: number, switches: boolean): void => {
  const schema = struct.$schema;
  const last = schema.unionFields.at(-1);
  if (switches && last !== undefined) clear(struct, last);
  for (const field of schema.fields) {
    const { type } = field;
    if (field.isUnionMember && (struct as Loose).$union[tagOf(struct)]?.schema !== field) continue;
    if (field.isGroup) changeStruct(get(struct, field) as StructBuilder, depth, switches);
    else if (type.which === "struct") {
      if (depth === 0 || has(struct, field)) changeStruct(get(struct, field) as StructBuilder, depth + 1, switches);
    } else if (isOfPointers(type)) continue;
    else if (type.which === "text" || type.which === "data") {
      if (has(struct, field)) set(struct, field, changed(type, undefined));
    } else if (type.which === "list") {
      if (has(struct, field)) changeList(get(struct, field) as Loose, type.elementType, depth + 1, switches);
    } else if (type.which !== "void") set(struct, field, changed(type, get(struct, field)));
  }
};

const tagOf = (struct: StructBuilder): number => struct.$segment.view.getUint16(struct.$data + struct.$tag, true);

const changeList = (list: Loose, type: SchemaType, depth: number, switches: boolean): void => {
  for (let i = 0; i < list.length; i++) {
    if (type.which === "struct") changeStruct(list.at(i), depth + 1, switches);
    else if (type.which === "list") changeList(list.at(i), type.elementType, depth + 1, switches);
    else if (type.which !== "void") list.set(i, changed(type, list.at(i)));
  }
};
