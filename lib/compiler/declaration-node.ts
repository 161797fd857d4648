import type { Node, StructBody } from "../schema/node.ts";
import type { Declaration, Expression, LocatedText } from "./ast.ts";
import { BrandScope } from "./brands.ts";
import { builtin, resolveBuiltin } from "./builtins.ts";
import type { DepthGuard } from "./depth-guard.ts";
import type { ErrorReporter } from "./diagnostics.ts";
import type { NodeDraft } from "./draft.ts";
import { type BuiltinName, type NodeKind, noImplicitParameters, type Resolution, type Resolver } from "./resolver.ts";
import { childId } from "./type-id.ts";
import type { ValueBudget } from "./value-budget.ts";
import { type NodeDeclaration, NodeTranslator, type Outline, type TranslationContext } from "./translator.ts";

/** All nodes of one compilation. */
export interface NodeTable {
  readonly depth: DepthGuard;
  readonly budget: ValueBudget;
  /** Takes a node in; the id that it really gets, since two nodes must not share one. */
  add(node: DeclarationNode, id: bigint): bigint;
  get(id: bigint): DeclarationNode | undefined;
  /** The struct of a group, once the struct around it has been laid out. */
  groupBody(id: bigint): StructBody | undefined;
  addGroups(translator: NodeTranslator): void;
}

/** The file that a node is in. */
export interface NodeModule {
  readonly errors: ErrorReporter;
  /** What nodes of this file are called by. */
  readonly displayName: string;
  readonly root: DeclarationNode;
  importFile(path: string): DeclarationNode | undefined;
  readEmbed(path: string): Uint8Array | undefined;
}

/** `using Name = target`. */
class Alias {
  readonly #target: Expression;
  readonly #scope: DeclarationNode;
  #resolution: Resolution | undefined;
  #isResolved = false;

  constructor(target: Expression, scope: DeclarationNode) {
    this.#target = target;
    this.#scope = scope;
  }

