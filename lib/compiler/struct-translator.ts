import type { Type, Value } from "../schema/node.ts";
import type {
  AnnotationApplication,
  AnnotationTarget,
  Declaration,
  DeclarationOf,
  Expression,
  LocatedInteger,
  Param,
} from "./ast.ts";
import type { CompiledType } from "./brands.ts";
import type { ErrorReporter } from "./diagnostics.ts";
import {
  type AnnotationDraft,
  type AuxiliaryNode,
  type FieldDraft,
  type NodeDraft,
  type SlotDraft,
  type StructDraft,
  sourceInfoDraft,
  structDraft,
} from "./draft.ts";
import { OrdinalChecker, ordinalKey } from "./duplicates.ts";
import { dataLgSizes, isDataType, zeroValue } from "./literal-value.ts";
import type { ImplicitParameters } from "./resolver.ts";
import type { Span } from "./span.ts";
import { type FieldScope, StructLayout, UnionLayout, UnionMemberLayout } from "./struct-layout.ts";
import type { Bindings } from "./type-binding.ts";
import { groupId } from "./type-id.ts";

/** What laying out a struct asks of the translation of the node that it belongs to. */
export interface StructContext {
  readonly errors: ErrorReporter;
  compileType(source: Expression, implicit: ImplicitParameters): CompiledType;
  /** Reads `source` as a `type`, now or once all types are known, and hands the value to `assign`. */
  compileValue(source: Expression, type: Type, bindings: Bindings, assign: (value: Value) => void): void;
  compileAnnotations(applications: readonly AnnotationApplication[], target: AnnotationTarget): AnnotationDraft[];
  /** Takes a group's node, which is complete once the struct is. */
  addGroup(group: AuxiliaryNode): void;
}

/** A struct pointer has 16 bits for the size of each section. */
const maxSectionWords = 0xffff;

interface FieldSource {
  readonly type: Expression;
  readonly defaultValue: Expression | undefined;
  readonly isParam: boolean;
  /** Decides where the field goes when its ordinal comes up. */
  readonly scope: FieldScope;
}

/** A field, group or union of the struct, or the struct itself, while ordinals are worked off. */
class Member {
  readonly parent: Member | undefined;
  readonly name: string;
  readonly codeOrder: number;
  readonly isInUnion: boolean;
  readonly span: Span;
  readonly docComment: string | undefined;
  readonly annotations: readonly AnnotationApplication[];
  readonly ordinal: LocatedInteger | undefined;
  readonly target: AnnotationTarget;
  /** Set for fields. */
  readonly field: FieldSource | undefined;
  /** Set for groups, named unions and the struct. */
  readonly own: AuxiliaryNode | undefined;
  /** The unnamed union among the members, or what makes this member a union. */
  union: UnionLayout | undefined;
  #index = 0;
  #discriminants = 0;
  #draft: FieldDraft | undefined;

  constructor(
    parent: Member | undefined,
    head: Pick<Declaration, "start" | "end" | "annotations"> & { readonly docComment?: string | undefined },
    rest: {
      readonly name: string;
      readonly codeOrder: number;
      readonly isInUnion: boolean;
      readonly target: AnnotationTarget;
      readonly ordinal?: LocatedInteger | undefined;
      readonly field?: FieldSource;
      readonly own?: AuxiliaryNode;
    },
  ) {
    this.parent = parent;
    this.span = head;
    this.docComment = head.docComment;
    this.annotations = head.annotations;
    this.name = rest.name;
    this.codeOrder = rest.codeOrder;
    this.isInUnion = rest.isInUnion;
    this.target = rest.target;
    this.ordinal = rest.ordinal;
    this.field = rest.field;
    this.own = rest.own;
  }

  get struct(): StructDraft {
    return this.own!.node.body as StructDraft;
  }

