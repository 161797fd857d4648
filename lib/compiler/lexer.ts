import { isDigit, isIdentifierPart, isIdentifierStart, isOperator, isWhitespace } from "./characters.ts";
import type { ErrorReporter } from "./diagnostics.ts";
import { type Literal, readBinary, readFloat, readInteger, readString } from "./literals.ts";
import type { Statement, Token, TokenKind } from "./token.ts";

/**
 * How deep `(`, `[` and `{` may nest. Every later stage recurses over what they enclose, so that a file of 100,000
 * brackets would exhaust the stack; handwritten schemas stay below 20.
 */
const maxNesting = 256;

const noItems: readonly (readonly Token[])[] = [];

/** Reads a whole file. On the first lexical error the file counts as empty: the error is reported, nothing is returned. */
export function lex(source: Uint8Array, errors: ErrorReporter): readonly Statement[] {
  return new Lexer(source, errors).file();
}

class Lexer {
  readonly #source: Uint8Array;
  readonly #errors: ErrorReporter;
  /** The source with one character to a byte: identifiers, which are ASCII, are cut out of it. */
  readonly #latin1: string;
  readonly #isAscii: boolean;
  #at = 0;
  #depth = 0;
  /** Where reading had to stop; -1 while all is well. */
  #failure = -1;
  #isTooDeep = false;

  constructor(source: Uint8Array, errors: ErrorReporter) {
    this.#source = source;
    this.#errors = errors;
    this.#latin1 = new TextDecoder("latin1").decode(source);
    // Not by a callback for each byte, which shows in the time that a small schema takes to load.
    this.#isAscii = !/[\u0080-\uffff]/.test(this.#latin1);
  }

