import type { Piece, SourceFile, SourceTree, Statement } from "./statement.ts";

/**
 * The smallest schema that can be made of `tree` by leaving things out, such that `fails` still holds. Every step is
 * checked, so that what is left over is of use: no further statement, default value, annotation or comment can go alone.
 */
export function smallest(tree: SourceTree, fails: (tree: SourceTree) => boolean): SourceTree {
  let best = tree;
  for (;;) {
    const before = best;
    for (let length = 8; length >= 1; length = Math.floor(length / 2)) {
      best = sweep(best, (candidate) => withoutStatements(candidate, length), fails);
    }
    best = sweep(best, simplerPieces, fails);
    if (best === before) return best;
  }
}

type Edits = (tree: SourceTree) => Generator<SourceTree>;

/** Applies edits from the last place to the first for as long as some edit keeps failing. */
function sweep(tree: SourceTree, edits: Edits, fails: (tree: SourceTree) => boolean): SourceTree {
  let best = tree;
  let at = 0;
  for (;;) {
    const remaining = edits(best);
    let skipped = 0;
    let improved = false;
    for (const candidate of remaining) {
      if (skipped++ < at) continue;
      if (fails(candidate)) {
        best = candidate;
        improved = true;
        break;
      }
      at++;
    }
    if (!improved) return best;
  }
}

function* inFiles(
  tree: SourceTree,
  edits: (statements: readonly Statement[]) => Generator<readonly Statement[]>,
): Generator<SourceTree> {
  for (const [i, file] of tree.files.entries()) {
    for (const statements of edits(file.statements)) {
      const changed: SourceFile = { ...file, statements };
      yield { ...tree, files: tree.files.with(i, changed) };
    }
  }
}

function withoutStatements(tree: SourceTree, length: number): Generator<SourceTree> {
  return inFiles(tree, function* edits(statements): Generator<readonly Statement[]> {
    for (let i = 0; i + length <= statements.length; i++) {
      yield [...statements.slice(0, i), ...statements.slice(i + length)];
    }
    for (const [i, statement] of statements.entries()) {
      for (const block of edits(statement.block ?? [])) yield statements.with(i, { ...statement, block });
    }
  });
}

function* simplerPieces(tree: SourceTree): Generator<SourceTree> {
  for (const [i, file] of tree.files.entries()) {
    if (file.prefix !== "") yield { ...tree, files: tree.files.with(i, { ...file, prefix: "" }) };
  }
  yield* inFiles(tree, function* edits(statements): Generator<readonly Statement[]> {
    for (const [i, statement] of statements.entries()) {
      for (const simpler of simplified(statement)) yield statements.with(i, simpler);
      for (const block of edits(statement.block ?? [])) yield statements.with(i, { ...statement, block });
    }
  });
}

function* simplified(statement: Statement): Generator<Statement> {
  const { afterHead, afterBlock, pieces } = statement;
  if (afterHead !== "\n") yield { ...statement, afterHead: "\n" };
  if (afterBlock !== undefined && afterBlock !== "\n") yield { ...statement, afterBlock: "\n" };
  for (const [i, piece] of pieces.entries()) {
    if (typeof piece === "string" || "rank" in piece) continue;
    for (const text of piece.simpler ?? []) {
      if (text === piece.text) continue;
      const simpler: Piece = { ...piece, text };
      yield { ...statement, pieces: pieces.with(i, simpler) };
    }
  }
}
