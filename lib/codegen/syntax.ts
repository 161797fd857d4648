import { type Doc, type Group, group, ifBreak, indent, join, line, print, softLine } from "./printer.ts";

/** Pieces of TypeScript, as the formatters lay them out. */

/** A reference to a type, with type arguments. */
export const reference = (name: string, args: readonly Doc[] = []): Doc => {
  if (args.length === 0) return name;
  const [only] = args;
  if (args.length === 1 && typeof only === "string") return [name, "<", only, ">"];
  return [name, group(["<", indent([softLine, join([",", line], args)]), softLine, ">"])];
};

/** A union as a type argument. */
export const unionArgument = (docs: readonly Doc[]): Doc =>
  docs.length === 1 ? (docs[0] as Doc) : group([ifBreak("| "), join([line, "| "], docs)]);

export const tuple = (docs: readonly Doc[]): Doc =>
  group(["[", indent([softLine, join([",", line], docs), ifBreak(",")]), softLine, "]"]);

export const typeLiteral = (members: readonly Doc[]): Doc =>
  group(["{", indent([line, join([";", line], members), ifBreak(";")]), line, "}"]);

/** `(a: A, b: B): Result`, with what stands before the parenthesis. */
export const signature = (start: Doc, params: readonly Doc[], result: Doc): Doc =>
  params.length === 0
    ? group([start, "(): ", result])
    : group([start, "(", indent([softLine, join([",", line], params), ifBreak(",")]), softLine, "): ", result]);

/** `set name(value: Type)`. */
export const setter = (name: string, type: Doc): Doc => group([`set ${name}(value: `, type, ifBreak(","), ")"]);

/** `interface Name<T> extends A, B`. */
export const interfaceHead = (name: string, params: readonly Doc[], parents: readonly Doc[]): Doc => {
  const parameters = typeParameters(params);
  const start = [`interface ${name}`, parameters ?? ""];
  if (parents.length === 0) return group(start);
  const list = join([",", line], parents);
  const heritage = ["extends ", parents.length > 1 ? indent(list) : list];
  return parameters === undefined
    ? group([start, indent([line, heritage])])
    : group([start, indent([ifBreak(" ", line, parameters), heritage])]);
};

const typeParameters = (params: readonly Doc[]): Group | undefined =>
  params.length === 0
    ? undefined
    : group(["<", indent([softLine, join([",", line], params), ifBreak(",")]), softLine, ">"]);

/** `A & B`. */
export const intersection = ([first = "", ...rest]: readonly Doc[]): Doc =>
  group([first, indent(rest.map((part) => [" &", line, part]))]);

/** `type Name = A & B`. */
export const intersectionAlias = (name: string, params: readonly Doc[], parts: readonly Doc[]): Doc => [
  `type ${name}`,
  typeParameters(params) ?? "",
  " = ",
  intersection(parts),
];

/** `type Name = A | B`. */
export const unionAlias = (name: string, parts: readonly Doc[]): Doc =>
  parts.length === 0
    ? `type ${name} = never`
    : parts.length === 1
      ? [`type ${name} = `, parts[0] as Doc]
      : group([`type ${name} =`, indent([line, ifBreak("| "), join([line, "| "], parts)])]);

/** A union within an intersection. */
export const unionInParentheses = (parts: readonly Doc[]): Doc =>
  parts.length === 1
    ? (parts[0] as Doc)
    : group(["(", indent([softLine, ifBreak("| "), join([line, "| "], parts.map(indent))]), softLine, ")"]);

/** Lines of a file: what is written is printed at once, at the depth of the block that is open. */
export class Source {
  readonly #lines: string[] = [];
  #depth = 0;

  get text(): string {
    return `${this.#lines.join("\n")}\n`;
  }

  /** A line, or several where it does not fit into one. */
  line(doc: Doc): void {
    const text = print(doc, this.#depth);
    this.#lines.push(text === "" ? "" : `${"  ".repeat(this.#depth)}${text}`);
  }

  lines(text: readonly string[]): void {
    for (const one of text) this.line(one);
  }

  /** `head { ... }`, or `head {}` where nothing is written into it. */
  block(head: Doc, write: () => void): void {
    const before = this.#lines.length;
    this.line([head, " {"]);
    const start = this.#lines.length;
    this.#depth++;
    write();
    this.#depth--;
    if (this.#lines.length > start) {
      this.line("}");
      return;
    }
    this.#lines.length = before;
    this.line([head, " {}"]);
  }
}
