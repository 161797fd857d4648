import type { Declaration, DeclarationKind, Expression, LocatedInteger, LocatedText, ParamList } from "./ast.ts";
import type { ErrorReporter } from "./diagnostics.ts";

/** The last name in an expression, which tells whether an alias of it names a type. */
function targetName(expression: Expression): string {
  switch (expression.which) {
    case "absoluteName":
    case "relativeName":
    case "member":
      return expression.name.text;
    case "application":
      return targetName(expression.callee);
    default:
      return "";
  }
}

const startsLowerCase = (name: string): boolean => name >= "a" && name < "{";
const startsUpperCase = (name: string): boolean => name >= "A" && name < "[";

/** Checks the names declared in one scope, an unnamed union's with those around it, and what may be declared there. */
export class NameChecker {
  readonly #errors: ErrorReporter;
  readonly #names = new Map<string, LocatedText>();

  constructor(errors: ErrorReporter) {
    this.#errors = errors;
  }

  check(members: readonly Declaration[], parentKind: DeclarationKind): void {
    for (const member of members) {
      this.#checkUnique(member);
      this.#checkStyle(member);
      this.#checkPlace(member, parentKind);
    }
  }

  /** Params are held to no style. */
  checkParams(list: ParamList | undefined): void {
    if (list?.which !== "named") return;
    for (const { name } of list.params) if (name.text !== "") this.#checkUnique({ name, kind: "field" });
  }

  #checkUnique({ name, kind }: Pick<Declaration, "name" | "kind">): void {
    const previous = this.#names.get(name.text);
    if (previous === undefined) {
      this.#names.set(name.text, name);
    } else if (name.text === "" && kind === "union") {
      this.#errors.report(name, "An unnamed union is already defined in this scope.");
      this.#errors.report(previous, "Previously defined here.");
    } else {
      this.#errors.report(name, `'${name.text}' is already defined in this scope.`);
      this.#errors.report(previous, `'${name.text}' previously defined here.`);
    }
  }

  #checkStyle(member: Declaration): void {
    const { kind, name } = member;
    if (name.text === "") return;
    const namesType =
      kind === "using"
        ? !startsLowerCase(targetName(member.target))
        : kind === "enum" || kind === "struct" || kind === "interface";
    if (namesType && !startsUpperCase(name.text)) {
      this.#errors.report(name, "Type names must begin with a capital letter.");
    } else if (!namesType && !startsLowerCase(name.text)) {
      this.#errors.report(name, "Non-type names must begin with a lower-case letter.");
    }
    if (name.text.includes("_")) {
      this.#errors.report(
        name,
        "Cap'n Proto declaration names should use camelCase and must not contain underscores. (Code generators may " +
          "convert names to the appropriate style for the target language.)",
      );
    }
  }

  #checkPlace(member: Declaration, parentKind: DeclarationKind): void {
    switch (member.kind) {
      case "field":
      case "union":
      case "group":
        if (parentKind !== "struct" && parentKind !== "union" && parentKind !== "group") {
          this.#errors.report(member, "This declaration can only appear in structs.");
        }
        (member.name.text === "" ? this : new NameChecker(this.#errors)).check(member.members, member.kind);
        break;
      case "enumerant":
        if (parentKind !== "enum") this.#errors.report(member, "Enumerants can only appear in enums.");
        break;
      case "method":
        if (parentKind !== "interface") this.#errors.report(member, "Methods can only appear in interfaces.");
        break;
      default:
        if (parentKind !== "file" && parentKind !== "struct" && parentKind !== "interface") {
          this.#errors.report(member, "This kind of declaration doesn't belong here.");
        }
    }
  }
}

/** What ordinals are sorted by. One beyond the limit, which has been reported, counts by its lower 32 bits, as in C++. */
export const ordinalKey = ({ value }: LocatedInteger): number => Number(BigInt.asUintN(32, value));

/** Checks that ordinals, which arrive sorted, count up from 0 without a gap. */
export class OrdinalChecker {
  readonly #errors: ErrorReporter;
  #expected = 0n;
  #last: LocatedInteger | undefined;

  constructor(errors: ErrorReporter) {
    this.#errors = errors;
  }

  check(ordinal: LocatedInteger): void {
    if (ordinal.value < this.#expected) {
      this.#errors.report(ordinal, "Duplicate ordinal number.");
      if (this.#last !== undefined) {
        this.#errors.report(this.#last, `Ordinal @${this.#last.value} originally used here.`);
        this.#last = undefined;
      }
    } else if (ordinal.value > this.#expected) {
      this.#errors.report(ordinal, `Skipped ordinal @${this.#expected}.  Ordinals must be sequential with no holes.`);
      this.#expected = BigInt.asUintN(32, ordinal.value + 1n);
    } else {
      this.#expected++;
      this.#last = ordinal;
    }
  }
}
