import type { Brand, Node, Type } from "../schema/node.ts";
import { type Declaration, type Declarations, isOwnName, type TypeParameter } from "./declaration.ts";
import type { Doc } from "./printer.ts";
import { reference } from "./syntax.ts";

/** Where a type is mentioned: within which namespace, and with which type parameters at hand. */
export interface Scope {
  readonly inside: Declaration | undefined;
  readonly parameters: readonly TypeParameter[];
}

export const within = (declaration: Declaration): Scope => ({
  inside: declaration,
  parameters: declaration.parameters,
});

/** Beside a declaration, with its parameters: where its class stands. */
export const beside = (declaration: Declaration): Scope => ({
  inside: declaration.outer,
  parameters: declaration.parameters,
});

const builtIn: Readonly<Record<string, string>> = {
  void: "$.Void",
  bool: "$.Bool",
  int8: "$.Int8",
  int16: "$.Int16",
  int32: "$.Int32",
  int64: "$.Int64",
  uint8: "$.UInt8",
  uint16: "$.UInt16",
  uint32: "$.UInt32",
  uint64: "$.UInt64",
  float32: "$.Float32",
  float64: "$.Float64",
  text: "$.Text",
  data: "$.Data",
};

/** Types that are the same whether they are read or built. */
const plain: Readonly<Record<string, string | undefined>> = {
  void: "null",
  bool: "boolean",
  int8: "number",
  int16: "number",
  int32: "number",
  int64: "bigint",
  uint8: "number",
  uint16: "number",
  uint32: "number",
  uint64: "bigint",
  float32: "number",
  float64: "number",
  text: "string",
};

/** How one file names types, its own and those of others. */
export class TypeNames {
  readonly #declarations: Declarations;
  readonly #file: Node;
  /** Files that were mentioned, and how they are called here. */
  readonly imports = new Map<bigint, string>();

  constructor(declarations: Declarations, file: Node) {
    this.#declarations = declarations;
    this.#file = file;
  }

  /** The type as the door of generated code wants it: `$.ListOf<Person>`. */
  type(type: Type, scope: Scope): Doc {
    switch (type.which) {
      case "list":
        return reference("$.ListOf", [this.type(type.elementType, scope)]);
      case "enum":
        return reference("$.Enum", [this.path(this.#declarations.get(type.typeId), scope)]);
      case "struct":
      case "interface":
        return this.branded(type.typeId, type.brand, scope);
      case "anyPointer":
        if (type.kind === "capability") return "$.Capability";
        return type.kind === "parameter" ? this.#parameter(type.scopeId, type.parameterIndex, scope) : "$.AnyPointer";
      default:
        return builtIn[type.which] as string;
    }
  }

  /** What is read of a type: `string`, `$.ReaderOf<Person>`. */
  reader(type: Type, scope: Scope): Doc {
    if (type.which === "enum") return this.path(this.#declarations.get(type.typeId), scope);
    return plain[type.which] ?? reference("$.ReaderOf", [this.type(type, scope)]);
  }

  /** What a field or parameter of a type may be set to. */
  input(type: Type, scope: Scope): Doc {
    if (type.which === "enum") return this.path(this.#declarations.get(type.typeId), scope);
    const written = plain[type.which];
    if (written === "bigint") return "bigint | number";
    if (written === "null") return "null | undefined";
    return written ?? reference("$.SetOf", [this.type(type, scope)]);
  }

  /** A declared type with what its type parameters are bound to; `member` is one of its namespace. */
  branded(id: bigint, brand: Brand, scope: Scope, member = ""): Doc {
    const declaration = this.#declarations.get(id);
    const args = declaration.parameters.map(({ scopeId, index }) => {
      const bound = brand.scopes.find((one) => one.scopeId === scopeId);
      if (bound?.which === "inherit") return this.#parameter(scopeId, index, scope);
      const binding = bound?.bindings[index];
      return binding?.which === "type" ? this.type(binding.type, scope) : "$.AnyPointer";
    });
    while (args.at(-1) === "$.AnyPointer") args.pop();
    return reference(`${this.path(declaration, scope)}${member}`, args);
  }

  /** A type with the parameters that are at hand, as it is called in its own namespace and in those around it. */
  own(declaration: Declaration, scope: Scope, member = ""): Doc {
    const args = declaration.parameters.flatMap((one) => {
      const known = scope.parameters.find(({ scopeId, index }) => scopeId === one.scopeId && index === one.index);
      return known === undefined ? [] : [known.name];
    });
    return reference(`${this.path(declaration, scope)}${member}`, args);
  }

  /** The shortest path that leads from a scope to a declaration and to no other. */
  path(target: Declaration, scope: Scope): string {
    const chain: Declaration[] = [];
    for (let one: Declaration | undefined = target; one !== undefined; one = one.outer) chain.unshift(one);
    const names = chain.map(({ name }) => name);
    if (target.file.id !== this.#file.id) return [this.import(target.file), ...names].join(".");
    for (let i = chain.length - 1; i >= 0; i--) {
      const head = chain[i] as Declaration;
      if (this.#lookUp(head.name, scope.inside) === head) return names.slice(i).join(".");
    }
    return [this.import(target.file), ...names].join(".");
  }

  #lookUp(name: string, inside: Declaration | undefined): Declaration | undefined {
    for (let at = inside; at !== undefined; at = at.outer) {
      const found = at.members.get(name);
      if (found !== undefined) return found;
      if (isOwnName(at, name)) return undefined;
    }
    return this.#declarations.inFile(this.#file.id).get(name);
  }

  #parameter(scopeId: bigint, index: number, { parameters }: Scope): string {
    return parameters.find((one) => one.scopeId === scopeId && one.index === index)?.name ?? "$.AnyPointer";
  }

  /** What another file is called here. */
  import(file: Node): string {
    const known = this.imports.get(file.id);
    if (known !== undefined) return known;
    const base = file.displayName.replace(/^.*\//, "").replace(/\.capnp$/, "");
    const name = `$${base.replace(/[^A-Za-z0-9_]/g, "_")}`;
    const taken = new Set(this.imports.values());
    let free = name;
    for (let i = 2; taken.has(free); i++) free = `${name}${i}`;
    this.imports.set(file.id, free);
    return free;
  }
}
