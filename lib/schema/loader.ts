import { CapnpError } from "../errors.ts";
import { MessageReader } from "../serialization/message.ts";
import type { ReaderOptions } from "../serialization/read-limiter.ts";
import { BrandArguments, unbound } from "./brand.ts";
import { declarationOf, decodeValue } from "./declarations.ts";
import { defineStruct } from "./define-struct.ts";
import { defineInterface, type InterfaceClass } from "./interface-class.ts";
import { defineNested } from "./nested.ts";
import type { Brand, CompiledSchema, Node, SourceInfo, Type, Value } from "./node.ts";
import { decodeCompiledSchema, decodeNode, encodeNode } from "./node-codec.ts";
import { NodeReader, readNode, readRequest } from "./node-reader.ts";
import { NodeTable } from "./node-table.ts";
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
import { nodeTypeId, requestTypeId, schemaOfSchemas } from "./schema-of-schemas.ts";
import { StructBase, type StructReader } from "./struct-base.ts";
import type { StructClass } from "./struct-class.ts";
import { typeOfArgument } from "./type-argument.ts";

const hex = (id: bigint): string => `0x${id.toString(16)}`;

/**
 * A node in any form: as a plain object, as a reader or builder of the struct Node of schema.capnp (of any loader, such as
 * one that a peer sent), or as the bytes of a message with one.
 */
export type NodeSource = Node | StructBase | Uint8Array;

/** What a compiler makes, a CodeGeneratorRequest of schema.capnp, in any of the same forms; or nodes one by one. */
export type SchemaSource = CompiledSchema | StructBase | Uint8Array | Iterable<NodeSource>;

export interface SchemaLoaderOptions {
  /**
   * Asked for a node that is looked up by its id and not loaded. It returns that node, or several with it, or undefined
   * where it does not know the id.
   */
  readonly findNode?: (id: bigint) => NodeSource | Iterable<NodeSource> | undefined;
}

/**
 * Loads what this library's compiler has made, without mistakes. It is not checked again, which would take a good part of
 * the time that a small schema takes to load.
 */
export let loadCompiled: (loader: SchemaLoader, schema: CompiledSchema) => void;

/**
 * Schemas by id: nodes go in, schemas and their classes come out. Nodes may come from anywhere, and are checked. They may
 * refer to each other in any order; a node that is missing is noticed when it is needed (CAPNP_SCHEMA_NOT_FOUND).
 *
 * A node may be loaded in several versions. They have to be compatible, and the newest one counts, whatever the order.
 * What the loader hands out is always the same for the same id and type arguments, until a newer version of a loaded node
 * arrives: from then on schemas and classes are made anew from the newest nodes. Those that were handed out before stay as
 * they are and keep working, among themselves and with the new ones: a builder or reader of either can be assigned to
 * fields of the other.
 */
export class SchemaLoader implements SchemaUniverse {
  readonly #nodes = new NodeTable();
  readonly #schemas = new Map<bigint, Map<string, Schema>>();
  readonly #sourceInfo = new Map<bigint, SourceInfo>();
  readonly #findNode: SchemaLoaderOptions["findNode"];

