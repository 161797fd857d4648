/**
 * Schema files as trees of statements that can be printed, and made smaller without breaking them: ordinals are kept as
 * ranks and numbered when they are printed, so that a declaration can go and leave no hole.
 */
export interface Ordinal {
  readonly rank: number;
}

/** A piece of a statement's text; `simpler` lists what may stand there instead, the simplest first. */
export interface Piece {
  readonly text: string;
  readonly simpler?: readonly string[];
}

export interface Statement {
  readonly pieces: readonly (string | Piece | Ordinal)[];
  /** Set for what ends with a block. */
  readonly block?: readonly Statement[];
  /** True where the ordinals inside count from 0: in structs, enums and interfaces. */
  readonly countsOrdinals?: boolean;
  /** Space and comments behind the `;`, `{` and `}`. */
  readonly afterHead: string;
  readonly afterBlock?: string;
}

export interface SourceFile {
  readonly path: string;
  /** What the file starts with, such as a byte order mark. */
  readonly prefix: string;
  readonly statements: readonly Statement[];
}

export interface SourceTree {
  readonly files: readonly SourceFile[];
  /** Files that are embedded, by path. */
  readonly embedded: Readonly<Record<string, Uint8Array>>;
  /** The files to compile; the others are imported. */
  readonly requested: readonly string[];
}

export function optional(text: string): Piece {
  return { text, simpler: [""] };
}

function ranksIn(statements: readonly Statement[]): number[] {
  return statements.flatMap((statement) => [
    ...statement.pieces.flatMap((piece) => (typeof piece !== "string" && "rank" in piece ? [piece.rank] : [])),
    ...(statement.countsOrdinals ? [] : ranksIn(statement.block ?? [])),
  ]);
}

function numbersOf(statements: readonly Statement[]): Map<number, number> {
  return new Map(
    ranksIn(statements)
      .sort((a, b) => a - b)
      .map((rank, i) => [rank, i]),
  );
}

function print(statements: readonly Statement[], ordinals: ReadonlyMap<number, number>): string {
  return statements
    .map(({ pieces, block, countsOrdinals, afterHead, afterBlock }) => {
      const head = pieces.map((piece) => {
        if (typeof piece === "string") return piece;
        return "rank" in piece ? `@${ordinals.get(piece.rank)}` : piece.text;
      });
      if (block === undefined) return `${head.join("")};${afterHead}`;
      const inside = print(block, countsOrdinals ? numbersOf(block) : ordinals);
      return `${head.join("")} {${afterHead}${inside}}${afterBlock ?? ""}`;
    })
    .join("");
}

export function textOf({ prefix, statements }: SourceFile): string {
  return prefix + print(statements, new Map());
}
