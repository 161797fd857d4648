import { bind, Declaration, type FileInfo, innermost, type Kind, type Type } from "./declaration.ts";
import { Random } from "./random.ts";
import { type Ordinal, optional, type Piece, type SourceFile, type SourceTree, type Statement } from "./statement.ts";
import { type MemberSource, memberName, StructWriter } from "./struct-source.ts";
import { type Place, type TypeSource, TypeWriter } from "./type-source.ts";
import { isEnum, ValueWriter } from "./value-source.ts";

const everything = Number.POSITIVE_INFINITY;
const annotationTargets = [
  ...["file", "const", "enum", "enumerant", "struct", "field"],
  ...["union", "group", "interface", "method", "param", "annotation"],
];
const afterStatements = [
  ...["\n", "\n", "\n", " ", "", "\n\n", "\r\n", "\t\n  "],
  ...[
    " # doc\n",
    "\n# doc\n# more\n",
    "\n\n# not attached\n",
    " # doc, \u00fcn\u00efcode \u4e16\n",
    "\n  #\n  #  indented\n\n",
  ],
  ...["\r\n# doc after CRLF\r\n", " #no space\n# second\n\n# not attached\n"],
];

/** What annotations at some place may depend on. */
interface AnnotationLimits {
  readonly constants: number;
  readonly enums: number;
  readonly annotations: number;
}

const unlimited: AnnotationLimits = { constants: everything, enums: everything, annotations: everything };

/**
 * A random valid schema of one to three files, which may use everything that the language has. Its paths begin with
 * `folder`; files below `lib/` are imported absolutely, with `lib` on the import path.
 */
export function randomSchema(seed: number, folder: string): SourceTree {
  return new SchemaWriter(seed, folder).write();
}

class SchemaWriter {
  readonly #random: Random;
  readonly #folder: string;
  readonly #files: Declaration[] = [];
  readonly #types: TypeWriter;
  readonly #values: ValueWriter;
  readonly #embedded: Record<string, Uint8Array> = {};
  readonly #members = new Map<Declaration, readonly MemberSource[]>();
  readonly #aliases = new Map<Declaration, string[]>();
  readonly #typeTexts = new Map<Declaration, string>();
  readonly #valueTexts = new Map<Declaration, string>();
  #count = 0;

  constructor(seed: number, folder: string) {
    this.#random = new Random(seed);
    this.#folder = folder;
    this.#types = new TypeWriter(this.#random, this.#files);
    this.#values = new ValueWriter(this.#random, this.#types, (place, bytes) => this.#embed(place, bytes));
  }

