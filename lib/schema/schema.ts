import { CapnpError } from "../errors.ts";
import type { BrandArguments } from "./brand.ts";
import type { InterfaceClass } from "./interface-class.ts";
import { nearestName } from "./nearest-name.ts";
import {
  type AnnotationBody,
  type ConstBody,
  type EnumBody,
  type Field,
  type InterfaceBody,
  type Method,
  type Node,
  noDiscriminant,
  type PrimitiveTypeName,
  type StructBody,
  type Type,
  type Value,
} from "./node.ts";
import type { StructClass } from "./struct-class.ts";

/** A type with its names resolved and its type parameters replaced by what they stand for. */
export type SchemaType =
  | { readonly which: PrimitiveTypeName | "text" | "data" }
  | { readonly which: "list"; readonly elementType: SchemaType }
  | { readonly which: "enum"; readonly schema: EnumSchema }
  | { readonly which: "struct"; readonly schema: StructSchema }
  | { readonly which: "interface"; readonly schema: InterfaceSchema }
  | {
      readonly which: "anyPointer";
      readonly kind: "unconstrained" | "struct" | "list" | "capability";
      /** The type parameter that stands here, where nothing was bound to it. */
      readonly parameter?: { readonly scopeId: bigint; readonly index: number };
    };

/** Where schemas find each other: the loader that they came from. */
export interface SchemaUniverse {
  get(id: bigint, brand?: BrandArguments): Schema;
  resolve(type: Type, brand: BrandArguments): SchemaType;
  /** The brand that a type mentions, seen from a scope with a brand of its own. */
  resolveBrand(brand: Method["paramBrand"], scope: BrandArguments): BrandArguments;
  defineStruct(schema: StructSchema): StructClass;
  defineInterface(schema: InterfaceSchema): InterfaceClass;
  /** What the schema is at run time: a class, an enum's names, a constant's value. */
  declare(schema: Schema): unknown;
}

export type Schema = FileSchema | StructSchema | EnumSchema | InterfaceSchema | ConstSchema | AnnotationSchema;

/** What every kind of schema has. */
export abstract class SchemaBase {
  readonly universe: SchemaUniverse;
  readonly node: Node;
  /** What this node's type parameters, and those of the scopes around it, stand for. */
  readonly brand: BrandArguments;

  constructor(universe: SchemaUniverse, node: Node, brand: BrandArguments) {
    this.universe = universe;
    this.node = node;
    this.brand = brand;
  }

  get id(): bigint {
    return this.node.id;
  }

  /** The node's own name: `PhoneNumber` of `addressbook.capnp:Person.PhoneNumber`. */
  get name(): string {
    return this.node.displayName.slice(this.node.displayNamePrefixLength);
  }

  /** The name within its file: `Person.PhoneNumber`. For error texts. */
  get path(): string {
    return this.node.displayName.slice(this.node.displayName.lastIndexOf(":") + 1);
  }

  get annotations(): Node["annotations"] {
    return this.node.annotations;
  }

  /** The schemas declared within this one, by name. */
  nested(name: string): Schema | undefined {
    const found = this.node.nestedNodes.find((one) => one.name === name);
    return found === undefined ? undefined : this.universe.get(found.id, this.brand);
  }

  /** This schema with its own type parameters bound, in order. */
  protected bound(types: readonly SchemaType[]): Schema {
    const { parameters } = this.node;
    if (parameters.length === 0) {
      throw new CapnpError("CAPNP_TYPE", `${this.path} has no type parameters: nothing can be bound to it.`);
    }
    if (types.length !== parameters.length) {
      const names = parameters.map((one) => one.name).join(", ");
      throw new CapnpError(
        "CAPNP_TYPE",
        `${this.path} has ${parameters.length} type parameters (${names}); ${types.length} types were given.`,
      );
    }
    for (const [i, type] of types.entries()) {
      if (!isPointerType(type)) {
        throw new CapnpError(
          "CAPNP_TYPE",
          `The type parameter ${parameters[i]?.name} of ${this.path} cannot be ${type.which}: only pointer types can be bound (Text, Data, structs, lists, interfaces).`,
        );
      }
    }
    return this.universe.get(this.id, this.brand.with(this.id, types));
  }
}

export const isPointerType = (type: SchemaType): boolean =>
  type.which === "text" ||
  type.which === "data" ||
  type.which === "list" ||
  type.which === "struct" ||
  type.which === "interface" ||
  type.which === "anyPointer";

export class FileSchema extends SchemaBase {
  readonly which = "file";
}

export class AnnotationSchema extends SchemaBase {
  readonly which = "annotation";

  get body(): AnnotationBody {
    return this.node.body as AnnotationBody;
  }
}

export class ConstSchema extends SchemaBase {
  readonly which = "const";

  get type(): SchemaType {
    return this.universe.resolve((this.node.body as ConstBody).type, this.brand);
  }

  /** As compiled; the loaded file and its classes hold it as a JavaScript value. */
  get value(): Value {
    return (this.node.body as ConstBody).value;
  }
}

export class EnumSchema extends SchemaBase {
  readonly which = "enum";
  /** Names in order of ordinals: the name at an index is the enumerant with that value. */
  readonly names: readonly string[];
  readonly #ordinals: ReadonlyMap<string, number>;

  constructor(universe: SchemaUniverse, node: Node, brand: BrandArguments) {
    super(universe, node, brand);
    this.names = (node.body as EnumBody).enumerants.map((one) => one.name);
    this.#ordinals = new Map(this.names.map((name, ordinal) => [name, ordinal]));
  }

  get enumerants(): EnumBody["enumerants"] {
    return (this.node.body as EnumBody).enumerants;
  }

