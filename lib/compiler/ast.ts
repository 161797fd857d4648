import type { Span } from "./span.ts";

/** What the parser makes of a schema file. Names are not resolved and types not checked yet. */
export interface LocatedText extends Span {
  readonly text: string;
}

export interface LocatedInteger extends Span {
  readonly value: bigint;
}

/** A type, a value or the name of a declaration; which of them is only known when it is used. */
export type Expression = Span & {
  /** Height of the tree below, which bounds the recursion of every later stage. */
  readonly depth: number;
} & ExpressionBody;

export type ExpressionBody =
  /** What stands where something did not parse; its error is reported already. */
  | { readonly which: "unknown" }
  /** `value` is the magnitude; both fit 64 bits. */
  | { readonly which: "positiveInt" | "negativeInt"; readonly value: bigint }
  | { readonly which: "float"; readonly value: number }
  | { readonly which: "string" | "binary"; readonly bytes: Uint8Array }
  | { readonly which: "relativeName" | "absoluteName" | "import" | "embed"; readonly name: LocatedText }
  | { readonly which: "list"; readonly elements: readonly Expression[] }
  | { readonly which: "tuple"; readonly params: readonly TupleParam[] }
  | { readonly which: "application"; readonly callee: Expression; readonly params: readonly TupleParam[] }
  | { readonly which: "member"; readonly parent: Expression; readonly name: LocatedText };

export interface TupleParam {
  /** Set for `name = value`. */
  readonly name: LocatedText | undefined;
  readonly value: Expression;
}

export interface AnnotationApplication {
  readonly name: Expression;
  readonly value: Expression | undefined;
}

export const annotationTargets = [
  "file",
  "const",
  "enum",
  "enumerant",
  "struct",
  "field",
  "union",
  "group",
  "interface",
  "method",
  "param",
  "annotation",
] as const;

/** A kind of declaration that an annotation may be applied to. */
export type AnnotationTarget = (typeof annotationTargets)[number];

export interface DeclarationBase extends Span {
  start: number;
  /** Past the declaration's doc comment, where it has one. */
  end: number;
  docComment: string | undefined;
  members: readonly Declaration[];
  /** Empty text for an unnamed union, a file, and a name that did not parse. */
  readonly name: LocatedText;
  /** The explicit id of a type, constant or annotation. */
  readonly uid?: LocatedInteger | undefined;
  /** Names of the type parameters; of a method: its implicit parameters. */
  readonly parameters: readonly LocatedText[];
  readonly annotations: readonly AnnotationApplication[];
}

export type Declaration = DeclarationBase & DeclarationBody;

export type DeclarationBody =
  | { readonly kind: "file" }
  | { readonly kind: "enum" }
  | { readonly kind: "struct" }
  | { readonly kind: "group" }
  | { readonly kind: "using"; readonly target: Expression }
  | { readonly kind: "const"; readonly type: Expression; readonly value: Expression }
  | { readonly kind: "enumerant"; readonly ordinal: LocatedInteger }
  | {
      readonly kind: "field";
      readonly ordinal: LocatedInteger;
      readonly type: Expression;
      readonly defaultValue: Expression | undefined;
    }
  | { readonly kind: "union"; readonly ordinal: LocatedInteger | undefined }
  | { readonly kind: "interface"; readonly superclasses: readonly Expression[] }
  | {
      readonly kind: "method";
      readonly ordinal: LocatedInteger;
      readonly params: ParamList;
      readonly results: ParamList | undefined;
    }
  | { readonly kind: "annotation"; readonly type: Expression; readonly targets: ReadonlySet<AnnotationTarget> };

export type DeclarationKind = DeclarationBody["kind"];

export type DeclarationOf<Kind extends DeclarationKind> = Extract<Declaration, { readonly kind: Kind }>;

export type ParamList = Span &
  (
    | { readonly which: "named"; readonly params: readonly Param[] }
    | { readonly which: "type"; readonly type: Expression }
    | { readonly which: "stream" }
  );

export interface Param extends Span {
  readonly name: LocatedText;
  readonly type: Expression;
  readonly defaultValue: Expression | undefined;
  readonly annotations: readonly AnnotationApplication[];
}
