import type { BrandArguments } from "./brand.ts";
import type { InterfaceSchema } from "./interface-schema.ts";
import type { AnnotationBody, ConstBody, EnumBody, Node, Value } from "./node.ts";
import { annotationValue, memberComment, SchemaBase, type SchemaType, type SchemaUniverse } from "./schema-base.ts";
import type { StructSchema } from "./struct-schema.ts";

export { InterfaceSchema, MethodSchema } from "./interface-schema.ts";
export { isPointerType, type SchemaType, type SchemaUniverse } from "./schema-base.ts";
export { FieldSchema, noSuchField, StructSchema } from "./struct-schema.ts";

export type Schema = FileSchema | StructSchema | EnumSchema | InterfaceSchema | ConstSchema | AnnotationSchema;

export class FileSchema extends SchemaBase {
  readonly which = "file";
}

export class AnnotationSchema extends SchemaBase {
  readonly which = "annotation";

  get body(): AnnotationBody {
    return this.node.body as AnnotationBody;
  }

  /** The type of its values. */
  get type(): SchemaType {
    return this.universe.resolve(this.body.type, this.brand);
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

/** Up to so many names, comparing one after the other is faster than a map: V8 compares equal literals by their address. */
const fewNames = 8;

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
    const { names } = this;
    if (names.length > fewNames) return this.#ordinals.get(name);
    for (let i = 0; i < names.length; i++) if (names[i] === name) return i;
    return undefined;
  }

  /** The comment behind an enumerant; empty where there is none or it is not known. */
  enumerantComment(name: string): string {
    const ordinal = this.#ordinals.get(name);
    return ordinal === undefined ? "" : memberComment(this, ordinal);
  }

  /** The value of an annotation of an enumerant; undefined where it was not applied. */
  enumerantAnnotation(name: string, id: bigint): unknown {
    const ordinal = this.#ordinals.get(name);
    return ordinal === undefined ? undefined : annotationValue(this, this.enumerants[ordinal]?.annotations ?? [], id);
  }
}