  ordinal(name: string): number | undefined {
    return this.#ordinals.get(name);
  }
}

/** A field of a struct. Groups and unions with a name are fields of the type `group`. */
export class FieldSchema {
  readonly struct: StructSchema;
  readonly node: Field;
  readonly index: number;
  #type: SchemaType | undefined;

  constructor(struct: StructSchema, node: Field, index: number) {
    this.struct = struct;
    this.node = node;
    this.index = index;
  }

  get name(): string {
    return this.node.name;
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
  #class: StructClass | undefined;

  constructor(universe: SchemaUniverse, node: Node, brand: BrandArguments) {
    super(universe, node, brand);
    this.fields = this.body.fields.map((field, index) => new FieldSchema(this, field, index));
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

  /** The schema of a group of this struct; it must lie where this struct lies. @internal */
  groupSchema(id: bigint, name: string): StructSchema {
    const group = this.universe.get(id, this.brand);
    const fits =
      group.which === "struct" &&
      group.isGroup &&
      group.dataBytes === this.dataBytes &&
      group.pointerCount === this.pointerCount;
    if (!fits) {
      throw new CapnpError(
        "CAPNP_SCHEMA",
        `The schema of ${this.path} is invalid: its group ${name} is not a group of the same size (node 0x${id.toString(16)}).`,
      );
    }
    return group;
  }
}

export const noSuchField = (schema: StructSchema, name: string): CapnpError => {
  const nearest = nearestName(name, schema.fieldsByName.keys());
  const hint = nearest === undefined ? "" : ` Did you mean ${JSON.stringify(nearest)}?`;
  return new CapnpError("CAPNP_NO_SUCH_FIELD", `${schema.path} has no field ${JSON.stringify(name)}.${hint}`);
};

/** Id of `StreamResult` in stream.capnp: the result type of `-> stream`. */
export const streamResultId = 0x995f9a3377c0b16en;

export class MethodSchema {
  readonly interface: InterfaceSchema;
  readonly node: Method;
  /** What calls carry on the wire. */
  readonly ordinal: number;

  constructor(declaring: InterfaceSchema, node: Method, ordinal: number) {
    this.interface = declaring;
    this.node = node;
    this.ordinal = ordinal;
  }

  get name(): string {
    return this.node.name;
  }

  /** Id of the interface that declares the method. */
  get interfaceId(): bigint {
    return this.interface.id;
  }

  get params(): StructSchema {
    return this.#struct(this.node.paramStructType, this.node.paramBrand, "parameter");
  }

  get results(): StructSchema {
    return this.#struct(this.node.resultStructType, this.node.resultBrand, "result");
  }

  get isStreaming(): boolean {
    return this.node.resultStructType === streamResultId;
  }

  get annotations(): Method["annotations"] {
    return this.node.annotations;
  }

  #struct(id: bigint, brand: Method["paramBrand"], what: string): StructSchema {
    const { universe } = this.interface;
    const schema = universe.get(id, universe.resolveBrand(brand, this.interface.brand));
    if (schema.which !== "struct" || schema.isGroup) {
      throw new CapnpError(
        "CAPNP_SCHEMA",
        `The schema of ${this.interface.path}.${this.name} is invalid: its ${what} type is not a struct.`,
      );
    }
    return schema;
  }
}

export class InterfaceSchema extends SchemaBase {
  readonly which = "interface";
  /** Declared here, by ordinal. */
  readonly methods: readonly MethodSchema[];
  #all: ReadonlyMap<string, MethodSchema> | undefined;
  #class: InterfaceClass | undefined;

  constructor(universe: SchemaUniverse, node: Node, brand: BrandArguments) {
    super(universe, node, brand);
    this.methods = (node.body as InterfaceBody).methods.map(
      (method, ordinal) => new MethodSchema(this, method, ordinal),
    );
  }

  /** The class of this interface, defined at the first use. */
  get interfaceClass(): InterfaceClass {
    this.#class ??= this.universe.defineInterface(this);
    return this.#class;
  }

  /** The interfaces that this one extends directly. */
  get superclasses(): readonly InterfaceSchema[] {
    return (this.node.body as InterfaceBody).superclasses.map(({ id, brand }) => {
      const schema = this.universe.get(id, this.universe.resolveBrand(brand, this.brand));
      if (schema.which !== "interface") {
        throw new CapnpError(
          "CAPNP_SCHEMA",
          `The schema of ${this.path} is invalid: it extends ${schema.path}, which is not an interface.`,
        );
      }
      return schema;
    });
  }

  /** This interface and all that it extends, each once, nearest first. */
  get ancestry(): readonly InterfaceSchema[] {
    const seen = new Map<bigint, InterfaceSchema>();
    const pending: InterfaceSchema[] = [this];
    for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
      if (seen.has(next.id)) continue;
      seen.set(next.id, next);
      pending.push(...next.superclasses);
    }
    return [...seen.values()];
  }

  /** By name, inherited methods included; of two with one name the nearer wins. */
  get allMethods(): ReadonlyMap<string, MethodSchema> {
    if (this.#all === undefined) {
      const all = new Map<string, MethodSchema>();
      for (const one of this.ancestry) {
        for (const method of one.methods) if (!all.has(method.name)) all.set(method.name, method);
      }
      this.#all = all;
    }
    return this.#all;
  }

  /** Whether a capability of this interface is one of the other's, too. */
  extends(other: InterfaceSchema): boolean {
    return this.ancestry.some((one) => one.id === other.id);
  }

  /** This interface with its type parameters bound. */
  of(types: readonly SchemaType[]): InterfaceSchema {
    return this.bound(types) as InterfaceSchema;
  }
}
