import {
  type AnnotationTarget,
  annotationTargets,
  type Declaration,
  type DeclarationBase,
  type DeclarationBody,
  type AnnotationApplication,
  type LocatedInteger,
  type LocatedText,
  type Param,
  type ParamList,
} from "./ast.ts";
import { ExpressionParser, unknownExpression } from "./expression-parser.ts";
import type { Token } from "./token.ts";
import type { TokenCursor } from "./token-cursor.ts";
import { idFlag } from "./type-id.ts";

/** Where a statement stands, which decides what it may declare. */
export type Level = "file" | "enum" | "struct" | "interface";

/** A declaration whose statement is a block names the level inside. */
export type Parsed =
  | { readonly which: "declaration"; readonly declaration: Declaration; readonly inner: Level | undefined }
  | { readonly which: "id"; readonly id: LocatedInteger }
  | { readonly which: "annotation"; readonly annotation: AnnotationApplication };

const nameless: LocatedText = { text: "", start: 0, end: 0 };

type Head = Pick<DeclarationBase, "name"> & Partial<Pick<DeclarationBase, "uid" | "parameters" | "annotations">>;

function declare(head: Head, body: DeclarationBody, inner?: Level): Parsed {
  const declaration = {
    start: 0,
    end: 0,
    docComment: undefined,
    members: [],
    parameters: [],
    annotations: [],
    ...head,
    ...body,
  } as Declaration;
  return { which: "declaration", declaration, inner };
}

/** The rules for declarations, over the tokens of one statement. */
export class DeclarationParser extends ExpressionParser {
  /** The first alternative of `level` that matches; whether it used up all tokens is the caller's question. */
  parse(cursor: TokenCursor, level: Level): Parsed | undefined {
    const rules: readonly ((cursor: TokenCursor) => Parsed | undefined)[] = this.#levels[level];
    for (const rule of rules) {
      const parsed = cursor.attempt(() => rule(cursor));
      if (parsed !== undefined) return parsed;
    }
    return undefined;
  }

