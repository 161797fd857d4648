import { CapnpError } from "../errors.ts";
import type { BrandArguments } from "./brand.ts";
import { nearestName } from "./nearest-name.ts";
import { type Field, type Node, noDiscriminant, type StructBody, type Value } from "./node.ts";
import type { Schema } from "./schema.ts";
import { annotationValue, memberComment, SchemaBase, type SchemaType, type SchemaUniverse } from "./schema-base.ts";
import type { StructClass } from "./struct-class.ts";
import { typescriptNames } from "./typescript-name.ts";

/** A field of a struct. Groups and unions with a name are fields of the type `group`. */
export class FieldSchema {
  readonly struct: StructSchema;
  readonly node: Field;
  readonly index: number;
  /** What the field is called in TypeScript and JavaScript; `node.name` is what the schema, text and JSON call it. */
  readonly name: string;
  #type: SchemaType | undefined;

  constructor(struct: StructSchema, node: Field, index: number, name: string) {
    this.struct = struct;
    this.node = node;
    this.index = index;
    this.name = name;
  }

  get isGroup(): boolean {
    return this.node.body.which === "group";
  }

  /** Of a group: the struct type of its accessor object. */
  get type(): SchemaType {
    if (this.#type !== undefined) return this.#type;
    const { body } = this.node;
    const { universe, brand } = this.struct;
    if (body.which === "slot") this.#type = universe.resolve(body.type, brand);
    else this.#type = { which: "struct", schema: this.struct.groupSchema(body.typeId, this.name) };
    return this.#type;
  }

  /** In units of the field's own size; undefined for a group. */
  get offset(): number | undefined {
    return this.node.body.which === "slot" ? this.node.body.offset : undefined;
  }

  /** Undefined for a group. */
  get defaultValue(): Value | undefined {
    return this.node.body.which === "slot" ? this.node.body.defaultValue : undefined;
  }

  get hadExplicitDefault(): boolean {
    return this.node.body.which === "slot" && this.node.body.hadExplicitDefault;
  }

  get discriminantValue(): number {
    return this.node.discriminantValue;
  }

  get isUnionMember(): boolean {
    return this.node.discriminantValue !== noDiscriminant;
  }

  get annotations(): Field["annotations"] {
    return this.node.annotations;
  }

  /** The value of an annotation of this field; see the schema's own. */
  annotation(id: bigint): unknown {
    return annotationValue(this.struct, this.annotations, id);
  }

  /** The comment behind the field; empty where there is none or it is not known. */
  get docComment(): string {
    return memberComment(this.struct, this.index);
  }

  /** `Person.name`, for error texts. */
  get path(): string {
    return `${this.struct.path}.${this.name}`;
  }
}

export class StructSchema extends SchemaBase {
  readonly which = "struct";
  /** In order of ordinals. */
  readonly fields: readonly FieldSchema[];
  readonly fieldsByName: ReadonlyMap<string, FieldSchema>;
  /**
   * How large the message of this type was that was written last; 0 once it has served as the size of the next one, which
   * tends to be alike. So what messages are given in advance is never more than what messages just took. @internal
   */
  _expectedBytes = 0;
  #class: StructClass | undefined;

  constructor(universe: SchemaUniverse, node: Node, brand: BrandArguments) {
    super(universe, node, brand);
    const { fields } = this.body;
    const names = typescriptNames(fields, this.path);
    this.fields = fields.map((field, index) => new FieldSchema(this, field, index, names[index] as string));
    this.fieldsByName = new Map(this.fields.map((field) => [field.name, field]));
  }

  get body(): StructBody {
    return this.node.body as StructBody;
  }

  /** Size of the data section in bytes. */
  get dataBytes(): number {
    return this.body.dataWordCount * 8;
  }

  get pointerCount(): number {
    return this.body.pointerCount;
  }

  get isGroup(): boolean {
    return this.body.isGroup;
  }

  /** Members of the unnamed union, in order of their discriminants. */
  get unionFields(): readonly FieldSchema[] {
    return this.fields.filter((field) => field.isUnionMember).sort((a, b) => a.discriminantValue - b.discriminantValue);
  }

  get nonUnionFields(): readonly FieldSchema[] {
    return this.fields.filter((field) => !field.isUnionMember);
  }

  /** In order of ordinals. */
  get fieldNames(): readonly string[] {
    return this.fields.map((field) => field.name);
  }

  /** The class of this struct type, defined at the first use. */
  get structClass(): StructClass {
    this.#class ??= this.universe.defineStruct(this);
    return this.#class;
  }

  /** The field of a name; CAPNP_NO_SUCH_FIELD where there is none. */
  field(name: string): FieldSchema {
    const field = this.fieldsByName.get(name);
    if (field === undefined) throw noSuchField(this, name);
    return field;
  }

  /** This struct type with its type parameters bound. */
  of(types: readonly SchemaType[]): StructSchema {
    return this.bound(types) as StructSchema;
  }

  /** The schema of a group of this struct; it must lie within this struct. @internal */
  groupSchema(id: bigint, name: string): StructSchema {
    const group = this.universe.getGroup(id, this);
    const fits =
      group.which === "struct" &&
      group.isGroup &&
      group.dataBytes <= this.dataBytes &&
      group.pointerCount <= this.pointerCount &&
      group.node.scopeId === this.id;
    if (!fits) throw this.#wrongGroup(id, `${name} is not a group of this struct within its size`);
    let depth = 0;
    for (let scope: Schema = this; scope.which === "struct" && scope.isGroup; depth++) {
      if (depth === maxGroupDepth) {
        throw this.#wrongGroup(id, `${name} lies in a circle of groups, or in more than ${maxGroupDepth} of them`);
      }
      scope = this.universe.get(scope.node.scopeId, this.brand);
    }
    return group;
  }

  #wrongGroup(id: bigint, why: string): CapnpError {
    return new CapnpError(
      "CAPNP_SCHEMA",
      `The schema of ${this.path} is invalid: its group ${why} (node 0x${id.toString(16)}).`,
    );
  }
}

/**
 * How deep groups may nest. They take no pointer, so that no nesting limit of a message stops a walk over them: a hostile
 * schema could exhaust the stack.
 */
const maxGroupDepth = 200;

export const noSuchField = (schema: StructSchema, name: string): CapnpError => {
  const nearest = nearestName(name, schema.fieldsByName.keys());
  const hint = nearest === undefined ? "" : ` Did you mean ${JSON.stringify(nearest)}?`;
  return new CapnpError("CAPNP_NO_SUCH_FIELD", `${schema.path} has no field ${JSON.stringify(name)}.${hint}`);
};