  /** The member's entry among its parent's fields. It is added when it is first needed: that decides its place. */
  get draft(): FieldDraft {
    if (this.#draft !== undefined) return this.#draft;
    const parent = this.parent!;
    this.#index = parent.struct.fields.length;
    // a group takes its place in its own parent when its first member does
    if (this.#index === 0 && parent.parent !== undefined) void parent.draft;
    this.#draft = {
      name: this.name,
      codeOrder: this.codeOrder,
      annotations: [],
      discriminantValue: this.isInUnion ? parent.#discriminants++ : 0xffff,
      body: { which: "group", typeId: 0n },
    };
    parent.struct.fields.push(this.#draft);
    parent.own!.sourceInfo.members.push({ docComment: this.docComment ?? "" });
    return this.#draft;
  }

  /** Completes a group, union or struct, once all its members have their places. */
  finish(): void {
    const { node, sourceInfo } = this.own!;
    if (this.union !== undefined) {
      this.union.addDiscriminant();
      this.struct.discriminantCount = this.#discriminants;
      this.struct.discriminantOffset = this.union.discriminantOffset!;
    }
    if (this.parent === undefined) return;
    const scopeId = this.parent.own!.node.id;
    const { draft } = this;
    node.id = groupId(scopeId, this.#index);
    node.scopeId = scopeId;
    draft.body = { which: "group", typeId: node.id };
    sourceInfo.id = node.id;
    sourceInfo.docComment = this.docComment ?? "";
  }
}

/** Lays out one struct with all its groups and unions. */
export class StructTranslator {
  readonly #context: StructContext;
  readonly #errors: ErrorReporter;
  readonly #implicit: ImplicitParameters;
  readonly #layout = new StructLayout();
  readonly #members: Member[] = [];
  readonly #byOrdinal: { readonly ordinal: number; readonly member: Member }[] = [];
  readonly #groups: AuxiliaryNode[] = [];

  constructor(context: StructContext, implicit: ImplicitParameters) {
    this.#context = context;
    this.#errors = context.errors;
    this.#implicit = implicit;
  }

  translateStruct(declaration: Declaration, own: AuxiliaryNode): void {
    const root = this.#root(own, declaration);
    this.#addMembers(declaration.members, root, this.#layout);
    this.#finish(root);
  }

  translateParams(params: readonly Param[], own: AuxiliaryNode): void {
    const root = this.#root(own, params[0] ?? { start: 0, end: 0 });
    for (const [i, param] of params.entries()) {
      const { type, defaultValue } = param;
      const field = { type, defaultValue, isParam: true, scope: this.#layout };
      const rest = { name: param.name.text, codeOrder: i, isInUnion: false, target: "param", field } as const;
      this.#add(new Member(root, param, rest), i);
    }
    this.#finish(root);
  }

  #root(own: AuxiliaryNode, { start, end }: Span): Member {
    const head = { start, end, annotations: [] };
    return new Member(undefined, head, { name: "", codeOrder: 0, isInUnion: false, target: "struct", own });
  }

  #add(member: Member, ordinal: number | undefined): void {
    this.#members.push(member);
    if (ordinal !== undefined) this.#byOrdinal.push({ ordinal, member });
  }

  #addMembers(declarations: readonly Declaration[], parent: Member, layout: FieldScope): void {
    let codeOrder = 0;
    for (const declaration of declarations) {
      if (declaration.kind === "field") {
        this.#addField(declaration, parent, codeOrder++, layout, false);
      } else if (declaration.kind === "group") {
        const group = this.#newGroup(declaration, parent, codeOrder++, false);
        this.#add(group, undefined);
        this.#addGroupMembers(declaration, group, layout);
      } else if (declaration.kind === "union") {
        const union = new UnionLayout(layout, this.#layout);
        if (declaration.name.text === "") {
          parent.union = union;
          codeOrder = this.#addUnionMembers(declaration, parent, union, codeOrder);
        } else {
          this.#addUnion(declaration, parent, codeOrder++, union, false);
        }
      }
    }
  }

  #addGroupMembers(declaration: Declaration, group: Member, layout: FieldScope): void {
    if (declaration.members.length < 1) this.#errors.report(declaration, "Group must have at least one member.");
    this.#addMembers(declaration.members, group, layout);
  }

  #addUnion(
    declaration: DeclarationOf<"union">,
    parent: Member,
    codeOrder: number,
    union: UnionLayout,
    isInUnion: boolean,
  ): void {
    const member = this.#newGroup(declaration, parent, codeOrder, isInUnion);
    this.#members.push(member);
    member.union = union;
    this.#addUnionMembers(declaration, member, union, 0);
    if (declaration.ordinal !== undefined) this.#byOrdinal.push({ ordinal: ordinalKey(declaration.ordinal), member });
  }

  /** Gives the code order of what follows. */
  #addUnionMembers(declaration: Declaration, parent: Member, union: UnionLayout, firstCodeOrder: number): number {
    if (declaration.members.length < 2) this.#errors.report(declaration, "Union must have at least two members.");
    let codeOrder = firstCodeOrder;
    for (const member of declaration.members) {
      if (member.kind === "field") {
        this.#addField(member, parent, codeOrder++, new UnionMemberLayout(union), true);
      } else if (member.kind === "group") {
        const group = this.#newGroup(member, parent, codeOrder++, true);
        this.#add(group, undefined);
        this.#addGroupMembers(member, group, new UnionMemberLayout(union));
      } else if (member.kind === "union" && member.name.text === "") {
        this.#errors.report(member, "Unions cannot contain unnamed unions.");
      } else if (member.kind === "union") {
        const inner = new UnionLayout(new UnionMemberLayout(union), this.#layout);
        this.#addUnion(member, parent, codeOrder++, inner, true);
      }
    }
    return codeOrder;
  }

