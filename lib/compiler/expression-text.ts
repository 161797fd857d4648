import { formatFloat64 } from "../schema/float-text.ts";
import type { Expression, TupleParam } from "./ast.ts";

const decoder = new TextDecoder();

const escapes: Readonly<Record<string, string>> = {
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "'": "\\'",
  '"': '\\"',
  "\\": "\\\\",
};

function quoted(text: string): string {
  let result = '"';
  for (const character of text) {
    const code = character.charCodeAt(0);
    result +=
      escapes[character] ?? (code < 0x20 || code === 0x7f ? `\\${code.toString(8).padStart(3, "0")}` : character);
  }
  return `${result}"`;
}

function hexadecimal(bytes: Uint8Array): string {
  // the digits of each byte are swapped, as in C++, whose messages these texts are compared with
  const digits = Array.from(bytes, (byte) => (byte & 15).toString(16) + (byte >> 4).toString(16));
  return `0x"${digits.join(" ")}"`;
}

function tuple(params: readonly TupleParam[]): string {
  const parts = params.map(({ name, value }) => (name ? `${name.text} = ` : "") + expressionText(value));
  return `( ${parts.join(", ")} )`;
}

/** An expression as messages quote it. */
export function expressionText(expression: Expression): string {
  switch (expression.which) {
    case "unknown":
      return "<parse error>";
    case "positiveInt":
      return String(expression.value);
    case "negativeInt":
      return `-${expression.value}`;
    case "float":
      return formatFloat64(expression.value);
    case "string":
      return quoted(decoder.decode(expression.bytes));
    case "binary":
      return hexadecimal(expression.bytes);
    case "relativeName":
      return expression.name.text;
    case "absoluteName":
      return `.${expression.name.text}`;
    case "import":
    case "embed":
      return `${expression.which} ${quoted(expression.name.text)}`;
    case "list":
      return `[ ${expression.elements.map(expressionText).join(", ")} ]`;
    case "tuple":
      return tuple(expression.params);
    case "application":
      return `${expressionText(expression.callee)}(${tuple(expression.params)})`;
    case "member":
      return `${expressionText(expression.parent)}.${expression.name.text}`;
  }
}