  write(): SourceTree {
    const random = this.#random;
    const isLarge = random.chance(0.1);
    this.#declareFiles();
    for (const file of this.#files) this.#declareMembers(file, random.between(1, isLarge ? 12 : 5), 3);
    const all = this.#files.flatMap((file) => file.all);
    for (const declaration of all) this.#importNames(declaration);
    for (const declaration of all) this.#declareAliases(declaration);
    for (const declaration of all) {
      if (declaration.kind === "enum") {
        declaration.enumerants = Array.from({ length: random.below(6) }, () => memberName(random, declaration.names));
      } else if (declaration.kind === "annotation") {
        const { text, type } = this.#types.type(placeIn(declaration), 2);
        this.#typeTexts.set(declaration, text);
        declaration.type = type;
        const targets = random.chance(0.4) ? annotationTargets : annotationTargets.filter(() => random.chance(0.5));
        declaration.targets = new Set(targets.length === 0 ? ["field"] : targets);
      }
    }
    const structs = new StructWriter(random, this.#types);
    for (const declaration of all) {
      if (declaration.kind !== "struct") continue;
      const members = structs.members(declaration);
      this.#members.set(declaration, members);
      declaration.members = members;
    }
    for (const declaration of all) if (declaration.kind === "const") this.#defineConstant(declaration);
    const [first, ...others] = this.#files.filter(({ file }) => file.importedAs === undefined);
    const requested = [first!, ...others.filter(() => random.chance(0.3))].map(({ file }) => file.path);
    return { files: this.#files.map((file) => this.#file(file)), embedded: this.#embedded, requested };
  }

  #declareFiles(): void {
    const random = this.#random;
    const main = [`${this.#folder}/a.capnp`];
    if (random.chance(0.4)) main.push(`${this.#folder}/${random.pick(["", "sub/"])}b.capnp`);
    const shared = random.chance(0.25) ? [`${this.#folder}/c.capnp`] : [];
    if (shared.length > 0 && random.chance(0.3)) shared.push(`${this.#folder}/sub/d.capnp`);
    const infos: FileInfo[] = [
      ...main.map((path) => ({ path, importedAs: undefined, importable: [] })),
      ...shared.map((path) => ({ path: `lib/${path}`, importedAs: `/${path}`, importable: [] })),
    ];
    for (const info of infos) this.#files.push(this.#declare("file", "", undefined, info));
    for (const { file } of this.#files) {
      for (const other of this.#files) {
        const mayImport = file.importedAs === undefined || other.file.importedAs !== undefined;
        if (other.file !== file && mayImport) file.importable.push(other);
      }
    }
  }

  #declare(kind: Kind, name: string, parent: Declaration | undefined, file: FileInfo): Declaration {
    const isGeneric = (kind === "struct" || kind === "interface") && this.#random.chance(0.35);
    const parameters = isGeneric ? ["T", "U", "Key"].slice(this.#random.below(3)) : [];
    return new Declaration(kind, name, parent, file, parameters, this.#count++);
  }

  #declareMembers(parent: Declaration, count: number, depth: number): void {
    for (let i = 0; i < count; i++) {
      const kinds: Kind[] = [
        "struct",
        "struct",
        "struct",
        "enum",
        "interface",
        "interface",
        "const",
        "const",
        "annotation",
      ];
      const kind = this.#random.pick(kinds);
      const isType = kind === "struct" || kind === "enum" || kind === "interface";
      const name = isType ? this.#typeName(parent.names) : memberName(this.#random, parent.names);
      const child = this.#declare(kind, name, parent, parent.file);
      const nests = (kind === "struct" || kind === "interface") && depth > 0 && this.#random.chance(0.5);
      if (nests) this.#declareMembers(child, this.#random.between(1, 3), depth - 1);
    }
  }

  /** From few names, so that inner declarations often hide outer ones. */
  #typeName(taken: Set<string>): string {
    for (let attempt = 0; ; attempt++) {
      const name =
        this.#random.pick(["A", "B", "Node", "Box", "Entry", "T", "Constructor"]) + (attempt > 2 ? attempt : "");
      if (taken.has(name)) continue;
      taken.add(name);
      return name;
    }
  }

  /** First of all aliases: what they import by its own name may hide what the others name. */
  #importNames(scope: Declaration): void {
    if (!holdsAliases(scope)) return;
    const texts: string[] = [];
    this.#aliases.set(scope, texts);
    const file = this.#random.chance(0.2) ? this.#random.tryPick(scope.file.importable) : undefined;
    const imported =
      file && this.#random.tryPick(file.children.filter(({ kind }) => kind !== "const" && kind !== "annotation"));
    if (file === undefined || imported === undefined || scope.names.has(imported.name)) return;
    texts.push(`using ${this.#types.importText(scope, file)}.${imported.name}`);
    scope.names.add(imported.name);
    const target = { which: "named", declaration: imported, bindings: new Map() } as const;
    scope.aliases.push({ name: imported.name, target });
  }

