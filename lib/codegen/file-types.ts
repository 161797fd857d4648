import type { ConstBody, EnumBody, Node } from "../schema/node.ts";
import type { Declaration } from "./declaration.ts";
import { docComment } from "./doc-comment.ts";
import { InterfaceTypes } from "./interface-types.ts";
import { hexId, memberName } from "./names.ts";
import type { Doc } from "./printer.ts";
import { parameterList, type StructContext, StructTypes, structArguments } from "./struct-types.ts";
import { interfaceHead, reference, signature, type Source, unionAlias } from "./syntax.ts";
import { beside, type Scope } from "./type-names.ts";

/** What a struct class has whatever is declared in the struct, which then has an underscore behind its name. */
export const structMembers: readonly string[] = [
  "Builder",
  "Reader",
  "Restorer",
  "dataBytes",
  "fromBytes",
  "fromBytesPacked",
  "fromJSON",
  "fromSegments",
  "fromText",
  "newMessage",
  "of",
  "pointerCount",
  "read",
  "readMultiple",
  "readMultipleBytes",
  "readMultipleBytesPacked",
  "readMultiplePacked",
  "readPacked",
  "schema",
];

/** The same of an interface class. */
export const interfaceMembers: readonly string[] = ["Client", "Server", "of", "schema"];

/** Writes the types of all that a file declares. */
export class FileTypes {
  readonly #context: StructContext;
  readonly #source: Source;

  constructor(context: StructContext, source: Source) {
    this.#context = context;
    this.#source = source;
  }

  write(declaration: Declaration): void {
    const { node, outer } = declaration;
    const atTop = outer === undefined;
    const start = atTop ? "export " : "";
    switch (node.body.which) {
      case "enum":
        this.#writeEnum(declaration, node.body, start);
        return;
      case "interface":
        this.#comment(node);
        this.#writeClass(declaration, start, "$.InterfaceClass", [
          this.#context.types.own(declaration, beside(declaration), ".Client"),
          this.#context.types.own(declaration, beside(declaration), ".Server"),
        ]);
        break;
      case "struct": {
        this.#comment(node);
        const args = structArguments(declaration, beside(declaration), this.#context);
        if (node.body.isGroup || this.#context.declarations.isOfMethod(node.id)) {
          const parent = reference(node.body.isGroup ? "$.GroupType" : "$.StructType", args);
          this.#source.line([interfaceHead(declaration.name, parameterList(declaration), [parent]), " {}"]);
        } else this.#writeClass(declaration, start, "$.StructClass", args);
        break;
      }
      default:
        return;
    }
    this.#source.line("");
    this.#source.block(`${atTop ? "export declare " : ""}namespace ${declaration.name}`, () => {
      for (const member of declaration.members.values()) {
        this.write(member);
        this.#source.line("");
      }
      if (node.body.which === "struct") new StructTypes(declaration, this.#context, this.#source).write();
      else new InterfaceTypes(declaration, this.#context, this.#source).write();
    });
  }

  /** The type of what a node is at run time; undefined for what it is not there. */
  valueType(node: Node, scope: Scope): Doc | undefined {
    const { declarations, types } = this.#context;
    switch (node.body.which) {
      case "struct":
      case "interface":
        return types.own(declarations.get(node.id), scope);
      case "enum":
        return reference("$.EnumClass", [types.path(declarations.get(node.id), scope)]);
      case "const":
        return this.#constantType(node.body, scope);
      case "annotation":
        return "bigint";
      default:
        return undefined;
    }
  }

  /** The nodes that are declared within a node and that the compiled schema contains. */
  nested(node: Node): { readonly name: string; readonly node: Node }[] {
    return node.nestedNodes.flatMap(({ name, id }) => {
      const nested = this.#context.declarations.find(id);
      return nested === undefined ? [] : [{ name, node: nested }];
    });
  }

  #constantType({ type }: ConstBody, scope: Scope): Doc {
    return type.which === "interface" ? "null" : this.#context.types.reader(type, scope);
  }

  #writeClass(declaration: Declaration, start: string, parent: string, args: readonly Doc[]): void {
    const { name, node } = declaration;
    const isStruct = node.body.which === "struct";
    const taken = new Set(
      isStruct ? structMembers : [...interfaceMembers, ...Object.getOwnPropertyNames(Object.prototype)],
    );
    const head = interfaceHead(name, parameterList(declaration), [reference(parent, args)]);
    this.#source.block([start, head], () => {
      for (const { name, node: nested } of this.nested(node)) {
        const type = this.valueType(nested, beside(declaration));
        if (type === undefined) continue;
        this.#comment(nested);
        this.#source.line([`readonly ${memberName(taken.has(name) ? `${name}_` : name)}: `, type, ";"]);
      }
      this.#writeBinding(declaration);
    });
  }

  /** `of`, where a type has parameters of its own. */
  #writeBinding(declaration: Declaration): void {
    const own = declaration.parameters.filter(({ scopeId }) => scopeId === declaration.node.id);
    if (own.length === 0) return;
    this.#source.line("/** This type with its parameters bound. */");
    const bound = declaration.parameters.map((one) => (own.includes(one) ? `$.PointerFor<${one.name}>` : one.name));
    const names = own.map(({ name }) => name);
    const type = reference(this.#context.types.path(declaration, beside(declaration)), bound);
    const generics = names.map((name) => `${name} extends $.PointerArgument`).join(", ");
    this.#source.line([
      signature(
        `of<${generics}>`,
        names.map((name) => `${name}: ${name}`),
        type,
      ),
      ";",
    ]);
  }

  #writeEnum({ name, node }: Declaration, { enumerants }: EnumBody, start: string): void {
    const { declarations } = this.#context;
    const sorted = enumerants.map((one, index) => ({ ...one, index })).sort((a, b) => a.codeOrder - b.codeOrder);
    const members = sorted.flatMap(({ name: member, index }) => {
      const comment = declarations.memberComment(node.id, index).trim();
      return comment === "" ? [] : [`- \`${member}\`: ${comment.replace(/\n(?=.)/g, "\n  ")}`];
    });
    this.#source.lines(docComment([declarations.comment(node.id).trim(), members.join("\n")].join("\n\n")));
    const names = sorted.map(({ name: member }) => JSON.stringify(member));
    this.#source.line([start, unionAlias(name, names), ";"]);
  }

  #comment(node: Node): void {
    const { declarations } = this.#context;
    // A group's comment is that of its field.
    const info = declarations.comment(node.id);
    if (node.body.which === "struct" && node.body.isGroup) return;
    this.#source.lines(docComment(info));
  }
}

/** `@0x934efea7f017fff0` of a file. */
export const fileId = ({ id }: Node): string => `@${hexId(id)}`;
