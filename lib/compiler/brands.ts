import type { AnyPointerType, Brand, BrandScope as CompiledBrandScope, Type } from "../schema/node.ts";
import type { Expression } from "./ast.ts";
import { type BrandedDeclaration, builtinTypes, unlocated } from "./branded-declaration.ts";
import type { ErrorReporter } from "./diagnostics.ts";
import { expressionText } from "./expression-text.ts";
import type { BuiltinName, ImplicitParameters, Resolution, Resolver } from "./resolver.ts";

/** What a compiled type is, and whether it is what the source says or what stands in for it after a reported error. */
export interface CompiledType {
  readonly type: Type;
  readonly ok: boolean;
}

const voidType: Type = { which: "void" };
const emptyBrand: Brand = { scopes: [] };
const genericArguments = new Set<string>(["List", "Text", "Data", "AnyPointer", "struct", "interface"]);

/**
 * Of how many parts a type may consist. Aliases of generic types may double a type at each step, so that thirty lines would
 * spell a type of a thousand million parts.
 */
const maxTypeSize = 4096;

/**
 * The bindings of type parameters in force at one scope and those around it. Reading `Foo(Text).Bar` starts from the
 * bindings of the place where it is written, pushes a level for Foo, binds it to `(Text)`, and pushes one for Bar.
 */
export class BrandScope {
  readonly #errors: ErrorReporter;
  readonly #parent: BrandScope | undefined;
  readonly id: bigint;
  readonly #parameterCount: number;
  /** The parameters are those of the scope that the code itself stands in: they stay variables. */
  readonly #inherited: boolean;
  readonly #bindings: readonly BrandedDeclaration[];
  /** How many parts the type consists of that these bindings are those of. */
  readonly #size: number;

