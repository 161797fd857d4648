import { type Alias, type Bindings, bind, Declaration, innermost, inside, lookUp, type Type } from "./declaration.ts";
import type { Random } from "./random.ts";

/** Where something is written: a scope, and the implicit parameters of the method at hand. */
export interface Place {
  readonly scope: Declaration;
  readonly implicit: readonly string[];
}

export interface TypeSource {
  readonly text: string;
  readonly type: Type;
}

/** How a declaration is called at some place, and the bindings that it is seen with. */
export interface Reached {
  readonly text: string;
  readonly bindings: Bindings;
}

export interface TypeRules {
  /** As an argument of a generic type. */
  readonly argument?: boolean;
  readonly element?: boolean;
  readonly structOnly?: boolean;
}

const dataTypes = [
  "Void",
  "Bool",
  ...["Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64"],
  ...["Float32", "Float64"],
];
const none: Bindings = new Map();
const anyTypes = ["AnyPointer", "AnyStruct", "AnyList", "Capability"] as const;

function relativePath(from: string, to: string): string {
  const folders = from.split("/").slice(0, -1);
  const parts = to.split("/");
  let common = 0;
  while (common < folders.length && folders[common] === parts[common]) common++;
  return "../".repeat(folders.length - common) + parts.slice(common).join("/");
}

/** Writes names and types as any author might: relative, absolute, imported, through aliases, with or without arguments. */
export class TypeWriter {
  readonly #random: Random;
  readonly #files: readonly Declaration[];

  constructor(random: Random, files: readonly Declaration[]) {
    this.#random = random;
    this.#files = files;
  }

  importText(from: Declaration, file: Declaration): string {
    const { path, importedAs } = file.file;
    const beside = relativePath(from.file.path, path);
    if (importedAs === undefined) return `import "${this.#random.chance(0.1) ? "./" : ""}${beside}"`;
    const isBeside = from.file.importedAs !== undefined && this.#random.chance(0.5);
    return `import "${isBeside ? beside : importedAs}"`;
  }

  /** All declarations that can be named in a file. */
  visible(from: Declaration): Declaration[] {
    const own = this.#files.find(({ file }) => file === from.file)!;
    return [own, ...from.file.importable].flatMap((file) => file.all);
  }

  reach(target: Declaration, { scope, implicit }: Place, depth: number, isConstant = false): Reached | undefined {
    const chain = target.chain;
    const around = scope.chain;
    const ways: { readonly prefix: string; readonly start: number; readonly inherited: Bindings }[] = [];
    if (chain[0] === around[0]) {
      for (let i = 0; i < chain.length - 1 && chain[i] === around[i]; i++) {
        const { name } = chain[i + 1]!;
        if (isConstant && i === chain.length - 2) continue;
        if (implicit.includes(name) || lookUp(scope, name) !== chain[i + 1]) continue;
        ways.push({ prefix: "", start: i + 1, inherited: inside(chain[i]!) });
      }
      // after a space, lest it be one operator with what precedes it
      ways.push({ prefix: " .", start: 1, inherited: none });
    } else {
      ways.push({ prefix: `${this.importText(scope, chain[0]!)}.`, start: 1, inherited: none });
      for (const owner of around) {
        for (const alias of owner.aliases) {
          const isFile = alias.target === chain[0] && lookUp(scope, alias.name) === alias;
          if (isFile) ways.push({ prefix: `${alias.name}.`, start: 1, inherited: inside(owner) });
        }
      }
    }
    const way = this.#random.pick(ways);
    const bindings = new Map(way.inherited);
    const parts = chain.slice(way.start).map((one) => {
      if (one.parameters.length === 0 || depth <= 0 || this.#random.chance(0.2)) return one.name;
      const args = this.#arguments(one, { scope, implicit }, depth);
      bindings.set(one, args.types);
      return one.name + args.text;
    });
    return { text: way.prefix + parts.join("."), bindings };
  }

  #arguments({ parameters }: Declaration, place: Place, depth: number): { types: Type[]; text: string } {
    const args = parameters.map(() => this.type(place, depth - 1, { argument: true }));
    return { types: args.map(({ type }) => type), text: `(${args.map(({ text }) => text).join(", ")})` };
  }