  readonly #anywhere = [
    (cursor: TokenCursor) => this.#using(cursor),
    (cursor: TokenCursor) => this.#const(cursor),
    (cursor: TokenCursor) => this.#annotationDeclaration(cursor),
    (cursor: TokenCursor) => this.#enum(cursor),
    (cursor: TokenCursor) => this.#struct(cursor),
    (cursor: TokenCursor) => this.#interface(cursor),
  ];
  readonly #levels = {
    file: [
      ...this.#anywhere,
      (cursor: TokenCursor) => this.#nakedId(cursor),
      (cursor: TokenCursor) => this.#nakedAnnotation(cursor),
    ],
    enum: [(cursor: TokenCursor) => this.#enumerant(cursor)],
    struct: [
      (cursor: TokenCursor) => this.#union(cursor),
      (cursor: TokenCursor) => this.#field(cursor),
      (cursor: TokenCursor) => this.#group(cursor),
      ...this.#anywhere,
    ],
    interface: [(cursor: TokenCursor) => this.#method(cursor), ...this.#anywhere],
  };

  #integer(cursor: TokenCursor): LocatedInteger | undefined {
    return cursor.attempt(() => {
      const token = cursor.operator("@") && cursor.take("integer");
      return token && { value: token.value as bigint, start: token.start, end: token.end };
    });
  }

  #uid(cursor: TokenCursor): LocatedInteger | undefined {
    const id = this.#integer(cursor);
    if (id !== undefined && id.value < idFlag) {
      this.errors.report(id, "Invalid ID.  Please generate a new one with 'capnpc -i'.");
    }
    return id;
  }

  #ordinal(cursor: TokenCursor): LocatedInteger | undefined {
    const ordinal = this.#integer(cursor);
    if (ordinal !== undefined && ordinal.value >= 65536n) {
      this.errors.report(ordinal, "Ordinals cannot be greater than 65535.");
    }
    return ordinal;
  }

  #typeParameters(cursor: TokenCursor, kind: "parenthesized" | "bracketed"): LocatedText[] {
    const list = cursor.take(kind);
    return list === undefined ? [] : this.identifiers(list);
  }

  #nakedId(cursor: TokenCursor): Parsed | undefined {
    const id = this.#uid(cursor);
    return id && { which: "id", id };
  }

  #nakedAnnotation(cursor: TokenCursor): Parsed | undefined {
    const annotation = this.annotation(cursor);
    return annotation && { which: "annotation", annotation };
  }

  #using(cursor: TokenCursor): Parsed | undefined {
    if (cursor.keyword("using") === undefined) return undefined;
    const explicit = cursor.attempt(() => {
      const identifier = cursor.identifier();
      return identifier && cursor.operator("=") && identifier;
    });
    const target = this.expression(cursor);
    if (target === undefined) return undefined;
    const name = explicit ?? (target.which === "member" ? target.name : undefined);
    if (name === undefined) {
      this.errors.report(
        target,
        "'using' declaration without '=' must specify a named declaration from a different scope.",
      );
    }
    return declare({ name: name ?? nameless }, { kind: "using", target });
  }

  #const(cursor: TokenCursor): Parsed | undefined {
    const name = cursor.keyword("const") && cursor.identifier();
    if (name === undefined) return undefined;
    const uid = this.#uid(cursor);
    const type = cursor.operator(":") && this.expression(cursor);
    const value = type && cursor.operator("=") && this.expression(cursor);
    if (value === undefined) return undefined;
    const annotations = this.annotations(cursor);
    return declare({ name, uid, annotations }, { kind: "const", type: type!, value });
  }

  #enum(cursor: TokenCursor): Parsed | undefined {
    const name = cursor.keyword("enum") && cursor.identifier();
    if (name === undefined) return undefined;
    const uid = this.#uid(cursor);
    return declare({ name, uid, annotations: this.annotations(cursor) }, { kind: "enum" }, "enum");
  }

  #enumerant(cursor: TokenCursor): Parsed | undefined {
    const name = cursor.identifier();
    const ordinal = name && this.#ordinal(cursor);
    if (ordinal === undefined) return undefined;
    return declare({ name: name!, annotations: this.annotations(cursor) }, { kind: "enumerant", ordinal });
  }

  #struct(cursor: TokenCursor): Parsed | undefined {
    const name = cursor.keyword("struct") && cursor.identifier();
    if (name === undefined) return undefined;
    const uid = this.#uid(cursor);
    const parameters = this.#typeParameters(cursor, "parenthesized");
    return declare({ name, uid, parameters, annotations: this.annotations(cursor) }, { kind: "struct" }, "struct");
  }

  #field(cursor: TokenCursor): Parsed | undefined {
    const name = cursor.identifier();
    const ordinal = name && this.#ordinal(cursor);
    const type = ordinal && cursor.operator(":") && this.expression(cursor);
    if (type === undefined) return undefined;
    const defaultValue = cursor.attempt(() => cursor.operator("=") && this.expression(cursor));
    const annotations = this.annotations(cursor);
    return declare({ name: name!, annotations }, { kind: "field", ordinal: ordinal!, type, defaultValue });
  }

  #union(cursor: TokenCursor): Parsed | undefined {
    const named = cursor.attempt(() => {
      const name = cursor.identifier();
      if (name === undefined) return undefined;
      const ordinal = this.#ordinal(cursor);
      const exclamation = ordinal && cursor.operator("!");
      const colon = cursor.operator(":");
      if ((ordinal ?? colon) === undefined || cursor.keyword("union") === undefined) return undefined;
      const annotations = this.annotations(cursor);
      if (ordinal !== undefined) this.#checkUnionOrdinal(ordinal, exclamation !== undefined, colon !== undefined);
      return declare({ name, annotations }, { kind: "union", ordinal }, "struct");
    });
    if (named !== undefined) return named;
    const keyword = cursor.keyword("union");
    if (keyword === undefined || !cursor.atEnd) return undefined;
    const name = { text: "", start: keyword.start, end: keyword.end };
    return declare({ name }, { kind: "union", ordinal: undefined }, "struct");
  }

  #checkUnionOrdinal(ordinal: LocatedInteger, exclamation: boolean, colon: boolean): void {
    if (!exclamation) {
      this.errors.report(
        ordinal,
        "As of Cap'n Proto v0.3, it is no longer necessary to assign numbers to unions. However, removing the number " +
          "will break binary compatibility. If this is an old protocol and you need to retain compatibility, please " +
          "add an exclamation point after the number to indicate that it is really needed, e.g. `foo @1! :union {`. " +
          "If this is a new protocol or compatibility doesn't matter, just remove the @n entirely. Sorry for the " +
          "inconvenience, and thanks for being an early adopter!  :)",
      );
    }
    if (!colon) {
      this.errors.report(
        ordinal,
        "As of Cap'n Proto v0.3, the 'union' keyword should be prefixed with a colon for named unions, e.g. " +
          "`foo :union {`.",
      );
    }
  }

  #group(cursor: TokenCursor): Parsed | undefined {
    const name = cursor.identifier();
    if (name === undefined || !cursor.operator(":") || !cursor.keyword("group")) return undefined;
    return declare({ name, annotations: this.annotations(cursor) }, { kind: "group" }, "struct");
  }

  #interface(cursor: TokenCursor): Parsed | undefined {
    const name = cursor.keyword("interface") && cursor.identifier();
    if (name === undefined) return undefined;
    const uid = this.#uid(cursor);
    const parameters = this.#typeParameters(cursor, "parenthesized");
    const superclasses = cursor.attempt(() => {
      const list = cursor.keyword("extends") && cursor.take("parenthesized");
      return list && this.items(list, (item) => this.expression(item)).map((item) => item ?? unknownExpression);
    });
    const annotations = this.annotations(cursor);
    const body = { kind: "interface", superclasses: superclasses ?? [] } as const;
    return declare({ name, uid, parameters, annotations }, body, "interface");
  }

  #method(cursor: TokenCursor): Parsed | undefined {
    const name = cursor.identifier();
    const ordinal = name && this.#ordinal(cursor);
    if (ordinal === undefined) return undefined;
    const parameters = this.#typeParameters(cursor, "bracketed");
    const params = this.#paramList(cursor);
    if (params === undefined) return undefined;
    const results = cursor.attempt(() => cursor.operator("->") && this.#paramList(cursor));
    const annotations = this.annotations(cursor);
    return declare({ name: name!, parameters, annotations }, { kind: "method", ordinal, params, results });
  }

  #paramList(cursor: TokenCursor): ParamList | undefined {
    const list = cursor.take("parenthesized");
    if (list !== undefined) {
      const params = this.items(list, (item) => this.#param(item));
      const failed = { name: nameless, type: unknownExpression, defaultValue: undefined, annotations: [] };
      return {
        which: "named",
        params: params.map((param) => param ?? { ...failed, start: 0, end: 0 }),
        start: list.start,
        end: list.end,
      };
    }
    const stream = cursor.keyword("stream");
    if (stream !== undefined) return { which: "stream", start: stream.start, end: stream.end };
    const type = this.expression(cursor);
    return type && { which: "type", type, start: type.start, end: type.end };
  }

  #param(cursor: TokenCursor): Param | undefined {
    const name = cursor.identifier();
    const type = name && cursor.operator(":") && this.expression(cursor);
    if (type === undefined) return undefined;
    const defaultValue = cursor.attempt(() => cursor.operator("=") && this.expression(cursor));
    const annotations = this.annotations(cursor);
    return { name: name!, type, defaultValue, annotations, ...cursor.spanFrom(0) };
  }

  #annotationDeclaration(cursor: TokenCursor): Parsed | undefined {
    const name = cursor.keyword("annotation") && cursor.identifier();
    if (name === undefined) return undefined;
    const uid = this.#uid(cursor);
    const list = cursor.take("parenthesized");
    if (list === undefined) return undefined;
    const names = this.items(list, (item) => item.identifier() ?? this.#wildcard(item));
    const type = cursor.operator(":") && this.expression(cursor);
    if (type === undefined) return undefined;
    const annotations = this.annotations(cursor);
    const targets = this.#targets(list, names);
    return declare({ name, uid, annotations }, { kind: "annotation", type, targets });
  }

  #wildcard(cursor: TokenCursor): LocatedText | undefined {
    return cursor.operator("*");
  }

  #targets(list: Token, names: readonly (LocatedText | undefined)[]): Set<AnnotationTarget> {
    const targets = new Set<AnnotationTarget>();
    for (const name of names) {
      if (name === undefined) continue;
      const target = annotationTargets.find((known) => known === name.text);
      if (name.text === "*") {
        if (list.items.length > 1) {
          this.errors.report(name, "Wildcard should not be specified together with other targets.");
        }
        for (const known of annotationTargets) targets.add(known);
      } else if (target === undefined) {
        this.errors.report(name, "Not a valid annotation target.");
      } else {
        if (targets.has(target)) this.errors.report(name, "Duplicate target specification.");
        targets.add(target);
      }
    }
    return targets;
  }
}