  private constructor(
    errors: ErrorReporter,
    parent: BrandScope | undefined,
    id: bigint,
    parameterCount: number,
    inherited: boolean,
    bindings: readonly BrandedDeclaration[],
  ) {
    this.#errors = errors;
    this.#parent = parent;
    this.id = id;
    this.#parameterCount = parameterCount;
    this.#inherited = inherited;
    this.#bindings = bindings;
    let size = 1 + (parent === undefined ? 0 : parent.#size);
    for (const binding of bindings) size += binding.which === "declaration" ? binding.brand.#size : 1;
    this.#size = size;
  }

  /** The bindings inside `scope` itself: none yet, all inherited. */
  static inside(errors: ErrorReporter, scope: Resolver): BrandScope {
    const parent = scope.parent && BrandScope.inside(errors, scope.parent);
    return new BrandScope(errors, parent, scope.id, scope.parameterCount, true, []);
  }

  get isGeneric(): boolean {
    return this.#parameterCount > 0 || (this.#parent?.isGeneric ?? false);
  }

  push(id: bigint, parameterCount: number): BrandScope {
    return new BrandScope(this.#errors, this, id, parameterCount, false, []);
  }

  #pop(id: bigint): BrandScope {
    let level: BrandScope | undefined = this;
    while (level !== undefined && level.id !== id) level = level.#parent;
    return level ?? new BrandScope(this.#errors, undefined, id, 0, false, []);
  }

  /** Binds the parameters of this level; undefined, and reported, where their number is wrong. */
  bind(bindings: readonly BrandedDeclaration[], generic: Resolver["kind"], source: Expression): BrandScope | undefined {
    let message: string | undefined;
    if (this.#bindings.length !== 0) message = "Double-application of generic parameters.";
    else if (bindings.length < this.#parameterCount) message = "Not enough generic parameters.";
    else if (bindings.length > this.#parameterCount) {
      message =
        this.#parameterCount === 0 ? "Declaration does not accept generic parameters." : "Too many generic parameters.";
    }
    if (message !== undefined) {
      this.#errors.report(source, message);
      return undefined;
    }
    if (generic !== "List") {
      for (const binding of bindings) {
        if (binding.which === "declaration" && !genericArguments.has(binding.declaration.kind)) {
          this.#errors.report(binding.source, "Sorry, only pointer types can be used as generic parameters.");
        }
      }
    }
    return this.#with(bindings);
  }

  #with(bindings: readonly BrandedDeclaration[]): BrandScope {
    return new BrandScope(this.#errors, this.#parent, this.id, this.#parameterCount, false, bindings);
  }

  #level(id: bigint): BrandScope | undefined {
    let level: BrandScope | undefined = this;
    while (level !== undefined && level.id !== id) level = level.#parent;
    return level;
  }

  /** What a parameter is bound to; undefined where it stays a variable. */
  #lookUp(resolver: Resolver, scopeId: bigint, index: number): BrandedDeclaration | undefined {
    const level = this.#level(scopeId);
    if (level !== undefined) {
      const binding = level.#bindings[index];
      if (binding !== undefined || level.#inherited) return binding;
    }
    return this.#builtin(resolver, "AnyPointer");
  }

  #builtin(resolver: Resolver, name: BuiltinName): BrandedDeclaration {
    const declaration = resolver.builtin(name);
    const brand = new BrandScope(this.#errors, undefined, declaration.id, declaration.parameterCount, false, []);
    return { which: "declaration", declaration, brand, source: unlocated };
  }

  /** The bindings as the schema records them: innermost level first, levels without bindings left out. */
  compile(): Brand {
    let scopes: CompiledBrandScope[] | undefined;
    for (let level: BrandScope | undefined = this; level !== undefined; level = level.#parent) {
      if (level.#inherited) {
        if (level.#parameterCount === 0) continue;
        scopes ??= [];
        scopes.push({ scopeId: level.id, which: "inherit" });
      } else if (level.#bindings.length > 0) {
        scopes ??= [];
        const bindings = level.#bindings.map(
          (binding) => ({ which: "type", type: this.compileType(binding).type }) as const,
        );
        scopes.push({ scopeId: level.id, which: "bind", bindings });
      }
    }
    return scopes === undefined ? emptyBrand : { scopes };
  }

  compileType(branded: BrandedDeclaration): CompiledType {
    if (branded.which === "parameter") {
      const { id: scopeId, index: parameterIndex } = branded;
      const type: Type =
        scopeId === 0n
          ? { which: "anyPointer", kind: "implicitMethodParameter", parameterIndex }
          : { which: "anyPointer", kind: "parameter", scopeId, parameterIndex };
      return { type, ok: true };
    }
    const { declaration, brand, source } = branded;
    const { kind } = declaration;
    switch (kind) {
      case "enum":
      case "struct":
      case "interface":
        return { type: { which: kind, typeId: declaration.id, brand: brand.compile() }, ok: true };
      case "List":
        return this.#compileList(brand, source);
      case "file":
      case "const":
      case "annotation":
        this.#errors.report(source, `'${expressionText(source)}' is not a type.`);
        return { type: voidType, ok: false };
      case "Object":
        this.#errors.report(
          source,
          "As of Cap'n Proto 0.4, 'Object' has been renamed to 'AnyPointer'.  Sorry for the inconvenience, and thanks " +
            "for being an early adopter.  :)",
        );
        return { type: builtinTypes.AnyPointer, ok: true };
      default:
        return { type: builtinTypes[kind], ok: true };
    }
  }

  #compileList(brand: BrandScope, source: Expression): CompiledType {
    const only = brand.#bindings.length === 1 ? brand.#bindings[0]! : undefined;
    if (only === undefined) {
      this.#errors.report(source, "'List' requires exactly one parameter.");
      return { type: { which: "list", elementType: voidType }, ok: false };
    }
    const { type: elementType, ok } = this.compileType(only);
    if (!ok) return { type: { which: "list", elementType }, ok: false };
    const unsupported = elementType.which === "anyPointer" ? unsupportedElement(elementType) : undefined;
    if (unsupported !== undefined) {
      this.#errors.report(source, `'List(${unsupported})' is not supported.`);
      return { type: { which: "list", elementType: voidType }, ok: false };
    }
    return { type: { which: "list", elementType }, ok: true };
  }

  /** What `source` names, read in the scope `resolver`; undefined where an error has been reported. */
  evaluate(source: Expression, resolver: Resolver, implicit: ImplicitParameters): BrandedDeclaration | undefined {
    const branded = this.#evaluate(source, resolver, implicit);
    if (branded?.which !== "declaration" || branded.brand.#size <= maxTypeSize) return branded;
    this.#errors.report(source, `This type consists of more than ${maxTypeSize} parts.`);
    return undefined;
  }

  #evaluate(source: Expression, resolver: Resolver, implicit: ImplicitParameters): BrandedDeclaration | undefined {
    switch (source.which) {
      case "unknown":
        return undefined;
      case "relativeName":
        return this.#evaluateName(source.name.text, source, resolver, implicit);
      case "absoluteName": {
        const found = resolver.file.resolveMember(source.name.text);
        if (found !== undefined) return this.#interpret(resolver, found, source);
        this.#errors.report(source.name, `Not defined: ${source.name.text}`);
        return undefined;
      }
      case "import": {
        const declaration = resolver.resolveImport(source.name.text);
        if (declaration === undefined) {
          this.#errors.report(source.name, `Import failed: ${source.name.text}`);
          return undefined;
        }
        return { which: "declaration", declaration, brand: BrandScope.inside(this.#errors, declaration), source };
      }
      case "application":
        return this.#evaluateApplication(source, resolver, implicit);
      case "member": {
        const parent = this.evaluate(source.parent, resolver, implicit);
        if (parent === undefined) return undefined;
        const found = parent.which === "declaration" ? parent.declaration.resolveMember(source.name.text) : undefined;
        if (found !== undefined && parent.which === "declaration") {
          return parent.brand.#interpret(parent.declaration, found, source);
        }
        const message = `'${expressionText(source.parent)}' has no member named '${source.name.text}'`;
        this.#errors.report(source.name, message);
        return undefined;
      }
      default:
        this.#errors.report(source, "Expected name.");
        return undefined;
    }
  }

  #evaluateName(
    name: string,
    source: Expression,
    resolver: Resolver,
    implicit: ImplicitParameters,
  ): BrandedDeclaration | undefined {
    const index = implicit.names.findIndex(({ text }) => text === name);
    if (index >= 0) return { which: "parameter", id: implicit.scopeId, index, source: unlocated };
    const found = resolver.resolve(name);
    if (found !== undefined) return this.#interpret(resolver, found, source);
    this.#errors.report(source, `Not defined: ${name}`);
    return undefined;
  }

  #evaluateApplication(
    source: Expression & { which: "application" },
    resolver: Resolver,
    implicit: ImplicitParameters,
  ): BrandedDeclaration | undefined {
    const callee = this.evaluate(source.callee, resolver, implicit);
    if (callee === undefined) return undefined;
    const bindings: BrandedDeclaration[] = [];
    for (const { name, value } of source.params) {
      if (name !== undefined) this.#errors.report(name, "Named parameter not allowed here.");
      const binding = this.evaluate(value, resolver, implicit);
      if (binding !== undefined) bindings.push(binding);
    }
    if (bindings.length < source.params.length || callee.which === "parameter") return callee;
    const brand = callee.brand.bind(bindings, callee.declaration.kind, source);
    return brand === undefined ? callee : { ...callee, brand, source };
  }

  #interpret(resolver: Resolver, found: Resolution, source: Expression): BrandedDeclaration {
    if (found.which === "parameter") {
      return this.#lookUp(resolver, found.id, found.index) ?? { ...found, source };
    }
    const { declaration, scopeId, brand } = found;
    const scope = this.#pop(scopeId);
    return {
      which: "declaration",
      declaration,
      aliasBrand: brand,
      brand:
        brand === undefined
          ? scope.push(declaration.id, declaration.parameterCount)
          : scope.#replay(resolver, declaration, brand.scopes, 0),
      source,
    };
  }