  type(place: Place, depth: number, rules: TypeRules = {}): TypeSource {
    for (let attempt = 0; attempt < 20; attempt++) {
      const source = this.#attempt(place, depth, rules);
      if (source !== undefined && suits(source.type, rules)) return source;
    }
    return { text: "Text", type: { which: "blob", name: "Text" } };
  }

  #attempt(place: Place, depth: number, rules: TypeRules): TypeSource | undefined {
    const random = this.#random;
    const roll = random.below(rules.structOnly ? 45 : 100);
    if (roll < 30) return this.#named(place, depth, rules);
    if (roll < 45) return this.#alias(place, depth);
    if (roll < 60) return random.chance(0.5) ? this.#parameter(place) : this.#implicit(place);
    if (roll < 70) {
      const name = random.pick(["Text", "Data"] as const);
      return { text: name, type: { which: "blob", name } };
    }
    if (roll < 74) {
      const name = random.pick(anyTypes);
      return { text: name, type: { which: "any", name } };
    }
    if (roll < 84) {
      if (depth <= 0) return undefined;
      const element = this.type(place, depth - 1, { element: true });
      return { text: `List(${element.text})`, type: { which: "list", element: element.type } };
    }
    const name = random.pick(dataTypes);
    return { text: name, type: { which: "data", name } };
  }

  #named(place: Place, depth: number, rules: TypeRules): TypeSource | undefined {
    const kinds = rules.structOnly
      ? ["struct"]
      : rules.argument
        ? ["struct", "interface"]
        : ["struct", "enum", "interface"];
    const target = this.#random.tryPick(this.visible(place.scope).filter(({ kind }) => kinds.includes(kind)));
    const reached = target && this.reach(target, place, depth);
    if (target === undefined || reached === undefined) return undefined;
    return { text: reached.text, type: { which: "named", declaration: target, bindings: reached.bindings } };
  }

  #alias(place: Place, depth: number): TypeSource | undefined {
    const owner = this.#random.pick(place.scope.chain);
    const alias: Alias | undefined = this.#random.tryPick(owner.aliases);
    if (alias === undefined || alias.target instanceof Declaration || place.implicit.includes(alias.name))
      return undefined;
    if (lookUp(place.scope, alias.name) !== alias) return undefined;
    const { target } = alias;
    const isGeneric = target.which === "named" && target.declaration.parameters.length > 0;
    if (!isGeneric || target.bindings.has(target.declaration) || depth <= 0 || this.#random.chance(0.3)) {
      if (target.which !== "named" || target.bindings.size > 0) return { text: alias.name, type: target };
      // What is bound around the alias counts as bound, although the target knows nothing of it.
      return { text: alias.name, type: { ...target, bindings: inside(owner) } };
    }
    const { declaration, bindings } = target;
    const args = this.#arguments(declaration, place, depth);
    const type = { which: "named", declaration, bindings: new Map([...bindings, [declaration, args.types]]) } as const;
    return { text: alias.name + args.text, type };
  }

  #parameter({ scope, implicit }: Place): TypeSource | undefined {
    const generic = this.#random.tryPick(scope.chain.filter(({ parameters }) => parameters.length > 0));
    if (generic === undefined) return undefined;
    const index = this.#random.below(generic.parameters.length);
    const text = generic.parameters[index]!;
    const found = lookUp(scope, text);
    if (implicit.includes(text) || found === undefined || !("declaration" in found)) return undefined;
    if (found.declaration !== generic) return undefined;
    return { text, type: bind({ which: "parameter", declaration: generic, index }, inside(scope)) };
  }

  #implicit({ implicit }: Place): TypeSource | undefined {
    if (implicit.length === 0) return undefined;
    const index = this.#random.below(implicit.length);
    return { text: implicit[index]!, type: { which: "implicit", index } };
  }
}

function suits(type: Type, { argument, element, structOnly }: TypeRules): boolean {
  if (structOnly) return type.which === "named" && type.declaration.kind === "struct";
  if (argument) {
    if (type.which === "named") return type.declaration.kind !== "enum";
    // The C++ compiler forgets the kind of such elements in arguments.
    if (type.which === "list" && innermost(type).which === "any") return false;
    return type.which === "any" ? type.name === "AnyPointer" : type.which !== "data";
  }
  if (!element) return true;
  if (type.which === "any") return type.name === "AnyList" || type.name === "Capability";
  return type.which !== "parameter" && type.which !== "implicit";
}
