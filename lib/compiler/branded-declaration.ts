import type { Brand, Type } from "../schema/node.ts";
import type { Expression } from "./ast.ts";
import type { BrandScope } from "./brands.ts";
import { unknownExpression } from "./expression-parser.ts";
import type { BuiltinName, ResolvedParameter, Resolver } from "./resolver.ts";

/** What an expression names, with the type arguments given on the way there. */
export type BrandedDeclaration =
  | {
      readonly which: "declaration";
      readonly declaration: Resolver;
      readonly brand: BrandScope;
      /** The brand of the alias that led here. */
      readonly aliasBrand?: Brand | undefined;
      /** What to point at in errors. */
      readonly source: Expression;
    }
  | (ResolvedParameter & { readonly source: Expression });

/** The source of what no expression spells out. */
export const unlocated = unknownExpression;

/** The types of the built-in names that stand for one. */
export const builtinTypes = {
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
  Capability: { which: "anyPointer", kind: "capability" },
} as const satisfies Partial<Record<BuiltinName, Type>>;