  #addField(
    declaration: DeclarationOf<"field">,
    parent: Member,
    codeOrder: number,
    scope: FieldScope,
    isInUnion: boolean,
  ): void {
    const { type, defaultValue, ordinal } = declaration;
    const field = { type, defaultValue, isParam: false, scope };
    const rest = { name: declaration.name.text, codeOrder, isInUnion, target: "field", ordinal, field } as const;
    this.#add(new Member(parent, declaration, rest), ordinalKey(ordinal));
  }

  #newGroup(
    declaration: DeclarationOf<"union" | "group">,
    parent: Member,
    codeOrder: number,
    isInUnion: boolean,
  ): Member {
    const outer = parent.own!.node;
    const name = declaration.name.text;
    const node: NodeDraft = {
      id: 0n,
      displayName: `${outer.displayName}.${name}`,
      displayNamePrefixLength: outer.displayName.length + 1,
      scopeId: 0n,
      parameters: [],
      isGeneric: outer.isGeneric,
      nestedNodes: [],
      annotations: [],
      body: structDraft(true),
    };
    const own = { node, sourceInfo: sourceInfoDraft() };
    this.#groups.push(own);
    this.#context.addGroup(own);
    const ordinal = declaration.kind === "union" ? declaration.ordinal : undefined;
    return new Member(parent, declaration, { name, codeOrder, isInUnion, target: declaration.kind, ordinal, own });
  }

  #finish(root: Member): void {
    // sorting is stable: of equal ordinals, which are an error, the first one counts
    this.#byOrdinal.sort((a, b) => a.ordinal - b.ordinal);
    const ordinals = new OrdinalChecker(this.#errors);
    for (const { ordinal, member } of this.#byOrdinal) {
      if (member.ordinal !== undefined) ordinals.check(member.ordinal);
      member.draft.ordinal = ordinal;
      if (member.field !== undefined) this.#place(member, member.field);
      else this.#placeUnion(member);
    }
    root.finish();
    for (const member of this.#members) {
      if (member.own !== undefined) member.finish();
      member.draft.annotations = this.#context.compileAnnotations(member.annotations, member.target);
    }
    this.#checkOrder(root);
    const { dataWordCount, pointerCount } = this.#layout;
    if (Math.max(dataWordCount, pointerCount) > maxSectionWords && !this.#errors.hadErrors) {
      const size = `${dataWordCount} words of data and ${pointerCount} pointers`;
      this.#errors.report(root.span, `A struct may have ${maxSectionWords} of each at most, and this one has ${size}.`);
    }
    for (const struct of [root.struct, ...this.#groups.map(({ node }) => node.body as StructDraft)]) {
      struct.dataWordCount = dataWordCount;
      struct.pointerCount = pointerCount;
    }
  }

  /**
   * A union takes its place at its first member's ordinal, but is recorded with its own, which is higher. What stands
   * between the two in the same scope would break the order by ordinals that every schema loader insists on.
   */
  #checkOrder(root: Member): void {
    for (const scope of [root, ...this.#members]) {
      if (scope.own === undefined) continue;
      let last = -1;
      for (const { name, ordinal } of scope.struct.fields) {
        if (ordinal === undefined) continue;
        const member = ordinal < last ? this.#members.find((m) => m.parent === scope && m.name === name) : undefined;
        if (member?.ordinal !== undefined && !this.#errors.hadErrors) {
          const message = `Fields between a union's first member and its ordinal @${last} must be in the union.`;
          this.#errors.report(member.ordinal, message);
        }
        last = Math.max(last, ordinal);
      }
    }
  }

  #placeUnion(member: Member): void {
    if (member.union!.addDiscriminant()) return;
    this.#errors.report(
      member.ordinal!,
      "Union ordinal, if specified, must be greater than no more than one of its member ordinals (i.e. there can only " +
        "be one field retroactively unionized).",
    );
  }

  #place(member: Member, { type: source, defaultValue, isParam, scope }: FieldSource): void {
    const { type, ok } = this.#context.compileType(source, this.#implicit);
    const slot: SlotDraft = {
      which: "slot",
      offset: 0,
      type,
      defaultValue: zeroValue(type),
      hadExplicitDefault: ok && defaultValue !== undefined,
    };
    member.draft.body = slot;
    if (ok && defaultValue !== undefined) {
      if (isParam && defaultValue.which === "relativeName" && defaultValue.name.text === "null") {
        if (!isPointer(type)) {
          this.#errors.report(defaultValue, "Only pointer parameters can declare their default as 'null'.");
        }
      } else {
        this.#context.compileValue(defaultValue, type, "unbound", (value) => {
          slot.defaultValue = value;
        });
      }
    }
    if (isPointer(type)) slot.offset = scope.addPointer();
    else if (type.which === "void") scope.addVoid();
    else slot.offset = scope.addData(dataLgSizes[type.which]!);
    if (!this.#layout.isAmbiguous) return;
    this.#layout.isAmbiguous = false;
    this.#errors.report(
      member.span,
      `'${member.name}' makes the union around it grow inside another union, which Cap'n Proto 0.5 and older lay out ` +
        "differently (https://github.com/capnproto/capnproto/issues/344). Declare the largest field of the inner union first.",
    );
  }
}

const isPointer = ({ which }: Type): boolean => which !== "void" && !isDataType(which);
