import { type Field, noDiscriminant, type Type } from "../schema/node.ts";
import { pipelineName } from "../schema/pipeline-name.ts";
import type { Declaration, Declarations } from "./declaration.ts";
import { docComment } from "./doc-comment.ts";
import { hexId, memberName } from "./names.ts";
import type { Pipelined } from "./pipelined.ts";
import type { Doc } from "./printer.ts";
import {
  interfaceHead,
  intersection,
  intersectionAlias,
  reference,
  setter,
  type Source,
  typeLiteral,
  unionArgument,
  unionInParentheses,
} from "./syntax.ts";
import { type Scope, type TypeNames, within } from "./type-names.ts";

/** Methods and properties of readers and builders, which fields of the same name hide. */
export const readerMethods: readonly string[] = [
  "asReader",
  "copy",
  "get",
  "has",
  "toBytes",
  "toBytesPacked",
  "toJSON",
  "toObject",
  "toSegmentViews",
  "toSegments",
  "toString",
  "toText",
  "totalSize",
  "write",
  "writePacked",
];
export const builderMethods: readonly string[] = [
  ...readerMethods,
  "adopt",
  "clear",
  "disown",
  "init",
  "initResizableList",
  "set",
];
export const unionMethods: readonly string[] = ["is", "which"];

/** Whether values of a type are JavaScript's own. */
const isPlain = (type: Type): boolean => !["data", "list", "struct", "interface", "anyPointer"].includes(type.which);

const isPointer = ({ body }: Field): boolean =>
  body.which === "slot" && (body.type.which === "text" || !isPlain(body.type));

/** Whether a field may be assigned something else than what is read. */
const isAssignedOtherwise = ({ body }: Field): boolean =>
  body.which === "group" || !isPlain(body.type) || ["void", "int64", "uint64"].includes(body.type.which);

export interface StructContext {
  readonly declarations: Declarations;
  readonly types: TypeNames;
  readonly pipelined: Pipelined;
}

/** `Id, Fields, Reader, Builder, ...` of a struct, for `$.StructClass` and its like. */
export const structArguments = (
  struct: Declaration,
  scope: Scope,
  { declarations, types, pipelined }: StructContext,
): Doc[] => {
  const { node } = struct;
  const { fields } = declarations.struct(node.id);
  const member = (name: string): Doc => types.own(struct, scope, `.${name}`);
  const parts = [
    ...(fields.some((one) => !isMember(one)) || fields.length === 0 ? [member("$Fields")] : []),
    ...(fields.some(isMember) ? [member("$Union")] : []),
  ];
  return [
    JSON.stringify(hexId(node.id)),
    intersection(parts),
    ...["Reader", "Builder", "Init", "Object"].map(member),
    ...(pipelined.struct(node.id) ? [member("Pipeline")] : []),
  ];
};

const isMember = ({ discriminantValue }: Field): boolean => discriminantValue !== noDiscriminant;

/** A field, and where it is among those of its struct. */
interface PlacedField {
  readonly field: Field;
  readonly index: number;
}

/** Writes what the namespace of a struct holds besides declarations: its fields, and the types that are made of them. */
export class StructTypes {
  readonly #struct: Declaration;
  readonly #context: StructContext;
  readonly #scope: Scope;
  readonly #fields: readonly PlacedField[];
  readonly #source: Source;

  constructor(struct: Declaration, context: StructContext, source: Source) {
    this.#struct = struct;
    this.#context = context;
    this.#scope = within(struct);
    this.#source = source;
    this.#fields = context.declarations
      .struct(struct.node.id)
      .fields.map((field, index) => ({ field, index }))
      .sort((a, b) => a.field.codeOrder - b.field.codeOrder);
  }