  /** What the alias stands for; undefined where that has been reported, or the alias leads back to itself. */
  resolve(): Resolution | undefined {
    if (this.#isResolved) return this.#resolution;
    this.#isResolved = true;
    const { errors, table } = this.#scope;
    if (!table.depth.enter()) {
      table.depth.report(errors, this.#target);
      return undefined;
    }
    const branded = BrandScope.inside(errors, this.#scope).evaluate(this.#target, this.#scope, noImplicitParameters);
    table.depth.leave();
    if (branded?.which !== "declaration") {
      this.#resolution = branded;
    } else {
      const brand = branded.brand.compile();
      const { declaration, aliasBrand } = branded;
      this.#resolution = {
        which: "declaration",
        declaration,
        scopeId: this.#scope.id,
        // an alias of an alias keeps the brand of that one where it has none: it still is not declared in this scope
        brand: brand.scopes.length === 0 ? aliasBrand : brand,
      };
    }
    return this.#resolution;
  }
}

/**
 * A declaration that becomes a schema node, and a scope for names. It is worked off in steps, each taken when something
 * first needs it: `stub` (id known), `expanded` (children known), `outlined` (types and layout known), `finished`.
 */
export class DeclarationNode implements Resolver, TranslationContext {
  readonly table: NodeTable;
  readonly module: NodeModule;
  readonly parent: DeclarationNode | undefined;
  readonly declaration: NodeDeclaration;
  readonly displayName: string;
  readonly id: bigint;
  #children: Map<string, DeclarationNode> | undefined;
  #orderedChildren: DeclarationNode[] = [];
  #aliases = new Map<string, Alias>();
  #state: "stub" | "outlined" | "finished" = "stub";
  #isBusy = false;
  #translator: NodeTranslator | undefined;

  constructor(table: NodeTable, module: NodeModule, parent: DeclarationNode | undefined, declaration: NodeDeclaration) {
    this.table = table;
    this.module = module;
    this.parent = parent;
    this.declaration = declaration;
    const { text } = declaration.name;
    this.displayName =
      parent === undefined
        ? module.displayName
        : `${parent.displayName}${parent.parent === undefined ? ":" : "."}${text}`;
    const desired = declaration.uid?.value ?? childId(parent?.id ?? 0n, text);
    this.id = table.add(this, desired);
  }

  get kind(): NodeKind {
    return this.declaration.kind;
  }

  get parameterCount(): number {
    return this.declaration.parameters.length;
  }

  get errors(): ErrorReporter {
    return this.module.errors;
  }

  get depth(): DepthGuard {
    return this.table.depth;
  }

  get budget(): ValueBudget {
    return this.table.budget;
  }

  get file(): DeclarationNode {
    return this.module.root;
  }

  get name(): string {
    return this.declaration.name.text;
  }

  /** Reports something about the declaration as a whole, at its name. */
  report(message: string): void {
    const name: LocatedText = this.declaration.name;
    this.errors.report(name.text === "" ? this.declaration : name, message);
  }

  #expand(): Map<string, DeclarationNode> {
    if (this.#children !== undefined) return this.#children;
    const children = new Map<string, DeclarationNode>();
    this.#children = children;
    for (const member of this.declaration.members) {
      const name = member.name.text;
      if (isNode(member)) {
        const child = new DeclarationNode(this.table, this.module, this, member);
        this.#orderedChildren.push(child);
        if (!children.has(name)) children.set(name, child);
      } else if (member.kind === "using" && !this.#aliases.has(name)) {
        this.#aliases.set(name, new Alias(member.target, this));
      }
    }
    return children;
  }

  /** In source order, those of a name that is taken included. */
  get children(): readonly DeclarationNode[] {
    this.#expand();
    return this.#orderedChildren;
  }

  /** Resolves each alias, so that the errors of unused ones are found too. */
  resolveAliases(): void {
    this.#expand();
    const names = [...this.#aliases.keys()].sort((a, b) => (a < b ? -1 : 1));
    for (const name of names) this.#aliases.get(name)!.resolve();
  }

  resolveMember(name: string): Resolution | undefined {
    const child = this.#expand().get(name);
    if (child !== undefined) return { which: "declaration", declaration: child, scopeId: this.id };
    return this.#aliases.get(name)?.resolve();
  }

  resolve(name: string): Resolution | undefined {
    const member = this.resolveMember(name);
    if (member !== undefined) return member;
    const index = this.declaration.parameters.findIndex(({ text }) => text === name);
    if (index >= 0) return { which: "parameter", id: this.id, index };
    if (this.parent !== undefined) return this.parent.resolve(name);
    return resolveBuiltin(name);
  }

  builtin(name: BuiltinName): Resolver {
    return builtin(name);
  }

  byId(id: bigint): Resolver {
    return this.table.get(id)!;
  }

  resolveImport(path: string): Resolver | undefined {
    return this.module.importFile(path);
  }

  readEmbed(path: string): Uint8Array | undefined {
    return this.module.readEmbed(path);
  }

  /** The translation with at least types and layout; undefined where that needs itself, which is then reported. */
  get outlined(): NodeTranslator | undefined {
    return this.#advance("outlined");
  }

  /** The translation with all values. */
  get finishedTranslation(): NodeTranslator | undefined {
    return this.#advance("finished");
  }

  #advance(goal: "outlined" | "finished"): NodeTranslator | undefined {
    if (this.#state === "finished" || this.#state === goal) return this.#translator;
    if (this.#isBusy) {
      this.report("Declaration recursively depends on itself.");
      return undefined;
    }
    if (!this.depth.enter()) {
      this.depth.report(this.errors, this.declaration.name);
      return undefined;
    }
    this.#isBusy = true;
    if (this.#state === "stub") {
      this.#translator = new NodeTranslator(this, this.declaration, this.#draft(), this);
      this.table.addGroups(this.#translator);
      this.#state = "outlined";
    }
    if (goal === "finished") {
      this.#translator!.finish();
      this.#state = "finished";
    }
    this.#isBusy = false;
    this.depth.leave();
    return this.#translator;
  }

  #draft(): NodeDraft {
    const { id, displayName } = this;
    const dot = displayName.lastIndexOf(".") + 1;
    const colon = displayName.lastIndexOf(":") + 1;
    return {
      id,
      displayName,
      displayNamePrefixLength: Math.max(dot, colon),
      scopeId: this.parent?.id ?? 0n,
      parameters: [],
      isGeneric: false,
      nestedNodes: this.children.map((child) => ({ name: child.name, id: child.id })),
      annotations: [],
      body: { which: "file" },
    };
  }

  outline(id: bigint): Outline | undefined {
    return sound(this.table.get(id)?.outlined);
  }

  finished(id: bigint): Outline | undefined {
    return sound(this.table.get(id)?.finishedTranslation);
  }

  structBody(id: bigint): StructBody | undefined {
    const node = this.table.get(id);
    if (node === undefined) return this.table.groupBody(id);
    const body: Node["body"] | undefined = sound(node.outlined)?.node.body;
    return body?.which === "struct" ? body : undefined;
  }

  nameOf(id: bigint): string {
    return this.table.get(id)?.name ?? "";
  }
}

function sound(translator: NodeTranslator | undefined): NodeTranslator | undefined {
  return translator?.isBroken ? undefined : translator;
}

function isNode(declaration: Declaration): declaration is NodeDeclaration {
  switch (declaration.kind) {
    case "const":
    case "annotation":
    case "enum":
    case "struct":
    case "interface":
      return true;
    default:
      return false;
  }
}