  /** The levels of an alias's target, with the alias's bindings read in terms of the bindings here. */
  #replay(resolver: Resolver, declaration: Resolver, scopes: readonly CompiledBrandScope[], index: number): BrandScope {
    const scope = scopes[index];
    let next = index;
    let inherited = false;
    let bindings: readonly BrandedDeclaration[] = [];
    if (scope?.scopeId === declaration.id) {
      next++;
      if (scope.which === "bind") {
        bindings = scope.bindings.map((binding) =>
          binding.which === "type" ? this.#decompile(resolver, binding.type) : this.#builtin(resolver, "AnyPointer"),
        );
      } else {
        const level = this.#level(declaration.id);
        inherited = level === undefined || level.#inherited;
        if (level !== undefined && !inherited) bindings = level.#bindings;
      }
    }
    const parent = declaration.parent && this.#replay(resolver, declaration.parent, scopes, next);
    return new BrandScope(this.#errors, parent, declaration.id, declaration.parameterCount, inherited, bindings);
  }

  #decompile(resolver: Resolver, type: Type): BrandedDeclaration {
    switch (type.which) {
      case "enum":
      case "struct":
      case "interface": {
        const declaration = resolver.byId(type.typeId);
        const brand = this.#replay(resolver, declaration, type.brand.scopes, 0);
        return { which: "declaration", declaration, brand, source: unlocated };
      }
      case "list": {
        const list = this.#builtin(resolver, "List");
        const element = this.#decompile(resolver, type.elementType);
        return list.which === "declaration" ? { ...list, brand: list.brand.#with([element]) } : list;
      }
      case "anyPointer":
        if (type.kind === "parameter") {
          const { scopeId: id, parameterIndex: index } = type;
          return this.#lookUp(resolver, id, index) ?? { which: "parameter", id, index, source: unlocated };
        }
        break;
      default:
    }
    for (const [name, builtin] of Object.entries(builtinTypes)) {
      const kindsAgree = builtin.which !== "anyPointer" || type.which !== "anyPointer" || builtin.kind === type.kind;
      if (builtin.which === type.which && kindsAgree) return this.#builtin(resolver, name as BuiltinName);
    }
    return this.#builtin(resolver, "AnyPointer");
  }
}

/**
 * The name under which a list of these pointers is refused. Of type parameters and implicit parameters, C++ takes the
 * index for the kind of pointer: the first two are refused and further ones are not. Schemas must not compile here that
 * do not compile there.
 */
function unsupportedElement(type: AnyPointerType): string | undefined {
  const kind = "parameterIndex" in type ? pointerKinds[type.parameterIndex] : type.kind;
  if (kind === "unconstrained") return "AnyPointer";
  return kind === "struct" ? "AnyStruct" : undefined;
}

const pointerKinds = ["unconstrained", "struct"];
