import type { Span } from "./span.ts";

export type TokenKind =
  | "identifier"
  | "string"
  | "binary"
  | "integer"
  | "float"
  | "operator"
  | "parenthesized"
  | "bracketed";

/** A lexical unit. Parentheses and brackets are closed by the lexer, so one token holds everything between a pair. */
export interface Token extends Span {
  readonly kind: TokenKind;
  /** Of identifiers and operators; otherwise empty. */
  readonly text: string;
  readonly value: bigint | number | Uint8Array | undefined;
  /** Of lists: the tokens between commas. */
  readonly items: readonly (readonly Token[])[];
}

/** Tokens up to a `;` or a block. */
export interface Statement extends Span {
  readonly tokens: readonly Token[];
  /** Undefined where the statement ends with `;`. */
  readonly block: readonly Statement[] | undefined;
  readonly docComment: string | undefined;
}
