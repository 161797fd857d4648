import { defaultSegment } from "../serialization/struct.ts";
import { enumClassOf } from "./enum-class.ts";
import { kindOf } from "./kind-of.ts";
import { defineNested } from "./nested.ts";
import type { Value } from "./node.ts";
import type { ConstSchema, FileSchema, Schema, SchemaType } from "./schema.ts";
import { unlimitedNesting } from "../serialization/read-limiter.ts";

/**
 * What a schema is at run time: the class of a struct or interface, the names of an enum, the value of a constant, the
 * id of an annotation, and for a file an object with what it declares. What is declared within a struct or interface is a
 * property of its class.
 */
export const declarationOf = (schema: Schema): unknown => {
  switch (schema.which) {
    case "struct":
      return schema.structClass;
    case "interface":
      return schema.interfaceClass;
    case "enum":
      return enumClassOf(schema);
    case "const":
      return constantValue(schema);
    case "annotation":
      return schema.id;
    case "file":
      return fileObject(schema);
  }
};

const files = new WeakMap<FileSchema, object>();

const fileObject = (schema: FileSchema): object => {
  let file = files.get(schema);
  if (file === undefined) {
    file = defineNested(Object.create(null) as object, schema);
    files.set(schema, file);
  }
  return file;
};

/** A constant as a JavaScript value; structs and lists are readers. */
const constantValue = ({ type, value }: ConstSchema): unknown => decodeValue(type, value);

/** A value of a schema as a JavaScript value; structs and lists are readers. */
export const decodeValue = (type: SchemaType, value: Value): unknown => {
  switch (value.which) {
    case "void":
    case "interface":
      return null;
    case "enum":
      return type.which === "enum" ? (type.schema.names[value.value] ?? value.value) : value.value;
    case "struct":
    case "list":
    case "anyPointer":
      return kindOf(type).read(defaultSegment(value.value), 0, unlimitedNesting);
    case "data":
      return value.value.slice();
    default:
      return value.value;
  }
};
