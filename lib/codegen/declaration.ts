import { CapnpError } from "../errors.ts";
import type { CompiledSchema, InterfaceBody, Node, SourceInfo, StructBody } from "../schema/node.ts";
import { capitalized, hexId, typeName, unused } from "./names.ts";

/** What a type's own namespace holds, whatever the schema declares in it. */
const ownNames: Readonly<Record<string, readonly string[]>> = {
  struct: ["Reader", "Builder", "Init", "Object", "Pipeline"],
  interface: ["Client", "Server"],
};

/** Deeper than any schema that a compiler takes; generating code takes stack for each level. */
const maximumDepth = 250;

/** Whether the namespace of a declaration holds something of a name that the schema does not declare. */
export const isOwnName = ({ node }: Declaration, name: string): boolean =>
  ownNames[node.body.which]?.includes(name) ?? false;

/**
 * What a node is called in TypeScript: a name, in the namespace of the node around it. Structs that the schema does not name,
 * groups and the params and results of methods, get names made from those of their fields and methods.
 */
export interface Declaration {
  readonly node: Node;
  readonly name: string;
  /** Undefined for what stands at the top of a file. */
  readonly outer: Declaration | undefined;
  readonly file: Node;
  /** What it declares, by name; also what only generated code names. */
  readonly members: ReadonlyMap<string, Declaration>;
  /** Type parameters, those of the scopes around it first. */
  readonly parameters: readonly TypeParameter[];
}

export interface TypeParameter {
  readonly scopeId: bigint;
  readonly index: number;
  readonly name: string;
}

/** All nodes of a compiled schema, as they are called in TypeScript. */
export class Declarations {
  readonly #nodes: ReadonlyMap<bigint, Node>;
  readonly #info: ReadonlyMap<bigint, SourceInfo>;
  readonly #files = new Map<bigint, ReadonlyMap<string, Declaration>>();
  readonly #byId = new Map<bigint, Declaration>();

  constructor(schema: CompiledSchema) {
    this.#nodes = new Map(schema.nodes.map((node) => [node.id, node]));
    this.#info = new Map(schema.sourceInfo.map((info) => [info.id, info]));
  }

  node(id: bigint): Node {
    const node = this.#nodes.get(id);
    if (node === undefined) {
      throw new CapnpError(
        "CAPNP_SCHEMA",
        `The compiled schema mentions the node ${hexId(id)} and does not contain it.`,
      );
    }
    return node;
  }

  find(id: bigint): Node | undefined {
    return this.#nodes.get(id);
  }

  struct(id: bigint): StructBody {
    const { body } = this.node(id);
    if (body.which !== "struct") throw new CapnpError("CAPNP_SCHEMA", `The node ${hexId(id)} is not a struct.`);
    return body;
  }

  interface(id: bigint): InterfaceBody {
    const { body } = this.node(id);
    if (body.which !== "interface") throw new CapnpError("CAPNP_SCHEMA", `The node ${hexId(id)} is not an interface.`);
    return body;
  }

  comment(id: bigint): string {
    return this.#info.get(id)?.docComment ?? "";
  }

  /** Of a field, enumerant or method, by its position. */
  memberComment(id: bigint, index: number): string {
    return this.#info.get(id)?.members[index]?.docComment ?? "";
  }

