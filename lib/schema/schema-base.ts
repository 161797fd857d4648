import { CapnpError } from "../errors.ts";
import type { BrandArguments } from "./brand.ts";
import type { InterfaceClass } from "./interface-class.ts";
import type { InterfaceSchema } from "./interface-schema.ts";
import type { Brand, Node, PrimitiveTypeName, SourceInfo, Type, Value } from "./node.ts";
import { isSameSchema } from "./same-schema.ts";
import type { EnumSchema, Schema } from "./schema.ts";
import type { StructReader } from "./struct-base.ts";
import type { StructClass } from "./struct-class.ts";
import type { StructSchema } from "./struct-schema.ts";

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
  /** The newest version of a group that fits into a struct; the newest of all where none does. */
  getGroup(id: bigint, struct: StructSchema): Schema;
  resolve(type: Type, brand: BrandArguments): SchemaType;
  /** The brand that a type mentions, seen from a scope with a brand of its own. */
  resolveBrand(brand: Brand, scope: BrandArguments): BrandArguments;
  defineStruct(schema: StructSchema): StructClass;
  defineInterface(schema: InterfaceSchema): InterfaceClass;
  /** What the schema is at run time: a class, an enum's names, a constant's value. */
  declare(schema: Schema): unknown;
  /** A value as JavaScript has it; structs and lists are readers. */
  decodeValue(type: SchemaType, value: Value): unknown;
  /** What the source of a node says about it; undefined where that is not known. */
  sourceInfo(id: bigint): SourceInfo | undefined;
  /** A node as a reader of the struct Node of schema.capnp. */
  nodeReader(node: Node): StructReader;
}

let schemasMade = 0;

/** What every kind of schema has. */
export abstract class SchemaBase {
  /** Another number for each schema that was ever made. @internal */
  readonly serial: number = schemasMade++;
  readonly universe: SchemaUniverse;
  readonly node: Node;
  /** What this node's type parameters, and those of the scopes around it, stand for. */
  readonly brand: BrandArguments;
  #nestedIds: ReadonlyMap<string, bigint> | undefined;

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

  /**
   * The value of an annotation that was applied here, as JavaScript has it; null for one of type Void. Undefined where it
   * was not applied. An annotation is given as its id, which is also what a loaded file has under its name.
   */
  annotation(id: bigint): unknown {
    return annotationValue(this, this.annotations, id);
  }

  /** The comment behind the declaration, its lines with a line break each; empty where there is none or it is not known. */
  get docComment(): string {
    return this.universe.sourceInfo(this.id)?.docComment ?? "";
  }

  /**
   * Whether another schema is the same version of the same type with the same type arguments, wherever it was loaded.
   * Schemas of one loader that are equal are the same object.
   */
  equals(other: SchemaBase): boolean {
    return isSameSchema(this, other);
  }

  /** The node as a message of schema.capnp: a reader of its struct Node, for what is to be sent or shown. */
  nodeReader(): StructReader {
    return this.universe.nodeReader(this.node);
  }

  /** The schemas declared within this one, by name. */
  nested(name: string): Schema | undefined {
    this.#nestedIds ??= new Map(this.node.nestedNodes.map((one) => [one.name, one.id]));
    const id = this.#nestedIds.get(name);
    return id === undefined ? undefined : this.universe.get(id, this.brand);
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

/** The comment of a member of a node, by its index. */
export const memberComment = ({ universe, id }: SchemaBase, index: number): string =>
  universe.sourceInfo(id)?.members[index]?.docComment ?? "";

/** The value of an annotation among those applied to a declaration or to one of its members. */
export const annotationValue = (
  { universe, brand }: SchemaBase,
  annotations: Node["annotations"],
  id: bigint,
): unknown => {
  const applied = annotations.find((one) => one.id === id);
  if (applied === undefined) return undefined;
  const schema = universe.get(id, universe.resolveBrand(applied.brand, brand));
  if (schema.which !== "annotation") {
    throw new CapnpError("CAPNP_SCHEMA", `${schema.path} is a ${schema.which}, not an annotation.`);
  }
  const { type } = schema;
  if (type.which !== applied.value.which) {
    throw new CapnpError(
      "CAPNP_SCHEMA",
      `The annotation ${schema.path} has a value of type ${applied.value.which}, not ${type.which} as it was declared.`,
    );
  }
  return universe.decodeValue(type, applied.value);
};

export const isPointerType = (type: SchemaType): boolean =>
  type.which === "text" ||
  type.which === "data" ||
  type.which === "list" ||
  type.which === "struct" ||
  type.which === "interface" ||
  type.which === "anyPointer";
