import { CapnpError } from "../errors.ts";
import type { PointerKind } from "../serialization/pointer-list.ts";
import { describeValue } from "../serialization/scalar.ts";
import { enumSchemaOf } from "./enum-class.ts";
import { kindOf, typeName } from "./kind-of.ts";
import { InterfaceSchema, type SchemaType, StructSchema } from "./schema.ts";
import type * as typed from "./typed-any-pointer.ts";

const named: Readonly<Record<string, SchemaType>> = {
  Void: { which: "void" },
  Bool: { which: "bool" },
  Int8: { which: "int8" },
  Int16: { which: "int16" },
  Int32: { which: "int32" },
  Int64: { which: "int64" },
  UInt8: { which: "uint8" },
  UInt16: { which: "uint16" },
  UInt32: { which: "uint32" },
  UInt64: { which: "uint64" },
  Float32: { which: "float32" },
  Float64: { which: "float64" },
  Text: { which: "text" },
  Data: { which: "data" },
  AnyPointer: { which: "anyPointer", kind: "unconstrained" },
  AnyStruct: { which: "anyPointer", kind: "struct" },
  AnyList: { which: "anyPointer", kind: "list" },
};

/** `Text`, `Data` and `AnyPointer` as arguments of `of` and `listOf`; as types, arguments of generic types. */
export const Text = "Text";
export const Data = "Data";
export const AnyPointer = "AnyPointer";
/** A struct or list of any type, for `AnyPointer.as`, `listOf` and reading messages. */
export const AnyStruct = "AnyStruct";
export const AnyList = "AnyList";
export type Text = typed.Text;
export type Data = typed.Data;
export type AnyPointer = typed.AnyPointer;
export type AnyStruct = typed.AnyStruct;
export type AnyList = typed.AnyList;

/** A list type, for `AnyPointer.as` and as a type argument. */
export class ListType {
  readonly type: SchemaType & { readonly which: "list" };
  #kind: PointerKind | undefined;

  constructor(elementType: SchemaType) {
    this.type = { which: "list", elementType };
  }

  get elementType(): SchemaType {
    return this.type.elementType;
  }

  /** As schemas spell it. */
  get name(): string {
    return typeName(this.type);
  }

  /** @internal */
  get $kind(): PointerKind {
    this.#kind ??= kindOf(this.type);
    return this.#kind;
  }
}

/** The type `List(element)`: `listOf(Person)`, `listOf("UInt32")`, `listOf(listOf(Text))`. */
export const listOf: {
  <A extends typed.ElementArgument>(element: A): ListType & typed.ListOf<typed.ElementFor<A>>;
  (element: object): ListType;
} = <A extends typed.ElementArgument>(element: unknown) =>
  new ListType(typeOfArgument(element)) as ListType & typed.ListOf<typed.ElementFor<A>>;

/** The type that a struct, enum or interface class, a list type or the name of a built-in type stands for. */
export const typeOfArgument = (argument: unknown): SchemaType => {
  if (typeof argument === "string" && Object.hasOwn(named, argument)) return named[argument] as SchemaType;
  if (argument instanceof ListType) return argument.type;
  const enumSchema = enumSchemaOf(argument);
  if (enumSchema !== undefined) return { which: "enum", schema: enumSchema };
  if ((typeof argument === "object" && argument !== null) || typeof argument === "function") {
    const { schema } = argument as { readonly schema?: unknown };
    if (schema instanceof StructSchema) return { which: "struct", schema };
    if (schema instanceof InterfaceSchema) return { which: "interface", schema };
  }
  throw new CapnpError(
    "CAPNP_TYPE",
    `${describeValue(argument)} is not a type: pass a struct, enum or interface class, listOf(...) or a name such as "Text".`,
  );
};