  write(): void {
    const plain = this.#fields.filter(({ field }) => !isMember(field));
    const members = this.#fields.filter(({ field }) => isMember(field));
    if (plain.length > 0 || members.length === 0) this.#writeFields("$Fields", plain);
    if (members.length === 0) this.#writeStruct();
    else {
      this.#writeFields("$Union", members);
      this.#writeUnion(plain.length > 0);
    }
    if (this.#context.pipelined.struct(this.#struct.node.id)) this.#writePipeline();
  }

  #writeFields(name: string, fields: readonly PlacedField[]): void {
    const { id } = this.#struct.node;
    this.#source.block(interfaceHead(name, this.#parameters(), []), () => {
      for (const { field, index } of fields) {
        this.#source.lines(docComment(this.#context.declarations.memberComment(id, index)));
        this.#source.line([`${memberName(field.name)}: `, this.#type(field), ";"]);
      }
    });
  }

  #writeStruct(): void {
    const fields = this.#own("$Fields");
    const parent = (name: string, hidden: readonly string[]): Doc =>
      reference(name, [this.#self(), fields, ...this.#hidden(hidden)]);
    this.#interface("Reader", [parent("$.Reader", readerMethods)]);
    this.#source.block(interfaceHead("Builder", this.#parameters(), [parent("$.Builder", builderMethods)]), () => {
      for (const { field } of this.#fields) this.#writeAccessors(field);
    });
    this.#interface("Init", [reference("$.Init", [fields])]);
    this.#interface("Object", [this.#plainObject(fields)]);
  }

  #writeUnion(hasFields: boolean): void {
    const fields = hasFields ? this.#own("$Fields") : "$.NoFields";
    const members = this.#own("$Union");
    const methods = reference("$.Union", [members, ...this.#hidden(unionMethods)]);
    this.#alias("Reader", [
      reference("$.Reader", [this.#self(), fields, ...this.#hidden(readerMethods)]),
      methods,
      reference("$.UnionReader", [members]),
    ]);
    const builder = reference("$.Builder", [this.#self(), fields, ...this.#hidden(builderMethods)]);
    this.#source.block(interfaceHead("$Builder", this.#parameters(), [builder]), () => {
      for (const { field } of this.#fields) this.#writeAccessors(field);
    });
    const active = this.#fields.filter(({ field }) => isMember(field)).map(({ field }) => this.#active(field));
    this.#alias("Builder", [this.#own("$Builder"), methods, unionInParentheses(active)]);
    this.#alias("Init", [...(hasFields ? [reference("$.Init", [fields])] : []), reference("$.UnionInit", [members])]);
    this.#alias("Object", [...(hasFields ? [this.#plainObject(fields)] : []), reference("$.UnionObject", [members])]);
  }

  /** `Object` without the union; pointers that are null are not in it. */
  #plainObject(fields: Doc): Doc {
    const pointers = this.#fields.filter(({ field }) => !isMember(field) && isPointer(field));
    const names = pointers.map(({ field }) => JSON.stringify(field.name));
    return reference("$.PlainObject", names.length === 0 ? [fields] : [fields, unionArgument(names)]);
  }

  #writePipeline(): void {
    this.#source.block(interfaceHead("Pipeline", this.#parameters(), []), () => {
      for (const { field, index } of this.#fields) {
        if (!this.#context.pipelined.field(field)) continue;
        this.#source.lines(docComment(this.#context.declarations.memberComment(this.#struct.node.id, index)));
        const type = reference("$.PipelineOf", [this.#type(field)]);
        this.#source.line([`readonly ${memberName(pipelineName(field.name))}: `, type, ";"]);
      }
    });
  }

  /** How a field of a builder is read and assigned; of a member of a union, before it is known to be the active one. */
  #writeAccessors(field: Field): void {
    if (!isAssignedOtherwise(field) && !isMember(field)) return;
    const read: Doc = isMember(field) ? "unknown" : this.#read(field);
    this.#source.line([`get ${memberName(field.name)}(): `, read, ";"]);
    this.#source.line([this.#setter(field), ";"]);
  }

  /** A builder whose union has this member. */
  #active(field: Field): Doc {
    const name = memberName(field.name);
    const which = `readonly $which: ${JSON.stringify(field.name)}`;
    if (!isAssignedOtherwise(field)) return typeLiteral([which, [`${name}: `, this.#read(field)]]);
    return typeLiteral([which, [`get ${name}(): `, this.#read(field)], this.#setter(field)]);
  }

  #read(field: Field): Doc {
    const { body } = field;
    if (body.which === "slot" && isPlain(body.type)) return this.#context.types.reader(body.type, this.#scope);
    return reference("$.BuilderOf", [this.#type(field)]);
  }

  #setter(field: Field): Doc {
    const { body } = field;
    const isSimple = body.which === "slot" && isPlain(body.type);
    const input = isSimple
      ? this.#context.types.input(body.type, this.#scope)
      : reference("$.SetOf", [this.#type(field)]);
    return setter(memberName(field.name), input);
  }

  #type({ body }: Field): Doc {
    const { declarations, types } = this.#context;
    if (body.which === "group") return types.own(declarations.get(body.typeId), this.#scope);
    const type = types.type(body.type, this.#scope);
    return body.type.which === "interface" && declarations.isResults(this.#struct)
      ? reference("$.Result", [type])
      : type;
  }

  #interface(name: string, parents: readonly Doc[]): void {
    this.#source.line([interfaceHead(name, this.#parameters(), parents), " {}"]);
  }

  #alias(name: string, parts: readonly Doc[]): void {
    this.#source.line([intersectionAlias(name, this.#parameters(), parts), ";"]);
  }

  #self(): Doc {
    return this.#context.types.own(this.#struct, this.#scope);
  }

  #own(name: string): Doc {
    return reference(
      name,
      this.#struct.parameters.map((one) => one.name),
    );
  }

  #parameters(): Doc[] {
    return parameterList(this.#struct);
  }

  #hidden(methods: readonly string[]): Doc[] {
    const names = methods.filter((name) => this.#fields.some(({ field }) => field.name === name));
    return names.length === 0 ? [] : [unionArgument(names.map((name) => JSON.stringify(name)))];
  }
}

/** The type parameters of a declaration, as they are declared. */
export const parameterList = ({ parameters }: Declaration): Doc[] =>
  parameters.map(({ name }) => `${name} extends $.PointerType = $.AnyPointer`);
