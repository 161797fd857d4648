import { maxValueNesting, type Node, type NodeBody, type StructBody, type Type, type Value } from "../schema/node.ts";
import {
  type AnnotationApplication,
  type AnnotationTarget,
  annotationTargets,
  type Declaration,
  type DeclarationOf,
  type Expression,
  type LocatedText,
} from "./ast.ts";
import type { BrandedDeclaration } from "./branded-declaration.ts";
import { BrandScope, type CompiledType } from "./brands.ts";
import type { DepthGuard } from "./depth-guard.ts";
import type { ErrorReporter } from "./diagnostics.ts";
import {
  type AnnotationDraft,
  type AuxiliaryNode,
  type NodeDraft,
  type SourceInfoDraft,
  sourceInfoDraft,
  structDraft,
} from "./draft.ts";
import { NameChecker, OrdinalChecker, ordinalKey } from "./duplicates.ts";
import { readEmbeddedMessage } from "./embedded-message.ts";
import { isLoadable } from "./loadable-node.ts";
import { expressionText } from "./expression-text.ts";
import { compileInterface } from "./interface-translator.ts";
import { dataLiteral, imageOf, type LiteralValue, toValue, zeroValue } from "./literal-value.ts";
import { type ImplicitParameters, type NodeKind, noImplicitParameters, type Resolver } from "./resolver.ts";
import { type StructContext, StructTranslator } from "./struct-translator.ts";
import { type Bindings, bindType } from "./type-binding.ts";
import type { ValueBudget } from "./value-budget.ts";
import { type ListImage, sizeOf, type StructImage } from "./value-image.ts";
import { type ValueContext, ValueReader } from "./values.ts";

/** A declaration that becomes a node of its own. */
export type NodeDeclaration = DeclarationOf<NodeKind>;

/** What translating a node asks of the other nodes. */
export interface TranslationContext {
  readonly errors: ErrorReporter;
  readonly depth: DepthGuard;
  readonly budget: ValueBudget;
  readEmbed(path: string): Uint8Array | undefined;
  /**
   * A node with its types and layout, and its values as far as they are of data types. Undefined where it depends on
   * itself or is nested too deep, which has been reported.
   */
  outline(id: bigint): Outline | undefined;
  /** The same with all values. */
  finished(id: bigint): Outline | undefined;
  /** The body of a struct or of a group in one. */
  structBody(id: bigint): StructBody | undefined;
  nameOf(id: bigint): string;
}

export interface Outline {
  readonly node: Node;
  /** The value of a constant. */
  readonly constant: LiteralValue | undefined;
}

/**
 * Turns one declaration into its schema node, in two steps: first all types and the layout, which must not depend on any
 * value, then the values of pointer types, for which the types of other nodes must be known.
 */
export class NodeTranslator implements Outline, StructContext, ValueContext {
  readonly node: NodeDraft;
  readonly sourceInfo: SourceInfoDraft = sourceInfoDraft();
  readonly groups: AuxiliaryNode[] = [];
  readonly paramStructs: AuxiliaryNode[] = [];
  readonly errors: ErrorReporter;
  readonly depth: DepthGuard;
  readonly budget: ValueBudget;
  constant: LiteralValue | undefined;
  readonly #resolver: Resolver;
  readonly #context: TranslationContext;
  readonly #brand: BrandScope;
  readonly #reader: ValueReader;
  readonly #unfinished: (() => void)[] = [];
  /** While false, values of pointer types are put off. */
  #isOutlined = false;
  /** Set where the node has errors with which no schema loader would take it: nothing may build on it. */
  readonly isBroken: boolean;

  constructor(resolver: Resolver, declaration: NodeDeclaration, node: NodeDraft, context: TranslationContext) {
    this.#resolver = resolver;
    this.#context = context;
    this.errors = context.errors;
    this.depth = context.depth;
    this.budget = context.budget;
    this.#brand = BrandScope.inside(context.errors, resolver);
    this.node = node;
    this.#reader = new ValueReader(this);
    new NameChecker(this.errors).check(declaration.members, declaration.kind);
    node.parameters = declaration.parameters.map(({ text }) => ({ name: text }));
    node.isGeneric = this.#brand.isGeneric;
    this.sourceInfo.id = node.id;
    this.sourceInfo.docComment = declaration.docComment ?? "";
    this.#compileBody(declaration);
    node.annotations = this.compileAnnotations(declaration.annotations, declaration.kind);
    this.#isOutlined = true;
    this.isBroken = ![this.node, ...this.auxiliaries.map((auxiliary) => auxiliary.node)].every(isLoadable);
    if (this.isBroken && !this.errors.hadErrors) this.#reportTwins(declaration);
  }

