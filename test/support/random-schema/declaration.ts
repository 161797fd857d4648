/** What random schemas declare, as far as other declarations need to know. */
export type Type =
  | { readonly which: "data"; readonly name: string }
  | { readonly which: "blob"; readonly name: "Text" | "Data" }
  | { readonly which: "any"; readonly name: "AnyPointer" | "AnyStruct" | "AnyList" | "Capability" }
  | { readonly which: "list"; readonly element: Type }
  | { readonly which: "named"; readonly declaration: Declaration; readonly bindings: Bindings }
  | { readonly which: "parameter"; readonly declaration: Declaration; readonly index: number }
  | { readonly which: "implicit"; readonly index: number };

/** Of each generic declaration on the way to another: its arguments, or that they are those of the place itself. */
export type Bindings = ReadonlyMap<Declaration, readonly Type[] | "inherit">;

export type Kind = "file" | "struct" | "enum" | "interface" | "const" | "annotation";

export interface FileInfo {
  readonly path: string;
  /** Set where others find the file along the import path only. */
  readonly importedAs: string | undefined;
  /** What the file's name is in the files that it may import. */
  readonly importable: Declaration[];
}

export interface Alias {
  readonly name: string;
  readonly target: Type | Declaration;
}

export interface Member {
  readonly which: "field" | "group" | "union";
  readonly name: string;
  /** Of fields. */
  readonly type?: Type;
  readonly members?: readonly Member[];
}

export class Declaration {
  readonly kind: Kind;
  readonly name: string;
  readonly parent: Declaration | undefined;
  readonly file: FileInfo;
  readonly parameters: readonly string[];
  /** Counts up over all declarations: what must not depend on each other in circles refers to smaller ones only. */
  readonly index: number;
  readonly children: Declaration[] = [];
  readonly aliases: Alias[] = [];
  /** Names that are taken among what this declares. */
  readonly names = new Set<string>();
  enumerants: readonly string[] = [];
  members: readonly Member[] = [];
  /** Of a constant or annotation. */
  type: Type | undefined;
  targets: ReadonlySet<string> = new Set();

  constructor(
    kind: Kind,
    name: string,
    parent: Declaration | undefined,
    file: FileInfo,
    parameters: readonly string[],
    index: number,
  ) {
    this.kind = kind;
    this.name = name;
    this.parent = parent;
    this.file = file;
    this.parameters = parameters;
    this.index = index;
    parent?.children.push(this);
    parent?.names.add(name);
  }

  /** The file, what is in it, and so on to the declaration itself. */
  get chain(): Declaration[] {
    return [...(this.parent?.chain ?? []), this];
  }

  get all(): Declaration[] {
    return [this, ...this.children.flatMap((child) => child.all)];
  }
}

export type Found = Declaration | Alias | { readonly declaration: Declaration; readonly index: number };

/** What a name means at a place. */
export function lookUp(scope: Declaration, name: string): Found | undefined {
  for (let at: Declaration | undefined = scope; at !== undefined; at = at.parent) {
    const member = at.children.find((child) => child.name === name) ?? at.aliases.find((alias) => alias.name === name);
    if (member !== undefined) return member;
    const index = at.parameters.indexOf(name);
    if (index >= 0) return { declaration: at, index };
  }
  return undefined;
}

const anyPointer: Type = { which: "any", name: "AnyPointer" };

/** A type that was written at one place as it is at another. */
export function bind(type: Type, bindings: Bindings): Type {
  switch (type.which) {
    case "list":
      return { which: "list", element: bind(type.element, bindings) };
    case "parameter": {
      const bound = bindings.get(type.declaration);
      return bound === "inherit" ? type : (bound?.[type.index] ?? anyPointer);
    }
    case "named": {
      const own = new Map<Declaration, readonly Type[] | "inherit">();
      for (const [declaration, args] of type.bindings) {
        const outer = args === "inherit" ? bindings.get(declaration) : args.map((arg) => bind(arg, bindings));
        if (outer !== undefined) own.set(declaration, outer);
      }
      return { ...type, bindings: own };
    }
    default:
      return type;
  }
}

/** The bindings inside of a declaration. */
export function inside(scope: Declaration): Bindings {
  return new Map(scope.chain.filter(({ parameters }) => parameters.length > 0).map((one) => [one, "inherit"] as const));
}

/** Two types with equal keys are the same type; undefined where a type depends on parameters. */
export function keyOf(type: Type): string | undefined {
  switch (type.which) {
    case "list": {
      const element = keyOf(type.element);
      return element && `List(${element})`;
    }
    case "named": {
      let key = `#${type.declaration.index}`;
      for (const [declaration, args] of [...type.bindings].sort(([a], [b]) => a.index - b.index)) {
        const keys = args === "inherit" ? [undefined] : args.map(keyOf);
        if (keys.includes(undefined)) return undefined;
        key += `[${declaration.index}:${keys.join()}]`;
      }
      return key;
    }
    case "parameter":
    case "implicit":
      return undefined;
    default:
      return type.name;
  }
}

export function innermost(type: Type): Type {
  return type.which === "list" ? innermost(type.element) : type;
}
