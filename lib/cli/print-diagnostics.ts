import { type Diagnostic, formatDiagnostic } from "../compiler/diagnostics.ts";

type Source = (path: string) => Uint8Array | string | undefined;

const red = (text: string) => `\u001b[1;31m${text}\u001b[0m`;
const bold = (text: string) => `\u001b[1m${text}\u001b[0m`;

/** One line per mistake, as `capnp compile` prints them. */
export const plainDiagnostics = (diagnostics: readonly Diagnostic[]): string =>
  diagnostics.map((diagnostic) => `${formatDiagnostic(diagnostic)}\n`).join("");

/** The same for a terminal: beneath each line the source line, and carets under the mistake. */
export const illustratedDiagnostics = (
  diagnostics: readonly Diagnostic[],
  readSource: Source,
  hasColors: boolean,
): string =>
  diagnostics
    .map((diagnostic) => {
      const text = formatDiagnostic(diagnostic);
      const place = text.slice(0, text.length - diagnostic.message.length - "error: ".length);
      const title = hasColors ? `${bold(place)}${red("error:")} ${bold(diagnostic.message)}` : text;
      const lines = illustration(diagnostic, readSource(diagnostic.path));
      if (lines === undefined) return `${title}\n`;
      return `${title}\n${lines.source}\n${lines.indent}${hasColors ? red(lines.carets) : lines.carets}\n`;
    })
    .join("");

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Columns of a diagnostic count bytes; carets count what a terminal shows. */
function illustration({ start, end }: Diagnostic, source: Uint8Array | string | undefined) {
  if (source === undefined || source.length === 0) return undefined;
  const bytes = typeof source === "string" ? new TextEncoder().encode(source) : source;
  const from = start.offset - (start.column - 1);
  const newline = bytes.indexOf(0x0a, from);
  const to = newline === -1 ? bytes.length : newline;
  const show = (begin: number, until: number) =>
    printable(decoder.decode(bytes.subarray(begin, Math.max(begin, until))));
  const line = show(from, to).trimEnd();
  if (line === "") return undefined;
  const marked = show(start.offset, Math.min(start.line === end.line ? end.offset : to, to)).trimEnd();
  const indent = show(from, start.offset).replace(/[^\t]/gu, " ");
  return { source: line, indent, carets: "^".repeat(Math.max(1, [...marked].length)) };
}

/** A schema may hold anything; a terminal is not to be commanded by it. */
const printable = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}]/gu, (one) => (one === "\t" ? one : one === "\ufeff" || one === "\r" ? "" : "\ufffd"));
