import { LineTable, type Position, type Span } from "./span.ts";

/** One mistake in a source file. */
export interface Diagnostic {
  /** The file, as the host named it. */
  readonly path: string;
  readonly start: Position;
  /** Exclusive; equal to `start` where the mistake is a point. */
  readonly end: Position;
  readonly message: string;
}

/** `file:line:column-column: error: text`; a mistake that spans lines is reported at its first line, without columns. */
export function formatDiagnostic({ path, start, end, message }: Diagnostic): string {
  let place = `${path}:${start.line}`;
  if (start.line === end.line) {
    place += `:${start.column}`;
    if (start.column !== end.column) place += `-${end.column}`;
  }
  return `${place}: error: ${message}`;
}

/** Collects the diagnostics of one compilation, in the order in which they were found. */
export class DiagnosticList {
  readonly diagnostics: Diagnostic[] = [];

  get any(): boolean {
    return this.diagnostics.length > 0;
  }
}

/** Where the stages of the compiler report what they find wrong in one source file. */
export class ErrorReporter {
  readonly #list: DiagnosticList;
  readonly #path: string;
  readonly #source: Uint8Array;
  #lines: LineTable | undefined;

  constructor(list: DiagnosticList, path: string, source: Uint8Array) {
    this.#list = list;
    this.#path = path;
    this.#source = source;
  }

  /** True once anything is wrong in any file of the compilation. */
  get hadErrors(): boolean {
    return this.#list.any;
  }

  report(span: Span, message: string): void {
    this.#lines ??= new LineTable(this.#source);
    const start = this.#lines.position(span.start);
    const end = this.#lines.position(span.end);
    this.#list.diagnostics.push({ path: this.#path, start, end, message });
  }
}
