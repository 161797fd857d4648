import { CapnpError } from "../errors.ts";
import { BrandArguments, unbound } from "./brand.ts";
import { declarationOf } from "./declarations.ts";
import { defineStruct } from "./define-struct.ts";
import { defineInterface, type InterfaceClass } from "./interface-class.ts";
import { defineNested } from "./nested.ts";
import type { Brand, Node, Type } from "./node.ts";
import {
  AnnotationSchema,
  ConstSchema,
  EnumSchema,
  FileSchema,
  InterfaceSchema,
  type Schema,
  type SchemaType,
  type SchemaUniverse,
  StructSchema,
} from "./schema.ts";
import type { StructClass } from "./struct-class.ts";
import { validateNode } from "./validate-node.ts";

const hex = (id: bigint): string => `0x${id.toString(16)}`;

/**
 * Schemas by id: nodes go in, schemas and their classes come out. What one loader hands out is always the same for the
 * same id and type arguments. Nodes may refer to each other in any order; a node that is missing is noticed when it is
 * needed (CAPNP_SCHEMA_NOT_FOUND).
 */
export class SchemaLoader implements SchemaUniverse {
  readonly #nodes = new Map<bigint, Node>();
  readonly #schemas = new Map<bigint, Map<string, Schema>>();

  /**
   * Adds a node, which may come from anywhere: CAPNP_SCHEMA where it is inconsistent. A node whose id is loaded already
   * is validated and then left aside.
   */
  load(node: Node): void {
    validateNode(node);
    if (!this.#nodes.has(node.id)) this.#nodes.set(node.id, node);
  }

  loadAll(nodes: Iterable<Node>): void {
    for (const node of nodes) this.load(node);
  }

  has(id: bigint): boolean {
    return this.#nodes.has(id);
  }

  /** All nodes, in the order in which they were loaded. */
  nodes(): Node[] {
    return [...this.#nodes.values()];
  }

  /** The schema of an id; undefined where it is not loaded. */
  tryGet(id: bigint, brand: BrandArguments = unbound): Schema | undefined {
    return this.#nodes.has(id) ? this.get(id, brand) : undefined;
  }

  /** The schema of an id, unbranded unless a brand is given; CAPNP_SCHEMA_NOT_FOUND where it is not loaded. */
  get(id: bigint, brand: BrandArguments = unbound): Schema {
    const node = this.#nodes.get(id);
    if (node === undefined) {
      throw new CapnpError(
        "CAPNP_SCHEMA_NOT_FOUND",
        `No schema with the id ${hex(id)} is loaded. Load the file that declares it, or its node.`,
      );
    }
    const own = brand.scopes.size === 0 ? unbound : this.#relevant(node, brand);
    let versions = this.#schemas.get(id);
    if (versions === undefined) {
      versions = new Map();
      this.#schemas.set(id, versions);
    }
    let schema = versions.get(own.key);
    if (schema === undefined) {
      schema = this.#make(node, own);
      versions.set(own.key, schema);
    }
    return schema;
  }

  /** The schema of an id, which must be a struct's. */
  getStruct(id: bigint): StructSchema {
    const schema = this.get(id);
    if (schema.which !== "struct") throw this.#mismatch(schema, "struct");
    return schema;
  }

  /** The schema of an id, which must be an interface's. */
  getInterface(id: bigint): InterfaceSchema {
    const schema = this.get(id);
    if (schema.which !== "interface") throw this.#mismatch(schema, "interface");
    return schema;
  }

  resolve(type: Type, brand: BrandArguments): SchemaType {
    switch (type.which) {
      case "list":
        return { which: "list", elementType: this.resolve(type.elementType, brand) };
      case "enum":
      case "struct":
      case "interface": {
        const schema = this.get(type.typeId, this.resolveBrand(type.brand, brand));
        if (schema.which !== type.which) throw this.#mismatch(schema, type.which);
        if (schema.which === "struct" && schema.isGroup) throw this.#mismatch(schema, "struct");
        return { which: type.which, schema } as SchemaType;
      }
      case "anyPointer": {
        if (type.kind === "implicitMethodParameter") return { which: "anyPointer", kind: "unconstrained" };
        if (type.kind !== "parameter") return { which: "anyPointer", kind: type.kind };
        const bound = brand.scopes.get(type.scopeId)?.[type.parameterIndex];
        const parameter = { scopeId: type.scopeId, index: type.parameterIndex };
        return bound ?? { which: "anyPointer", kind: "unconstrained", parameter };
      }
      default:
        return type;
    }
  }

  resolveBrand(brand: Brand, scope: BrandArguments): BrandArguments {
    if (brand.scopes.length === 0) return unbound;
    const scopes = new Map<bigint, readonly SchemaType[]>();
    for (const one of brand.scopes) {
      if (one.which === "inherit") {
        const inherited = scope.scopes.get(one.scopeId);
        if (inherited !== undefined) scopes.set(one.scopeId, inherited);
        continue;
      }
      scopes.set(
        one.scopeId,
        one.bindings.map((binding, index) =>
          binding.which === "type"
            ? this.resolve(binding.type, scope)
            : { which: "anyPointer", kind: "unconstrained", parameter: { scopeId: one.scopeId, index } },
        ),
      );
    }
    return scopes.size === 0 ? unbound : new BrandArguments(scopes);
  }

  defineStruct(schema: StructSchema): StructClass {
    return defineStruct(schema);
  }

  declare(schema: Schema): unknown {
    return declarationOf(schema);
  }

  defineInterface(schema: InterfaceSchema): InterfaceClass {
    return defineNested(defineInterface(schema), schema);
  }

  /** The part of a brand that matters to a node: scopes around it, with something bound. */
  #relevant(node: Node, brand: BrandArguments): BrandArguments {
    const around = new Set<bigint>();
    for (let scope: Node | undefined = node; scope !== undefined && !around.has(scope.id); ) {
      around.add(scope.id);
      scope = this.#nodes.get(scope.scopeId);
    }
    return brand.only(
      (id) =>
        around.has(id) &&
        (brand.scopes.get(id) ?? []).some((type) => type.which !== "anyPointer" || type.kind !== "unconstrained"),
    );
  }

  #make(node: Node, brand: BrandArguments): Schema {
    switch (node.body.which) {
      case "file":
        return new FileSchema(this, node, brand);
      case "struct":
        return new StructSchema(this, node, brand);
      case "enum":
        return new EnumSchema(this, node, brand);
      case "interface":
        return new InterfaceSchema(this, node, brand);
      case "const":
        return new ConstSchema(this, node, brand);
      case "annotation":
        return new AnnotationSchema(this, node, brand);
    }
  }

  #mismatch(schema: Schema, wanted: string): CapnpError {
    const actual = schema.which === "struct" && schema.isGroup ? "group" : schema.which;
    return new CapnpError(
      "CAPNP_SCHEMA",
      `The schema ${schema.path} (${hex(schema.id)}) is a ${actual}, not a ${wanted}.`,
    );
  }
}