  #declareAliases(scope: Declaration): void {
    const random = this.#random;
    if (!holdsAliases(scope)) return;
    for (let i = random.below(3); i > 0; i--) {
      const file = random.chance(0.5) ? random.tryPick(scope.file.importable) : undefined;
      const { text, type } = this.#types.type(placeIn(scope), 2);
      // The C++ compiler forgets the kind of the elements.
      if (type.which === "list" && innermost(type).which === "any") continue;
      const name = `Alias${this.#count++}`;
      this.#aliases
        .get(scope)!
        .push(`using ${name} = ${file === undefined ? text : this.#types.importText(scope, file)}`);
      scope.names.add(name);
      scope.aliases.push({ name, target: file ?? type });
    }
  }

  #defineConstant(constant: Declaration): void {
    const place = placeIn(constant);
    for (;;) {
      const { text, type } = this.#types.type(place, 3);
      const value = this.#values.value(type, place, 4, constant.index);
      if (value === undefined) continue;
      constant.type = type;
      this.#typeTexts.set(constant, text);
      this.#valueTexts.set(constant, value);
      return;
    }
  }

  #embed({ scope }: Place, bytes: Uint8Array): string {
    const name = `${Object.keys(this.#embedded).length}.bin`;
    const { path } = scope.file;
    this.#embedded[path.slice(0, path.lastIndexOf("/") + 1) + name] = bytes;
    return name;
  }

  #after(): string {
    return this.#random.pick(afterStatements);
  }

  #file(file: Declaration): SourceFile {
    const random = this.#random;
    const statements: Statement[] = this.#declarations(file);
    for (const annotation of this.#annotations("file", placeIn(file), unlimited)) {
      statements.push({ pieces: [annotation.text.trim()], afterHead: this.#after() });
    }
    if (random.chance(0.2)) {
      const pieces = [`$import "/capnp/c++.capnp".namespace("n${random.below(9)}")`];
      statements.push({ pieces, afterHead: this.#after() });
    }
    const id: Statement = { pieces: [random.id()], afterHead: this.#after() };
    const rest = random.shuffled(statements);
    return {
      path: file.file.path,
      prefix: random.pick(["", "", "", "", "\ufeff", "# A comment.\n", "\n\n", "\r\n"]),
      statements: random.chance(0.9) ? [id, ...rest] : [...rest, id],
    };
  }

  #declarations(scope: Declaration): Statement[] {
    return [
      ...scope.children.map((child) => this.#declaration(child)),
      ...(this.#aliases.get(scope) ?? []).map((text) => ({ pieces: [text], afterHead: this.#after() })),
    ];
  }

  #declaration(declaration: Declaration): Statement {
    const random = this.#random;
    const { kind, name, parameters, index } = declaration;
    const place = placeIn(declaration);
    const id = optional(random.chance(0.3) ? ` ${random.id()}` : "");
    const head = [`${kind} ${name}`, id, parameters.length > 0 ? ` (${parameters.join(", ")})` : ""];
    const space = { afterHead: this.#after(), afterBlock: this.#after() };
    const outside = declaration.parent === undefined ? place : placeIn(declaration.parent);
    const inner = kind === "struct" || kind === "interface" ? place : outside;
    switch (kind) {
      case "const": {
        const limits = { constants: index, enums: everything, annotations: everything };
        const definition = ` :${this.#typeTexts.get(declaration)} = ${this.#valueTexts.get(declaration)}`;
        return { pieces: [...head, definition, ...this.#annotations(kind, inner, limits)], ...space };
      }
      case "annotation": {
        const limits = { constants: -1, enums: -1, annotations: index };
        const targets = [...declaration.targets];
        const list = targets.length === annotationTargets.length ? "*" : targets.join(", ");
        const pieces = [...head, ` (${list}) :${this.#typeTexts.get(declaration)}`];
        return { pieces: [...pieces, ...this.#annotations(kind, inner, limits)], ...space };
      }
      case "enum": {
        const limits = { constants: -1, enums: index, annotations: everything };
        const ranks = random.shuffled(declaration.enumerants.map((_, rank) => rank));
        const block = declaration.enumerants.map((enumerant, i): Statement => {
          const pieces = [`${enumerant} `, { rank: ranks[i]! }, ...this.#annotations("enumerant", inner, limits)];
          return { pieces, afterHead: this.#after() };
        });
        return { pieces: [...head, ...this.#annotations(kind, inner, limits)], block, countsOrdinals: true, ...space };
      }
      case "interface": {
        const pieces = [...head, this.#superclasses(declaration), ...this.#annotations(kind, inner, unlimited)];
        const block = this.#mixed([...this.#methods(declaration), ...this.#declarations(declaration)]);
        return { pieces, block, countsOrdinals: true, ...space };
      }
      default: {
        const pieces = [...head, ...this.#annotations(kind, inner, unlimited)];
        const members = this.#memberStatements(this.#members.get(declaration) ?? [], place);
        const block = this.#mixed([...members, ...this.#declarations(declaration)]);
        return { pieces, block, countsOrdinals: true, ...space };
      }
    }
  }

  #mixed(statements: readonly Statement[]): readonly Statement[] {
    return this.#random.chance(0.5) ? statements : this.#random.shuffled(statements);
  }

  #memberStatements(members: readonly MemberSource[], place: Place): Statement[] {
    return members.map(({ which, name, members: inner, source, ordinal }): Statement => {
      if (source !== undefined && ordinal !== undefined) {
        const pieces = [`${name} `, ordinal, ` :${source.text}`, this.#default(source.type, place)];
        return { pieces: [...pieces, ...this.#annotations("field", place, unlimited)], afterHead: this.#after() };
      }
      const pieces: (string | Piece | Ordinal)[] = [];
      if (name === "") {
        pieces.push("union");
      } else {
        pieces.push(`${name} `, ...(ordinal === undefined ? [] : [ordinal, "! "]), `:${which}`);
        pieces.push(...this.#annotations(which, place, unlimited));
      }
      const block = this.#memberStatements(inner ?? [], place);
      return { pieces, block, afterHead: this.#after(), afterBlock: this.#after() };
    });
  }

  #default(type: Type, place: Place): Piece {
    const scope = placeIn(place.scope);
    const value = this.#random.chance(0.35) ? this.#values.value(type, scope, 3, everything) : undefined;
    return optional(value === undefined ? "" : ` = ${value}`);
  }

  #superclasses(declaration: Declaration): Piece {
    const place = placeIn(declaration);
    const known = this.#types
      .visible(declaration)
      .filter(({ kind, index }) => kind === "interface" && index < declaration.index);
    const chosen = this.#random.shuffled(known).slice(0, this.#random.chance(0.5) ? 0 : this.#random.below(4));
    const texts = chosen.flatMap((one) => this.#types.reach(one, place, 2)?.text ?? []);
    return optional(texts.length === 0 ? "" : ` extends (${texts.join(", ")})`);
  }

  #methods(declaration: Declaration): Statement[] {
    const random = this.#random;
    const count = random.below(5);
    const ranks = random.shuffled(Array.from({ length: count }, (_, rank) => rank));
    return ranks.map((rank): Statement => {
      const implicit = random.chance(0.3) ? ["X", "Y"].slice(random.below(2)) : [];
      const place = { scope: declaration, implicit };
      const head = [`${memberName(random, declaration.names)} `, { rank }];
      if (implicit.length > 0) head.push(` [${implicit.join(", ")}]`);
      const roll = random.below(5);
      const results = roll === 0 ? "" : roll === 1 ? " -> stream" : ` -> ${this.#params(place)}`;
      return {
        pieces: [
          ...head,
          { text: ` ${this.#params(place)}`, simpler: [" ()"] },
          { text: results, simpler: ["", " -> ()"] },
          ...this.#annotations("method", placeIn(declaration), unlimited),
        ],
        afterHead: this.#after(),
      };
    });
  }

  #params(place: Place): string {
    const random = this.#random;
    if (random.chance(0.25)) {
      const { text, type } = this.#types.type(place, 3, { structOnly: true });
      if (type.which === "named") return text;
    }
    const names = new Set<string>();
    const params = Array.from({ length: random.below(5) }, () => {
      const { text, type }: TypeSource = this.#types.type(place, 3);
      const isPointer = type.which !== "data" && !isEnum(type);
      const value = isPointer && random.chance(0.1) ? " = null" : this.#default(type, place).text;
      const annotations = this.#annotations("param", placeIn(place.scope), unlimited).map((piece) => piece.text);
      // C++ holds params to no style.
      const name = memberName(random, names);
      const styled = random.pick([name, name, name, name, `_${name}`, `${name[0]?.toUpperCase()}${name.slice(1)}`]);
      return `${styled} :${text}${value}${annotations.join("")}`;
    });
    return `(${params.join(random.pick([", ", ",", ",\n    "]))})`;
  }

  #annotations(target: string, place: Place, limits: AnnotationLimits): Piece[] {
    const random = this.#random;
    const pieces: Piece[] = [];
    if (random.chance(0.7)) return pieces;
    const known = this.#types
      .visible(place.scope)
      .filter(({ targets, index }) => targets.has(target) && index < limits.annotations);
    for (const annotation of random.shuffled(known).slice(0, random.between(1, 2))) {
      const reached = this.#types.reach(annotation, place, 2);
      if (reached === undefined) continue;
      const type = bind(annotation.type!, reached.bindings);
      if (isEnum(type) && type.declaration.index >= limits.enums) continue;
      if (type.which === "data" && type.name === "Void" && random.chance(0.7)) {
        pieces.push(optional(` $${reached.text}`));
        continue;
      }
      const value = this.#values.value(type, place, 2, limits.constants);
      if (value === undefined) continue;
      pieces.push(optional(` $${reached.text}${value.startsWith("(") ? value : `(${value})`}`));
    }
    return pieces;
  }
}

function holdsAliases({ kind }: Declaration): boolean {
  return kind === "file" || kind === "struct" || kind === "interface";
}

function placeIn(scope: Declaration): Place {
  return { scope, implicit: [] };
}
