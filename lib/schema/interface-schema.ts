import { CapnpError } from "../errors.ts";
import type { BrandArguments } from "./brand.ts";
import type { InterfaceClass } from "./interface-class.ts";
import type { InterfaceBody, Method, Node } from "./node.ts";
import { annotationValue, memberComment, SchemaBase, type SchemaType, type SchemaUniverse } from "./schema-base.ts";
import type { StructSchema } from "./struct-schema.ts";
import { typescriptNames } from "./typescript-name.ts";

/** Id of `StreamResult` in stream.capnp: the result type of `-> stream`. */
const streamResultId = 0x995f9a3377c0b16en;

export class MethodSchema {
  readonly interface: InterfaceSchema;
  readonly node: Method;
  /** What the method is called in TypeScript and JavaScript; `node.name` is what the schema calls it. */
  readonly name: string;
  /** What a server calls the form that takes nothing but `_context`. */
  readonly contextName: string;
  /** What calls carry on the wire. */
  readonly ordinal: number;
  /** True for a method whose results are `stream`. */
  readonly isStreaming: boolean;
  #params: StructSchema | undefined;
  #results: StructSchema | undefined;

  constructor(declaring: InterfaceSchema, node: Method, ordinal: number, name: string) {
    this.interface = declaring;
    this.node = node;
    this.ordinal = ordinal;
    this.isStreaming = node.resultStructType === streamResultId;
    this.name = name;
    this.contextName = `${this.name}_context`;
  }

  /** Id of the interface that declares the method. */
  get interfaceId(): bigint {
    return this.interface.id;
  }

  get params(): StructSchema {
    this.#params ??= this.#struct(this.node.paramStructType, this.node.paramBrand, "parameter");
    return this.#params;
  }

  get results(): StructSchema {
    this.#results ??= this.#struct(this.node.resultStructType, this.node.resultBrand, "result");
    return this.#results;
  }

  get annotations(): Method["annotations"] {
    return this.node.annotations;
  }

  /** The value of an annotation of this method; see the schema's own. */
  annotation(id: bigint): unknown {
    return annotationValue(this.interface, this.annotations, id);
  }

  /** The comment behind the method; empty where there is none or it is not known. */
  get docComment(): string {
    return memberComment(this.interface, this.ordinal);
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
  #ancestry: readonly InterfaceSchema[] | undefined;
  #class: InterfaceClass | undefined;

  constructor(universe: SchemaUniverse, node: Node, brand: BrandArguments) {
    super(universe, node, brand);
    const { methods } = node.body as InterfaceBody;
    const names = typescriptNames(methods, this.path);
    this.methods = methods.map((method, ordinal) => new MethodSchema(this, method, ordinal, names[ordinal] as string));
  }

  /** Of the methods declared here, by ordinal. */
  get methodNames(): readonly string[] {
    return this.methods.map((method) => method.name);
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
    this.#ancestry ??= this.#findAncestry();
    return this.#ancestry;
  }

  #findAncestry(): InterfaceSchema[] {
    const seen = new Map<bigint, InterfaceSchema>();
    const pending: InterfaceSchema[] = [this];
    for (const next of pending) {
      if (seen.has(next.id)) continue;
      seen.set(next.id, next);
      for (const one of next.superclasses) pending.push(one);
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

  /** This interface or the one that it extends, directly or not, with an id; its type parameters bound as they are here. */
  findSuperclass(id: bigint): InterfaceSchema | undefined {
    return this.ancestry.find((one) => one.id === id);
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