  /** What a file declares, by name. */
  inFile(id: bigint): ReadonlyMap<string, Declaration> {
    let members = this.#files.get(id);
    if (members === undefined) {
      const file = this.node(id);
      const made = new Map<string, Declaration>();
      members = made;
      this.#files.set(id, made);
      this.#declareNested({
        node: file,
        outer: undefined,
        file,
        members: made,
        names: this.#namesWithin(file),
        depth: 0,
      });
    }
    return members;
  }

  /** A node that has a name in TypeScript. */
  get(id: bigint): Declaration {
    const known = this.#byId.get(id);
    if (known !== undefined) return known;
    this.inFile(this.#fileOf(id));
    const declaration = this.#byId.get(id);
    if (declaration === undefined) {
      throw new CapnpError("CAPNP_SCHEMA", `The node ${hexId(id)} is not among the declarations of its file.`);
    }
    return declaration;
  }

  /** Whether a struct was made for the params or results of a method, rather than declared. */
  isOfMethod(id: bigint): boolean {
    const node = this.#nodes.get(id);
    return node !== undefined && node.scopeId === 0n && node.body.which === "struct";
  }

  /** Whether a struct was made for the results of a method. */
  isResults({ node, outer }: Declaration): boolean {
    return (
      outer?.node.body.which === "interface" &&
      this.isOfMethod(node.id) &&
      outer.node.body.methods.some(({ resultStructType }) => resultStructType === node.id)
    );
  }

  #fileOf(id: bigint): bigint {
    const seen = new Set<bigint>();
    let node = this.node(id);
    while (node.scopeId !== 0n && !seen.has(node.id)) {
      seen.add(node.id);
      node = this.node(node.scopeId);
    }
    return node.id;
  }

  /** Names of all types within a node, for type parameters to keep clear of. */
  #namesWithin(file: Node): Set<string> {
    const names = new Set(Object.values(ownNames).flat());
    const seen = new Set([file]);
    for (const node of seen) {
      for (const [name, id] of [...node.nestedNodes.map(({ name, id }) => [name, id] as const), ...unnamed(node)]) {
        names.add(typeName(name));
        const inner = this.#nodes.get(id);
        if (inner !== undefined) seen.add(inner);
      }
    }
    return names;
  }

  #declareNested(place: Place): void {
    const { node, outer, depth } = place;
    const taken = new Set(outer === undefined ? [] : ownNames[node.body.which]);
    if (depth > maximumDepth) {
      throw new CapnpError(
        "CAPNP_SCHEMA",
        `Declarations are nested more than ${maximumDepth} deep: ${node.displayName}.`,
      );
    }
    const declare = (name: string, id: bigint): void => {
      const nested = this.#nodes.get(id);
      // The nodes of other files are there only as far as this one needs them.
      if (nested === undefined || this.#byId.has(id) || !isType(nested)) return;
      const free = unused(typeName(name), taken);
      taken.add(free);
      this.#declare(nested, free, place);
    };
    for (const { name, id } of node.nestedNodes) declare(name, id);
    for (const [name, id] of unnamed(node)) if (node.body.which === "struct" || this.isOfMethod(id)) declare(name, id);
  }

  #declare(node: Node, name: string, { outer, file, members: siblings, names, depth }: Place): void {
    const members = new Map<string, Declaration>();
    const own = this.isOfMethod(node.id) ? [] : node.parameters;
    const parameters = distinct(
      [...(outer?.parameters ?? []), ...own.map((one, index) => ({ scopeId: node.id, index, name: one.name }))],
      names,
    );
    const declaration = { node, name, outer, file, members, parameters };
    this.#byId.set(node.id, declaration);
    siblings.set(name, declaration);
    this.#declareNested({ node, outer: declaration, file, members, names, depth: depth + 1 });
  }
}

interface Place {
  readonly node: Node;
  readonly outer: Declaration | undefined;
  readonly file: Node;
  readonly members: Map<string, Declaration>;
  /** Names that type parameters must not have. */
  readonly names: ReadonlySet<string>;
  readonly depth: number;
}

const isType = ({ body }: Node): boolean =>
  body.which === "struct" || body.which === "enum" || body.which === "interface";

/** Structs within a node that have no name of their own. */
function* unnamed({ body }: Node): Generator<[name: string, id: bigint]> {
  if (body.which === "struct") {
    for (const { name, body: place } of body.fields) {
      if (place.which === "group") yield [capitalized(name), place.typeId];
    }
  } else if (body.which === "interface") {
    for (const method of body.methods) {
      yield [`${capitalized(method.name)}Params`, method.paramStructType];
      yield [`${capitalized(method.name)}Results`, method.resultStructType];
    }
  }
}

/** A parameter that another one or a type hides keeps its place under another name. */
const distinct = (parameters: readonly TypeParameter[], types: ReadonlySet<string>): TypeParameter[] => {
  const taken = new Set(types);
  const renamed = [...parameters].reverse().map((one) => {
    const name = unused(typeName(one.name), taken);
    taken.add(name);
    return { ...one, name };
  });
  return renamed.reverse();
};