  file(): readonly Statement[] {
    const statements = this.#statements();
    if (this.#failure === -1 && this.#at < this.#source.length) this.#fail(this.#at);
    if (this.#failure === -1) return statements;
    if (!this.#isTooDeep) this.#errors.report({ start: this.#failure, end: this.#failure }, "Parse error.");
    return [];
  }

  /** Keeps the furthest failure only: the first one. */
  #fail(at: number): void {
    if (this.#failure === -1) this.#failure = at;
  }

  #enter(): boolean {
    if (++this.#depth <= maxNesting) return true;
    if (this.#failure === -1) {
      this.#isTooDeep = true;
      this.#errors.report(
        { start: this.#at, end: this.#at + 1 },
        `Brackets nest deeper than ${maxNesting} levels; split this declaration into named parts.`,
      );
      this.#fail(this.#at);
    }
    return false;
  }

  #skipSpace(): void {
    const source = this.#source;
    for (;;) {
      const byte = source[this.#at];
      if (byte === undefined) return;
      if (isWhitespace(byte)) this.#at++;
      else if (byte === 0x23) this.#skipLine();
      else if (byte === 0xef && source[this.#at + 1] === 0xbb && source[this.#at + 2] === 0xbf) this.#at += 3;
      else return;
    }
  }

  #skipLine(): void {
    const end = this.#source.indexOf(0x0a, this.#at);
    this.#at = end === -1 ? this.#source.length : end + 1;
  }

  #statements(): Statement[] {
    const statements: Statement[] = [];
    this.#skipSpace();
    while (this.#failure === -1 && this.#at < this.#source.length && this.#source[this.#at] !== 0x7d) {
      const statement = this.#statement();
      if (statement === undefined) break;
      statements.push(statement);
      this.#skipSpace();
    }
    return statements;
  }

  #statement(): Statement | undefined {
    const start = this.#at;
    const tokens = this.#tokens();
    if (this.#failure !== -1) return undefined;
    const byte = this.#source[this.#at];
    if (byte === 0x3b) {
      this.#at++;
      const docComment = this.#docComment();
      return { start, end: this.#at, tokens, block: undefined, docComment };
    }
    if (byte !== 0x7b || !this.#enter()) {
      this.#fail(this.#at);
      return undefined;
    }
    this.#at++;
    const early = this.#docComment();
    const block = this.#statements();
    if (this.#source[this.#at] !== 0x7d) this.#fail(this.#at);
    if (this.#failure !== -1) return undefined;
    this.#at++;
    this.#depth--;
    const late = this.#docComment();
    return { start, end: this.#at, tokens, block, docComment: early ?? late };
  }

  /** The comment lines that begin on this line or the next one, without a blank line between them. */
  #docComment(): string | undefined {
    const source = this.#source;
    const skipLineSpace = (from: number): number => {
      let at = from;
      while (isWhitespace(source[at] ?? 0) && source[at] !== 0x0a && source[at] !== 0x0d) at++;
      return at;
    };
    let at = skipLineSpace(this.#at);
    if (source[at] === 0x0d) at++;
    if (source[at] === 0x0a) at++;
    let text: string | undefined;
    for (;;) {
      at = skipLineSpace(at);
      if (source[at] !== 0x23) return text;
      this.#at = at;
      this.#skipLine();
      const start = source[at + 1] === 0x20 ? at + 2 : at + 1;
      const end = source[this.#at - 1] === 0x0a ? this.#at - 1 : this.#at;
      text = `${text ?? ""}${this.#text(start, end)}\n`;
      at = this.#at;
    }
  }

  #text(start: number, end: number): string {
    return this.#isAscii
      ? this.#latin1.substring(start, end)
      : new TextDecoder("utf-8", { ignoreBOM: true }).decode(this.#source.subarray(start, end));
  }

  #tokens(): Token[] {
    const tokens: Token[] = [];
    this.#skipSpace();
    for (;;) {
      const token = this.#token();
      if (token === undefined) return tokens;
      tokens.push(token);
      this.#skipSpace();
    }
  }

  /** The next token; undefined where none begins, with or without a failure. */
  #token(): Token | undefined {
    const source = this.#source;
    const start = this.#at;
    const byte = source[start];
    if (byte === undefined) return undefined;
    if (isIdentifierStart(byte)) {
      let end = start + 1;
      while (isIdentifierPart(source[end] ?? 0)) end++;
      return this.#word("identifier", end);
    }
    if (isOperator(byte)) {
      let end = start + 1;
      while (isOperator(source[end] ?? 0)) end++;
      return this.#word("operator", end);
    }
    if (isDigit(byte)) return this.#number();
    if (byte === 0x22) return this.#literal("string", readString(source, start));
    if (byte === 0x28) return this.#list("parenthesized", 0x29);
    if (byte === 0x5b) return this.#list("bracketed", 0x5d);
    const notText =
      byte === 0
        ? 1
        : (byte === 0xff && source[start + 1] === 0xfe) || (byte === 0xfe && source[start + 1] === 0xff)
          ? 2
          : 0;
    if (notText > 0) {
      const message = "Non-UTF-8 input detected. Cap'n Proto schema files must be UTF-8 text.";
      this.#errors.report({ start, end: start + notText }, message);
      this.#fail(start + notText);
    }
    return undefined;
  }

  #word(kind: TokenKind, end: number): Token {
    const start = this.#at;
    this.#at = end;
    return { kind, start, end, text: this.#latin1.substring(start, end), value: undefined, items: noItems };
  }

  #number(): Token | undefined {
    const source = this.#source;
    const start = this.#at;
    if (source[start] === 0x30 && source[start + 1] === 0x78 && source[start + 2] === 0x22) {
      return this.#literal("binary", readBinary(source, start));
    }
    const integer = readInteger(source, start);
    if (integer.ok) return this.#literal("integer", integer);
    const float = readFloat(source, start);
    if (float.ok) return this.#literal("float", float);
    this.#fail(Math.max(integer.reach, float.reach));
    return undefined;
  }

  #literal(kind: TokenKind, literal: Literal<bigint | number | Uint8Array>): Token | undefined {
    if (!literal.ok) {
      this.#fail(literal.reach);
      return undefined;
    }
    const start = this.#at;
    this.#at = literal.end;
    return { kind, start, end: literal.end, text: "", value: literal.value, items: noItems };
  }

  #list(kind: TokenKind, close: number): Token | undefined {
    const start = this.#at;
    if (!this.#enter()) return undefined;
    this.#at++;
    const items: Token[][] = [this.#tokens()];
    while (this.#failure === -1 && this.#source[this.#at] === 0x2c) {
      this.#at++;
      items.push(this.#tokens());
    }
    if (this.#source[this.#at] !== close) this.#fail(this.#at);
    if (this.#failure !== -1) return undefined;
    this.#at++;
    this.#depth--;
    // one comma may trail; `()` has no items at all
    if (items[items.length - 1]!.length === 0) items.pop();
    return { kind, start, end: this.#at, text: "", value: undefined, items };
  }
}
