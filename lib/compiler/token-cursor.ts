import type { LocatedText } from "./ast.ts";
import type { Span } from "./span.ts";
import type { Token, TokenKind } from "./token.ts";

/**
 * A place in a list of tokens. The grammar is tried alternative by alternative, and a parse error is reported behind the
 * furthest token that any of them looked at, which the cursor remembers across backtracking.
 */
export class TokenCursor {
  readonly tokens: readonly Token[];
  at = 0;
  #furthest = 0;

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
  }

  get atEnd(): boolean {
    return this.at >= this.tokens.length;
  }

  /** The first token that no alternative looked at; undefined where the end was reached. */
  get unseen(): Token | undefined {
    return this.tokens[this.#furthest];
  }

  #take(kind: TokenKind, text: string | undefined): Token | undefined {
    const token = this.tokens[this.at];
    if (token === undefined) return undefined;
    if (this.at >= this.#furthest) this.#furthest = this.at + 1;
    if (token.kind !== kind || (text !== undefined && token.text !== text)) return undefined;
    this.at++;
    return token;
  }

  take(kind: TokenKind): Token | undefined {
    return this.#take(kind, undefined);
  }

  operator(text: string): Token | undefined {
    return this.#take("operator", text);
  }

  keyword(text: string): Token | undefined {
    return this.#take("identifier", text);
  }

  identifier(): LocatedText | undefined {
    return this.#take("identifier", undefined);
  }

  /** Runs `rule`; where it gives nothing, the cursor is back where it was. */
  attempt<T>(rule: () => T | undefined): T | undefined {
    const start = this.at;
    const result = rule();
    if (result === undefined) this.at = start;
    return result;
  }

  /** The tokens from `first` up to here. */
  spanFrom(first: number): Span {
    return { start: this.tokens[first]?.start ?? 0, end: this.tokens[this.at - 1]?.end ?? 0 };
  }
}
