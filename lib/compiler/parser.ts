import type { AnnotationApplication, Declaration, LocatedInteger } from "./ast.ts";
import { DeclarationParser, type Level, type Parsed } from "./declaration-parser.ts";
import type { ErrorReporter } from "./diagnostics.ts";
import type { Statement } from "./token.ts";
import { TokenCursor } from "./token-cursor.ts";

/** A schema file: its declaration of kind `file`, whose members are what it declares. */
export function parseFile(
  statements: readonly Statement[],
  errors: ErrorReporter,
  inventId: () => bigint,
): Declaration {
  const parser = new DeclarationParser(errors);
  const members: Declaration[] = [];
  const annotations: AnnotationApplication[] = [];
  let uid: LocatedInteger | undefined;
  let docComment: string | undefined;
  for (const statement of statements) {
    const parsed = parseStatement(parser, statement, "file");
    if (parsed === undefined) continue;
    if (parsed.which === "declaration") {
      members.push(parsed.declaration);
    } else if (parsed.which === "annotation") {
      annotations.push(parsed.annotation);
    } else if (uid === undefined) {
      uid = parsed.id;
      docComment = statement.docComment;
    } else {
      errors.report(statement, "File can only have one ID.");
    }
  }
  if (uid === undefined) {
    uid = { value: inventId(), start: 0, end: 0 };
    // a parse error may well have hidden the id that is there
    if (!errors.hadErrors) {
      const line = `@0x${uid.value.toString(16)};`;
      const message = `File does not declare an ID.  I've generated one for you.  Add this line to your file: ${line}`;
      errors.report({ start: 0, end: 0 }, message);
    }
  }
  const name = { text: "", start: 0, end: 0 };
  return { kind: "file", name, uid, docComment, members, annotations, parameters: [], start: 0, end: 0 };
}

function parseStatement(parser: DeclarationParser, statement: Statement, level: Level): Parsed | undefined {
  const { tokens, block } = statement;
  const cursor = new TokenCursor(tokens);
  const parsed = parser.parse(cursor, level);
  if (parsed === undefined || !cursor.atEnd) {
    const at = cursor.unseen?.start ?? tokens[tokens.length - 1]?.end ?? statement.start;
    parser.errors.report({ start: at, end: at }, "Parse error.");
    return undefined;
  }
  const inner = parsed.which === "declaration" ? parsed.inner : undefined;
  if (block === undefined && inner !== undefined) {
    parser.errors.report(statement, "This statement should end with a block, not a semicolon.");
  } else if (block !== undefined && inner === undefined) {
    parser.errors.report(statement, "This statement should end with a semicolon, not a block.");
  }
  if (parsed.which !== "declaration") return parsed;

  const { declaration } = parsed;
  declaration.start = statement.start;
  declaration.end = statement.end;
  declaration.docComment = statement.docComment;
  if (block !== undefined && inner !== undefined) {
    const members: Declaration[] = [];
    for (const member of block) {
      const parsedMember = parseStatement(parser, member, inner);
      if (parsedMember?.which === "declaration") members.push(parsedMember.declaration);
    }
    declaration.members = members;
  }
  return parsed;
}
