import type { LocatedText } from "./ast.ts";
import type { Brand } from "../schema/node.ts";

/** The names that every scope sees. `Object` is there for its error message only. */
export const builtinNames = [
  "Void",
  "Bool",
  "Int8",
  "Int16",
  "Int32",
  "Int64",
  "UInt8",
  "UInt16",
  "UInt32",
  "UInt64",
  "Float32",
  "Float64",
  "Text",
  "Data",
  "List",
  "Object",
  "AnyPointer",
  "AnyStruct",
  "AnyList",
  "Capability",
] as const;

export type BuiltinName = (typeof builtinNames)[number];

export type NodeKind = "file" | "struct" | "enum" | "interface" | "const" | "annotation";

/** A declaration that names can lead to: one that has an id and may hold others, or a built-in type. */
export interface Resolver {
  readonly id: bigint;
  readonly kind: NodeKind | BuiltinName;
  /** Number of its own type parameters. */
  readonly parameterCount: number;
  readonly parent: Resolver | undefined;
  /** The file it is in. */
  readonly file: Resolver;
  /** Looks `name` up here, then in each scope around, then among the built-in names. */
  resolve(name: string): Resolution | undefined;
  /** Looks `name` up among the members only. */
  resolveMember(name: string): Resolution | undefined;
  builtin(name: BuiltinName): Resolver;
  /** The declaration of an id that a resolved type carries. */
  byId(id: bigint): Resolver;
  /** The file behind `import "path"`; undefined where there is none. */
  resolveImport(path: string): Resolver | undefined;
}

export type Resolution =
  | {
      readonly which: "declaration";
      readonly declaration: Resolver;
      /** Id of the scope in which the name was found, 0n for the outermost. */
      readonly scopeId: bigint;
      /** Set where the name is an alias: its bindings, in terms of the scope that declares the alias. */
      readonly brand?: Brand | undefined;
    }
  | ResolvedParameter;

/** A type parameter of the scope `id`; an `id` of 0n stands for the implicit parameters of the method at hand. */
export interface ResolvedParameter {
  readonly which: "parameter";
  readonly id: bigint;
  readonly index: number;
}

/** The parameters that a method brings into sight. `scopeId` is the struct made for its parameter list; 0n outside of it. */
export interface ImplicitParameters {
  readonly scopeId: bigint;
  readonly names: readonly LocatedText[];
}

export const noImplicitParameters: ImplicitParameters = { scopeId: 0n, names: [] };
