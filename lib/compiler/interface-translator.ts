import type { Brand, Method } from "../schema/node.ts";
import type {
  AnnotationApplication,
  AnnotationTarget,
  DeclarationOf,
  Expression,
  LocatedText,
  ParamList,
} from "./ast.ts";
import type { BrandedDeclaration } from "./branded-declaration.ts";
import type { BrandScope } from "./brands.ts";
import {
  type AnnotationDraft,
  type AuxiliaryNode,
  type NodeDraft,
  type SourceInfoDraft,
  sourceInfoDraft,
  structDraft,
} from "./draft.ts";
import { OrdinalChecker, ordinalKey } from "./duplicates.ts";
import { expressionText } from "./expression-text.ts";
import { type ImplicitParameters, noImplicitParameters, type Resolver } from "./resolver.ts";
import { type StructContext, StructTranslator } from "./struct-translator.ts";
import { methodStructId } from "./type-id.ts";

/** What compiling an interface asks of the translation of its node. */
export interface InterfaceContext extends StructContext {
  readonly node: NodeDraft;
  readonly sourceInfo: SourceInfoDraft;
  readonly paramStructs: AuxiliaryNode[];
  evaluate(source: Expression, implicit: ImplicitParameters): BrandedDeclaration | undefined;
  resolveImport(path: string): Resolver | undefined;
  compileAnnotations(applications: readonly AnnotationApplication[], target: AnnotationTarget): AnnotationDraft[];
}

interface StructReference {
  readonly id: bigint;
  readonly brand: Brand;
}

const noBrand: Brand = { scopes: [] };
/** The id of StreamResult in /capnp/stream.capnp, the results of every `-> stream` method. */
const streamResultId = 0x995f9a3377c0b16en;
const noResults: ParamList = { which: "named", params: [], start: 0, end: 0 };

export function compileInterface(
  declaration: DeclarationOf<"interface">,
  context: InterfaceContext,
  localBrand: BrandScope,
): void {
  const superclasses = declaration.superclasses.map((source) => compileSuperclass(source, context));
  const methods: Method[] = [];
  context.node.body = { which: "interface", methods, superclasses };
  const declared = declaration.members
    .filter((member) => member.kind === "method")
    .map((member, codeOrder) => ({ member, codeOrder }))
    .sort((a, b) => ordinalKey(a.member.ordinal) - ordinalKey(b.member.ordinal));
  const ordinals = new OrdinalChecker(context.errors);
  for (const { member, codeOrder } of declared) {
    ordinals.check(member.ordinal);
    context.sourceInfo.members.push({ docComment: member.docComment ?? "" });
    if (member.params.which === "stream") {
      context.errors.report(member.params, "'stream' can only appear after '->', not before.");
    }
    const compiler = new ParamListCompiler(member, context, localBrand);
    const params = compiler.compile(member.params, false);
    const results = compiler.compile(member.results ?? noResults, true);
    methods.push({
      name: member.name.text,
      codeOrder,
      implicitParameters: member.parameters.map(({ text }) => ({ name: text })),
      paramStructType: params.id,
      paramBrand: params.brand,
      resultStructType: results.id,
      resultBrand: results.brand,
      annotations: context.compileAnnotations(member.annotations, "method"),
    });
  }
}

function compileSuperclass(source: Expression, context: InterfaceContext): StructReference {
  const superclass = context.evaluate(source, noImplicitParameters);
  if (superclass?.which === "declaration" && superclass.declaration.kind === "interface") {
    return { id: superclass.declaration.id, brand: superclass.brand.compile() };
  }
  if (superclass !== undefined) {
    const name = expressionText(superclass.source);
    context.errors.report(
      superclass.source,
      superclass.which === "declaration"
        ? `'${name}' is not an interface.`
        : `'${name}' is an unbound generic parameter. Currently we don't support extending these.`,
    );
  }
  return { id: 0n, brand: noBrand };
}

/** Compiles the parameters and results of one method. */
class ParamListCompiler {
  readonly #method: DeclarationOf<"method">;
  readonly #context: InterfaceContext;
  readonly #localBrand: BrandScope;
  readonly #implicit: readonly LocatedText[];

  constructor(method: DeclarationOf<"method">, context: InterfaceContext, localBrand: BrandScope) {
    this.#method = method;
    this.#context = context;
    this.#localBrand = localBrand;
    this.#implicit = method.parameters;
  }

  compile(list: ParamList, isResults: boolean): StructReference {
    switch (list.which) {
      case "named":
        return this.#inlineStruct(list, isResults);
      case "type":
        return this.#namedStruct(list.type);
      case "stream":
        return this.#stream(list);
    }
  }

  /** A struct for the list, with the method's implicit parameters as its own. */
  #inlineStruct(list: ParamList & { which: "named" }, isResults: boolean): StructReference {
    const { node: owner } = this.#context;
    const name = this.#method.name.text + (isResults ? "$Results" : "$Params");
    const id = methodStructId(owner.id, Number(this.#method.ordinal.value & 0xffffn), isResults);
    const node: NodeDraft = {
      id,
      displayName: `${owner.displayName}.${name}`,
      displayNamePrefixLength: owner.displayName.length + 1,
      scopeId: 0n,
      parameters: this.#implicit.map(({ text }) => ({ name: text })),
      isGeneric: owner.isGeneric || this.#implicit.length > 0,
      nestedNodes: [],
      annotations: [],
      body: structDraft(false),
    };
    const own = { node, sourceInfo: sourceInfoDraft() };
    new StructTranslator(this.#context, { scopeId: id, names: this.#implicit }).translateParams(list.params, own);
    this.#context.paramStructs.push(own);
    // the C++ compiler leaves the struct's own parameters unbound here, and so must we: nodes are compared across peers
    return { id, brand: this.#localBrand.push(id, this.#implicit.length).compile() };
  }

  #namedStruct(source: Expression): StructReference {
    const target = this.#context.evaluate(source, { scopeId: 0n, names: this.#implicit });
    if (target?.which === "declaration") {
      if (target.declaration.kind === "struct") return { id: target.declaration.id, brand: target.brand.compile() };
      this.#context.errors.report(source, `'${expressionText(source)}' is not a struct type.`);
    } else if (target !== undefined) {
      this.#context.errors.report(
        target.source,
        "Cannot use generic parameter as whole input or output of a method. Instead, use a parameter/result list " +
          "containing a field with this type.",
      );
    }
    return { id: 0n, brand: noBrand };
  }

  #stream(list: ParamList): StructReference {
    const file = this.#context.resolveImport("/capnp/stream.capnp");
    if (file === undefined) {
      this.#context.errors.report(
        list,
        "A method declaration uses streaming, but '/capnp/stream.capnp' is not found in the import path. This is a " +
          "standard file that should always be installed with the Cap'n Proto compiler.",
      );
    } else if (file.resolveMember("StreamResult") === undefined) {
      this.#context.errors.report(
        list,
        "The version of '/capnp/stream.capnp' found in your import path does not appear to be the official one; it " +
          "is missing the declaration of StreamResult.",
      );
    }
    return { id: streamResultId, brand: noBrand };
  }
}
