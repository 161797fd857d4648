/**
 * Compiled schema nodes as plain objects: the structures of schema.capnp, member for member. This is what the compiler
 * makes, what generated code embeds (encoded) and what the class builder reads.
 *
 * A union of schema.capnp reads as an object with a `which` and only that member's fields. Lists are arrays, ids bigints.
 */
export interface Node {
  readonly id: bigint;
  /** `path/file.capnp:Outer.Inner`, as given to the compiler; for people, never for identity. */
  readonly displayName: string;
  /** Length of the part of `displayName` before the node's own name, in characters. */
  readonly displayNamePrefixLength: number;
  /** Id of the enclosing node; 0n for a file. */
  readonly scopeId: bigint;
  /** Names of this node's own type parameters. */
  readonly parameters: readonly { readonly name: string }[];
  /** True where this node or a scope around it has type parameters. */
  readonly isGeneric: boolean;
  readonly nestedNodes: readonly { readonly name: string; readonly id: bigint }[];
  readonly annotations: readonly Annotation[];
  readonly body: NodeBody;
}

export type NodeBody = FileBody | StructBody | EnumBody | InterfaceBody | ConstBody | AnnotationBody;

export interface FileBody {
  readonly which: "file";
}

export interface StructBody {
  readonly which: "struct";
  /** Size of the data section, in words. */
  readonly dataWordCount: number;
  readonly pointerCount: number;
  readonly preferredListEncoding: ElementSize;
  readonly isGroup: boolean;
  /** Number of fields in the struct's unnamed union; 0 where there is none. */
  readonly discriminantCount: number;
  /** Offset of the union's tag, in units of 16 bits. */
  readonly discriminantOffset: number;
  /** In order of ordinals; unions and groups by their lowest ordinal. */
  readonly fields: readonly Field[];
}

export type ElementSize =
  | "empty"
  | "bit"
  | "byte"
  | "twoBytes"
  | "fourBytes"
  | "eightBytes"
  | "pointer"
  | "inlineComposite";

export interface EnumBody {
  readonly which: "enum";
  readonly enumerants: readonly Enumerant[];
}

export interface InterfaceBody {
  readonly which: "interface";
  readonly methods: readonly Method[];
  readonly superclasses: readonly { readonly id: bigint; readonly brand: Brand }[];
}

export interface ConstBody {
  readonly which: "const";
  readonly type: Type;
  readonly value: Value;
}

export interface AnnotationBody {
  readonly which: "annotation";
  readonly type: Type;
  readonly targetsFile: boolean;
  readonly targetsConst: boolean;
  readonly targetsEnum: boolean;
  readonly targetsEnumerant: boolean;
  readonly targetsStruct: boolean;
  readonly targetsField: boolean;
  readonly targetsUnion: boolean;
  readonly targetsGroup: boolean;
  readonly targetsInterface: boolean;
  readonly targetsMethod: boolean;
  readonly targetsParam: boolean;
  readonly targetsAnnotation: boolean;
}

export interface Field {
  readonly name: string;
  readonly codeOrder: number;
  readonly annotations: readonly Annotation[];
  /** 0xffff (`noDiscriminant`) for a field outside the unnamed union. */
  readonly discriminantValue: number;
  /** The explicit `@n`; undefined for groups and unions without one (`implicit`). */
  readonly ordinal?: number;
  readonly body: SlotBody | GroupBody;
}

export const noDiscriminant = 0xffff;

/**
 * How many pointers may lead to what is deepest in a value. A value is written, read, copied and printed by functions that call
 * themselves for each; constants that are made of others could nest without end.
 */
export const maxValueNesting = 512;

export interface SlotBody {
  readonly which: "slot";
  /** In units of the field's own size, from the start of the data or pointer section. */
  readonly offset: number;
  readonly type: Type;
  readonly defaultValue: Value;
  readonly hadExplicitDefault: boolean;
}

export interface GroupBody {
  readonly which: "group";
  readonly typeId: bigint;
}

export interface Enumerant {
  readonly name: string;
  readonly codeOrder: number;
  readonly annotations: readonly Annotation[];
}

export interface Method {
  readonly name: string;
  readonly codeOrder: number;
  readonly implicitParameters: readonly { readonly name: string }[];
  readonly paramStructType: bigint;
  readonly paramBrand: Brand;
  readonly resultStructType: bigint;
  readonly resultBrand: Brand;
  readonly annotations: readonly Annotation[];
}

export type PrimitiveTypeName =
  | "void"
  | "bool"
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "uint8"
  | "uint16"
  | "uint32"
  | "uint64"
  | "float32"
  | "float64";

export type Type =
  | { readonly which: PrimitiveTypeName | "text" | "data" }
  | { readonly which: "list"; readonly elementType: Type }
  | { readonly which: "enum" | "struct" | "interface"; readonly typeId: bigint; readonly brand: Brand }
  | AnyPointerType;

export type AnyPointerType =
  | { readonly which: "anyPointer"; readonly kind: "unconstrained" | "struct" | "list" | "capability" }
  | {
      readonly which: "anyPointer";
      readonly kind: "parameter";
      readonly scopeId: bigint;
      readonly parameterIndex: number;
    }
  | { readonly which: "anyPointer"; readonly kind: "implicitMethodParameter"; readonly parameterIndex: number };

export interface Brand {
  readonly scopes: readonly BrandScope[];
}

export type BrandScope =
  | { readonly scopeId: bigint; readonly which: "inherit" }
  | { readonly scopeId: bigint; readonly which: "bind"; readonly bindings: readonly Binding[] };

export type Binding = { readonly which: "unbound" } | { readonly which: "type"; readonly type: Type };

/**
 * A value of a type. `struct`, `list` and `anyPointer` values are a message of one segment, unframed: word 0 is the
 * pointer to the value (an all-zero word: a null pointer), what it points to follows.
 */
export type Value =
  | { readonly which: "void" | "interface" }
  | { readonly which: "bool"; readonly value: boolean }
  | {
      readonly which: "int8" | "int16" | "int32" | "uint8" | "uint16" | "uint32" | "float32" | "float64" | "enum";
      readonly value: number;
    }
  | { readonly which: "int64" | "uint64"; readonly value: bigint }
  | { readonly which: "text"; readonly value: string }
  | { readonly which: "data"; readonly value: Uint8Array }
  | { readonly which: "struct" | "list" | "anyPointer"; readonly value: Uint8Array };

export interface Annotation {
  readonly id: bigint;
  readonly brand: Brand;
  readonly value: Value;
}

/** Doc comments and, for C++ 0.9 and newer, member comments, by position (`Node.SourceInfo`). */
export interface SourceInfo {
  readonly id: bigint;
  readonly docComment: string;
  readonly members: readonly { readonly docComment: string }[];
}

export interface RequestedFile {
  readonly id: bigint;
  readonly filename: string;
  readonly imports: readonly { readonly id: bigint; readonly name: string }[];
}

/** What a compiler hands to a code generator (`CodeGeneratorRequest`). */
export interface CompiledSchema {
  readonly nodes: readonly Node[];
  readonly sourceInfo: readonly SourceInfo[];
  readonly requestedFiles: readonly RequestedFile[];
}