  /**
   * The C++ compiler tells of two params of one name only where nothing else is wrong so far, and as of a bug of its own, at the
   * method; these are its words for fields.
   */
  #reportTwins({ members }: NodeDeclaration): void {
    for (const member of members) {
      if (member.kind !== "method") continue;
      new NameChecker(this.errors).checkParams(member.params);
      new NameChecker(this.errors).checkParams(member.results);
    }
  }

  /** The nodes made along with this one. */
  get auxiliaries(): readonly AuxiliaryNode[] {
    return this.node.body.which === "interface" ? this.paramStructs : this.groups;
  }

  /** Reads the values that were put off. */
  finish(): void {
    if (this.isBroken) return;
    // reading one value may put off another
    for (let i = 0; i < this.#unfinished.length; i++) this.#unfinished[i]!();
    this.#unfinished.length = 0;
  }

  #compileBody(declaration: NodeDeclaration): void {
    switch (declaration.kind) {
      case "const":
        this.#compileConst(declaration);
        break;
      case "annotation": {
        const { type } = this.compileType(declaration.type, noImplicitParameters);
        const flags = Object.fromEntries(
          annotationTargets.map((target) => [targetFlag(target), declaration.targets.has(target)]),
        ) as Record<TargetFlag, boolean>;
        this.node.body = { which: "annotation", type, ...flags };
        break;
      }
      case "enum":
        this.#compileEnum(declaration.members);
        break;
      case "struct": {
        this.node.body = structDraft(false);
        const translator = new StructTranslator(this, noImplicitParameters);
        translator.translateStruct(declaration, { node: this.node, sourceInfo: this.sourceInfo });
        break;
      }
      case "interface":
        compileInterface(declaration, this, this.#brand);
        break;
      default:
    }
  }

  #compileConst(declaration: DeclarationOf<"const">): void {
    const { type, ok } = this.compileType(declaration.type, noImplicitParameters);
    const body: { -readonly [Key in keyof ConstNode]: ConstNode[Key] } = {
      which: "const",
      type,
      value: ok ? zeroValue(type) : { which: "void" },
    };
    this.node.body = body;
    this.constant = ok ? literalOfZero(type) : { which: "void" };
    if (!ok) return;
    this.compileValue(declaration.value, type, "unbound", (value, literal) => {
      body.value = value;
      this.constant = literal;
    });
  }

  #compileEnum(members: readonly Declaration[]): void {
    const enumerants = members
      .filter((member) => member.kind === "enumerant")
      .map((member, codeOrder) => ({ member, codeOrder }))
      .sort((a, b) => ordinalKey(a.member.ordinal) - ordinalKey(b.member.ordinal));
    const ordinals = new OrdinalChecker(this.errors);
    this.node.body = {
      which: "enum",
      enumerants: enumerants.map(({ member, codeOrder }) => {
        ordinals.check(member.ordinal);
        this.sourceInfo.members.push({ docComment: member.docComment ?? "" });
        const annotations = this.compileAnnotations(member.annotations, "enumerant");
        return { name: member.name.text, codeOrder, annotations };
      }),
    };
  }

  addGroup(group: AuxiliaryNode): void {
    this.groups.push(group);
  }

  evaluate(source: Expression, implicit: ImplicitParameters): BrandedDeclaration | undefined {
    return this.#brand.evaluate(source, this.#resolver, implicit);
  }

  resolveImport(path: string): Resolver | undefined {
    return this.#resolver.resolveImport(path);
  }

  compileType(source: Expression, implicit: ImplicitParameters): CompiledType {
    const branded = this.evaluate(source, implicit);
    return branded === undefined ? { type: { which: "void" }, ok: false } : this.#brand.compileType(branded);
  }

  compileValue(
    source: Expression,
    type: Type,
    bindings: Bindings,
    assign: (value: Value, literal: LiteralValue) => void,
  ): void {
    const read = (): void => {
      const bound = bindType(type, bindings);
      const literal = this.#reader.read(source, bound);
      if (literal === undefined) return;
      const { words, levels } = sizeOf(imageOf(literal));
      if (levels > maxValueNesting) {
        this.errors.report(
          source,
          `Values nest deeper than ${maxValueNesting} levels; keep deep data outside of schemas.`,
        );
      } else if (this.budget.take(words)) assign(toValue(literal, bound), normalized(literal, bound));
      else this.errors.report(source, this.budget.message);
    };
    const needsTypes = ["list", "struct", "interface", "anyPointer"].includes(type.which);
    if (needsTypes) this.#unfinished.push(read);
    else read();
  }

  compileAnnotations(applications: readonly AnnotationApplication[], target: AnnotationTarget): AnnotationDraft[] {
    return applications.map((application) => {
      const draft: AnnotationDraft = { id: 0n, brand: { scopes: [] }, value: { which: "void" } };
      this.#compileAnnotation(application, target, draft);
      return draft;
    });
  }

  #compileAnnotation({ name, value }: AnnotationApplication, target: AnnotationTarget, draft: AnnotationDraft): void {
    const branded = this.evaluate(name, noImplicitParameters);
    if (branded === undefined) return;
    if (branded.which === "parameter" || branded.declaration.kind !== "annotation") {
      this.errors.report(name, `'${expressionText(name)}' is not an annotation.`);
      return;
    }
    draft.brand = branded.brand.compile();
    draft.id = branded.declaration.id;
    const body = this.#context.outline(draft.id)?.node.body;
    if (body?.which !== "annotation") return;
    if (!body[targetFlag(target)]) {
      this.errors.report(name, `'${expressionText(name)}' cannot be applied to this kind of declaration.`);
    }
    if (value !== undefined) {
      draft.value = zeroValue(body.type);
      this.compileValue(value, body.type, draft.brand, (compiled) => {
        draft.value = compiled;
      });
    } else if (body.type.which !== "void") {
      this.errors.report(name, `'${expressionText(name)}' requires a value.`);
      draft.value = zeroValue(body.type);
    }
  }

  readConstant(source: Expression): LiteralValue | undefined {
    const branded = this.evaluate(source, noImplicitParameters);
    if (branded === undefined) return undefined;
    if (branded.which === "parameter" || branded.declaration.kind !== "const") {
      this.errors.report(source, `'${expressionText(source)}' does not refer to a constant.`);
      return undefined;
    }
    const { declaration } = branded;
    const brand = branded.brand.compile();
    let outline = this.#context.outline(declaration.id);
    if (outline !== undefined && this.#isOutlined) outline = this.#context.finished(declaration.id);
    if (outline?.constant === undefined || outline.node.body.which !== "const") return undefined;
    const scope = declaration.parent;
    if (source.which === "relativeName" && (scope === undefined || this.#context.outline(scope.id) !== undefined)) {
      const qualifier = scope === undefined || scope.kind === "file" ? "" : this.nameOf(scope.id);
      const qualified = `${qualifier}.${source.name.text}`;
      this.errors.report(
        source,
        "Constant names must be qualified to avoid confusion.  Please replace " +
          `'${expressionText(source)}' with '${qualified}', if that's what you intended.`,
      );
    }
    const { constant } = outline;
    if (constant.which !== "list" && constant.which !== "struct") return constant;
    return { ...constant, type: bindType(constant.type, brand) };
  }

  resolveType(type: Type): boolean {
    switch (type.which) {
      case "list":
        return this.resolveType(type.elementType);
      case "enum":
        // Its values are the same whatever it is bound to: a type argument may be what is being laid out right now.
        return this.#context.outline(type.typeId) !== undefined;
      case "struct":
      case "interface":
        return (
          this.#context.outline(type.typeId) !== undefined &&
          type.brand.scopes.every(
            (scope) =>
              scope.which === "inherit" ||
              scope.bindings.every((binding) => binding.which === "unbound" || this.resolveType(binding.type)),
          )
        );
      default:
        return true;
    }
  }

  readEmbed(path: LocatedText): Uint8Array | undefined {
    const bytes = this.#context.readEmbed(path.text);
    if (bytes === undefined) this.errors.report(path, `Couldn't read file for embed: ${path.text}`);
    return bytes;
  }

  readMessage(bytes: Uint8Array): StructImage | undefined {
    return readEmbeddedMessage(bytes);
  }

  structBody(id: bigint): StructBody | undefined {
    return this.#context.structBody(id);
  }

  enumerants(id: bigint): readonly { readonly name: string }[] | undefined {
    const body = this.#context.outline(id)?.node.body;
    return body?.which === "enum" ? body.enumerants : undefined;
  }

  nameOf(id: bigint): string {
    return this.#context.nameOf(id);
  }
}

type ConstNode = Extract<NodeBody, { readonly which: "const" }>;
type TargetFlag = `targets${Capitalize<AnnotationTarget>}`;

const targetFlag = (target: AnnotationTarget): TargetFlag =>
  `targets${target[0]!.toUpperCase()}${target.slice(1)}` as TargetFlag;

/** What a constant is taken for where its value could not be read. */
function literalOfZero(type: Type): LiteralValue {
  switch (type.which) {
    case "text":
    case "data":
      return { which: type.which, bytes: new Uint8Array(0) };
    case "list":
    case "struct":
      return { which: type.which, type, image: undefined };
    case "anyPointer":
      return { which: "anyPointer", image: undefined };
    default:
      return dataLiteral(zeroValue(type));
  }
}

/** A constant's value as those who refer to it see it: its declared type decides, and an enum's value is a number. */
function normalized(literal: LiteralValue, type: Type): LiteralValue {
  switch (type.which) {
    case "text":
    case "data":
    case "void":
    case "bool":
      return literal;
    case "list":
      return { which: "list", type, image: imageOf(literal) as ListImage | undefined };
    case "struct":
      return { which: "struct", type, image: imageOf(literal) as StructImage | undefined };
    case "anyPointer":
      return { which: "anyPointer", image: imageOf(literal) };
    default:
      return dataLiteral(toValue(literal, type));
  }
}
