/** A stretch of a source file: byte offsets, the end exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A place in a source file: the offset from 0, line and column from 1, all counted in bytes. */
export interface Position {
  readonly offset: number;
  readonly line: number;
  readonly column: number;
}

/** Where the lines of one source file begin. Built when the first diagnostic needs it, so a correct file never pays. */
export class LineTable {
  readonly #starts: number[] = [0];

  constructor(source: Uint8Array) {
    for (let at = source.indexOf(0x0a); at !== -1; at = source.indexOf(0x0a, at + 1)) this.#starts.push(at + 1);
  }

  position(offset: number): Position {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return { offset, line: low + 1, column: offset - this.#starts[low]! + 1 };
  }
}