  static {
    loadCompiled = (loader, schema) => {
      if (loader.#nodes.loadConsistent(schema.nodes) === "replaced") loader.#schemas.clear();
      for (const info of schema.sourceInfo) loader.#sourceInfo.set(info.id, info);
    };
  }

  constructor(options: SchemaLoaderOptions = {}) {
    this.#findNode = options.findNode;
  }

  /**
   * Adds a node, or another version of one, and returns the schema of its id: of the newest version.
   *
   * @throws CAPNP_SCHEMA where the node is inconsistent in itself or with others, or incompatible with the version that is
   * loaded. Then the loader is as it was. Errors of reading for a message that is broken.
   */
  load(node: NodeSource, options?: ReaderOptions): Schema {
    return this.get(this.#load(node, options));
  }

  /** The same, where no version of the node is loaded yet; otherwise it is not even compared. */
  loadOnce(node: NodeSource, options?: ReaderOptions): Schema {
    const plain = plainNode(node, options);
    return this.get(this.has(plain.id) ? plain.id : this.#load(plain));
  }

  /** Adds all nodes of a compiled schema, with its comments. Errors as of `load`; nodes before the bad one are loaded. */
  loadAll(source: SchemaSource, options?: ReaderOptions): void {
    const schema = plainSchema(source, options);
    for (const node of schema.nodes) this.#load(node, options);
    for (const info of schema.sourceInfo) this.#sourceInfo.set(info.id, info);
  }

  has(id: bigint): boolean {
    return this.#nodes.get(id) !== undefined;
  }

  /** All nodes that are loaded, each in its newest version. */
  nodes(): Node[] {
    return [...this.#nodes.nodes()];
  }

  /** The schema of an id; undefined where it is not loaded. */
  tryGet(id: bigint, brand: BrandArguments = unbound): Schema | undefined {
    return this.#find(id) === undefined ? undefined : this.get(id, brand);
  }

  /** The schema of an id, unbranded unless a brand is given; CAPNP_SCHEMA_NOT_FOUND where it is not loaded. */
  get(id: bigint, brand: BrandArguments = unbound): Schema {
    const node = this.#find(id);
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

  getGroup(id: bigint, struct: StructSchema): Schema {
    const newest = this.get(id, struct.brand);
    // The struct may be of before its group grew.
    const fitting = this.#nodes.versions(id).find(({ body }) => {
      return (
        body.which === "struct" &&
        body.dataWordCount * 8 <= struct.dataBytes &&
        body.pointerCount <= struct.pointerCount
      );
    });
    return fitting === undefined || fitting === newest.node ? newest : this.#make(fitting, newest.brand);
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
    const seen = new Set<bigint>();
    for (const one of brand.scopes) {
      // A type that a generic type mentions of itself by an alias inside of it is bound, and then said to inherit, too: the
      // first counts, as for C++.
      if (seen.has(one.scopeId)) continue;
      seen.add(one.scopeId);
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
    const bind = (types: readonly unknown[]): InterfaceClass => schema.of(types.map(typeOfArgument)).interfaceClass;
    return defineNested(defineInterface(schema, bind), schema);
  }

  decodeValue(type: SchemaType, value: Value): unknown {
    return decodeValue(type, value);
  }

  sourceInfo(id: bigint): SourceInfo | undefined {
    return this.#sourceInfo.get(id);
  }

  nodeReader(node: Node): StructReader {
    const bytes = encodeNode(node);
    const { Reader } = schemas().getStruct(nodeTypeId).structClass;
    // Encoded here: one segment behind a table of one word, and as deep as types go.
    const limits = { traversalLimitInWords: Number.POSITIVE_INFINITY, nestingLimit: Number.POSITIVE_INFINITY };
    return new MessageReader([bytes.subarray(8)], limits).root(Reader);
  }

  #load(source: NodeSource, options?: ReaderOptions): bigint {
    const node = plainNode(source, options);
    if (this.#nodes.load(node) === "replaced") this.#schemas.clear();
    return node.id;
  }

  #find(id: bigint): Node | undefined {
    const node = this.#nodes.get(id);
    if (node !== undefined || this.#findNode === undefined) return node;
    const found = this.#findNode(id);
    if (found === undefined) return undefined;
    if (Symbol.iterator in found && !(found instanceof Uint8Array)) for (const one of found) this.#load(one);
    else this.#load(found as NodeSource);
    return this.#nodes.get(id);
  }

  /**
   * The part of a brand that matters to a node: scopes around it, with something bound. A struct without a scope is one of
   * parameters or results, which has the type parameters of its interface: there the brand names what matters.
   */
  #relevant(node: Node, brand: BrandArguments): BrandArguments {
    const around = new Set<bigint>();
    // Scopes may lie in a circle, and deeper than any compiler takes them: what is further out does not count.
    for (let scope: Node | undefined = node; scope !== undefined && !around.has(scope.id) && around.size < 500; ) {
      around.add(scope.id);
      scope = this.#nodes.get(scope.scopeId);
    }
    const hasNoScope = node.scopeId === 0n && node.body.which === "struct";
    return brand.only(
      (id) =>
        (hasNoScope || around.has(id)) &&
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

/** The loader of schema.capnp, for nodes as messages. */
const schemas = (): SchemaLoader => {
  if (ofSchemas === undefined) {
    ofSchemas = new SchemaLoader();
    ofSchemas.loadAll(schemaOfSchemas());
  }
  return ofSchemas;
};

let ofSchemas: SchemaLoader | undefined;

const plainNode = (source: NodeSource, options?: ReaderOptions): Node => {
  if (source instanceof Uint8Array) return decodeNode(source, options);
  if (source instanceof StructBase) return readNode(messageOf(source, nodeTypeId, "Node"));
  return source;
};

const plainSchema = (
  source: SchemaSource,
  options?: ReaderOptions,
): { readonly nodes: Iterable<NodeSource>; readonly sourceInfo: readonly SourceInfo[] } => {
  if (source instanceof Uint8Array) return decodeCompiledSchema(source, options);
  if (source instanceof StructBase) return readRequest(messageOf(source, requestTypeId, "CodeGeneratorRequest"));
  return "nodes" in source ? source : { nodes: source, sourceInfo: [] };
};

/** A struct of schema.capnp that was read or built with any loader's class for it. */
const messageOf = (struct: StructBase, typeId: bigint, name: string): NodeReader => {
  if (struct.$schema.id !== typeId) {
    throw new CapnpError("CAPNP_TYPE", `A ${struct.$schema.path} is not a ${name} of schema.capnp.`);
  }
  return new NodeReader(struct.$segment, struct.$data, struct.$dataBytes, struct.$pointerCount, struct.$depth);
};
