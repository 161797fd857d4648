import type { AnnotationApplication, Expression, ExpressionBody, LocatedText, TupleParam } from "./ast.ts";
import type { ErrorReporter } from "./diagnostics.ts";
import type { Span } from "./span.ts";
import type { Token } from "./token.ts";
import { TokenCursor } from "./token-cursor.ts";

/**
 * How deep expressions may nest: `a.b.c(d)(e)` counts each step, unlike brackets, which the lexer limits. Later stages
 * recurse over expressions.
 */
const maxDepth = 500;

/** Where an expression was made up, its errors point to the start of the file, as in C++. */
export const unknownExpression: Expression = { which: "unknown", start: 0, end: 0, depth: 0 };

const depthOf = (params: readonly TupleParam[]): number =>
  params.reduce((depth, { value }) => Math.max(depth, value.depth), 0);

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

/** The rules for expressions and annotation applications, over the tokens of one statement or list item. */
export class ExpressionParser {
  readonly errors: ErrorReporter;

  constructor(errors: ErrorReporter) {
    this.errors = errors;
  }

  #make(span: Span, body: ExpressionBody, depth: number): Expression {
    if (depth <= maxDepth) return { start: span.start, end: span.end, depth, ...body };
    this.errors.report(
      span,
      `Expressions nest deeper than ${maxDepth} levels; name a part of it with 'using' or 'const'.`,
    );
    return unknownExpression;
  }

  /** Every item of a list token by `rule`, which must use it up; undefined, and reported, where an item does not parse. */
  items<T>(list: Token, rule: (cursor: TokenCursor) => T | undefined): (T | undefined)[] {
    return list.items.map((tokens) => {
      const cursor = new TokenCursor(tokens);
      const item = rule(cursor);
      if (item !== undefined && cursor.atEnd) return item;
      const first = tokens[0];
      if (first === undefined) {
        this.errors.report(list, "Parse error: Empty list item.");
      } else {
        const { start } = cursor.unseen ?? first;
        this.errors.report({ start, end: tokens[tokens.length - 1]!.end }, "Parse error.");
      }
      return undefined;
    });
  }

  expression(cursor: TokenCursor): Expression | undefined {
    let result = this.#base(cursor);
    if (result === undefined) return undefined;
    for (;;) {
      const suffix: Expression | undefined = this.#memberOf(cursor, result) ?? this.#applicationOf(cursor, result);
      if (suffix === undefined) return result;
      result = suffix;
      if (suffix === unknownExpression) this.#skipSuffixes(cursor);
    }
  }

  /** What follows on an expression that is too deep has been reported with it. */
  #skipSuffixes(cursor: TokenCursor): void {
    while (cursor.attempt(() => cursor.operator(".") && cursor.identifier()) ?? cursor.take("parenthesized"));
  }

  #base(cursor: TokenCursor): Expression | undefined {
    const token = cursor.tokens[cursor.at];
    switch (token?.kind) {
      case "integer":
        cursor.take("integer");
        return this.#make(token, { which: "positiveInt", value: token.value as bigint }, 1);
      case "float":
        cursor.take("float");
        return this.#make(token, { which: "float", value: token.value as number }, 1);
      case "string":
        return this.#strings(cursor);
      case "binary":
        cursor.take("binary");
        return this.#make(token, { which: "binary", bytes: token.value as Uint8Array }, 1);
      case "bracketed": {
        cursor.take("bracketed");
        const elements = this.items(token, (item) => this.expression(item)).map(
          (element) => element ?? unknownExpression,
        );
        const depth = elements.reduce((most, element) => Math.max(most, element.depth), 0);
        return this.#make(token, { which: "list", elements }, depth + 1);
      }
      case "parenthesized": {
        cursor.take("parenthesized");
        const params = this.#tuple(token);
        const only = params.length === 1 ? params[0]! : undefined;
        if (only !== undefined && only.name === undefined) return only.value;
        return this.#make(token, { which: "tuple", params }, depthOf(params) + 1);
      }
      default:
        return (
          cursor.attempt(() => this.#negative(cursor)) ??
          cursor.attempt(() => this.#file(cursor, "import")) ??
          cursor.attempt(() => this.#file(cursor, "embed")) ??
          cursor.attempt(() => this.#name(cursor))
        );
    }
  }

  /** Adjacent strings are one, as in C. */
  #strings(cursor: TokenCursor): Expression | undefined {
    const first = cursor.at;
    const parts: Uint8Array[] = [];
    for (let token = cursor.take("string"); token !== undefined; token = cursor.take("string")) {
      parts.push(token.value as Uint8Array);
    }
    const bytes = parts.length === 1 ? parts[0]! : concatenate(parts);
    return this.#make(cursor.spanFrom(first), { which: "string", bytes }, 1);
  }

  #negative(cursor: TokenCursor): Expression | undefined {
    const first = cursor.at;
    if (cursor.operator("-") === undefined) return undefined;
    const integer = cursor.take("integer");
    if (integer !== undefined) return this.#make(integer, { which: "negativeInt", value: integer.value as bigint }, 1);
    const float = cursor.take("float");
    if (float !== undefined) return this.#make(float, { which: "float", value: -(float.value as number) }, 1);
    if (cursor.keyword("inf") === undefined) return undefined;
    return this.#make(cursor.spanFrom(first), { which: "float", value: Number.NEGATIVE_INFINITY }, 1);
  }

  #file(cursor: TokenCursor, which: "import" | "embed"): Expression | undefined {
    const first = cursor.at;
    if (cursor.keyword(which) === undefined) return undefined;
    const path = cursor.take("string");
    if (path === undefined) return undefined;
    const text = new TextDecoder().decode(path.value as Uint8Array);
    return this.#make(cursor.spanFrom(first), { which, name: { text, start: path.start, end: path.end } }, 1);
  }

  #name(cursor: TokenCursor): Expression | undefined {
    const first = cursor.at;
    const which = cursor.operator(".") === undefined ? "relativeName" : "absoluteName";
    const name = cursor.identifier();
    return name && this.#make(cursor.spanFrom(first), { which, name }, 1);
  }

  #memberOf(cursor: TokenCursor, parent: Expression): Expression | undefined {
    const name = cursor.attempt(() => cursor.operator(".") && cursor.identifier());
    return (
      name && this.#make({ start: parent.start, end: name.end }, { which: "member", parent, name }, parent.depth + 1)
    );
  }

  #applicationOf(cursor: TokenCursor, callee: Expression): Expression | undefined {
    const list = cursor.take("parenthesized");
    if (list === undefined) return undefined;
    const params = this.#tuple(list);
    const depth = Math.max(callee.depth, depthOf(params)) + 1;
    return this.#make({ start: callee.start, end: list.end }, { which: "application", callee, params }, depth);
  }

  #tuple(list: Token): TupleParam[] {
    const params = this.items(list, (cursor) => {
      const name = cursor.attempt(() => {
        const identifier = cursor.identifier();
        return identifier && cursor.operator("=") && identifier;
      });
      const value = this.expression(cursor);
      return value && { name, value };
    });
    return params.map((param) => param ?? { name: undefined, value: unknownExpression });
  }

  annotations(cursor: TokenCursor): AnnotationApplication[] {
    const annotations: AnnotationApplication[] = [];
    for (;;) {
      const annotation = cursor.attempt(() => this.annotation(cursor));
      if (annotation === undefined) return annotations;
      annotations.push(annotation);
    }
  }

  /** `$name` or `$name(value)`: the value was read as an application and is told apart here. */
  annotation(cursor: TokenCursor): AnnotationApplication | undefined {
    if (cursor.operator("$") === undefined) return undefined;
    const expression = this.expression(cursor);
    if (expression === undefined) return undefined;
    if (expression.which !== "application") return { name: expression, value: undefined };
    const { callee, params } = expression;
    const only = params.length === 1 ? params[0]! : undefined;
    if (only !== undefined && only.name === undefined) return { name: callee, value: only.value };
    return { name: callee, value: { which: "tuple", params, start: 0, end: 0, depth: expression.depth } };
  }

  identifiers(list: Token): LocatedText[] {
    return this.items(list, (cursor) => cursor.identifier()).map((name) => name ?? { text: "", start: 0, end: 0 });
  }
}
