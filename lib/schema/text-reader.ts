import { CapnpError } from "../errors.ts";

/** A literal of Cap'n Proto text. */
export type Literal =
  | { readonly which: "name"; readonly text: string }
  /** As written, with its sign. */
  | { readonly which: "number"; readonly text: string }
  /** A string's bytes, or those of `0x"..."`. */
  | { readonly which: "bytes"; readonly bytes: Uint8Array };

const encoder = new TextEncoder();

const name = /[A-Za-z_][A-Za-z0-9_]*/y;
const number = /-?(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/y;
const negative = /-\s*(?=inf)/y;
const escapeSequence = /\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|(.))/gs;

const escaped: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "'": "'",
  '"': '"',
  "\\": "\\",
};

/** Reads Cap'n Proto text from left to right. Errors are CAPNP_PARSE and say where, as `line:column`. */
export class TextReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    this.#skipSpace();
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  /** Whether the next character is the given one. */
  sees(character: string): boolean {
    return this.#text[this.#at] === character;
  }

  /** Takes the next character where it is the given one. */
  takes(character: string): boolean {
    if (!this.sees(character)) return false;
    this.#at++;
    this.#skipSpace();
    return true;
  }

  expect(character: string, where: string): void {
    if (!this.takes(character)) throw this.error(`${where}: expected ${JSON.stringify(character)}`);
  }

  name(where: string): string {
    const text = this.#match(name);
    if (text === undefined) throw this.error(`${where}: expected a name`);
    return text;
  }

  literal(where: string): Literal {
    if (this.#text.startsWith('0x"', this.#at)) return { which: "bytes", bytes: this.#hexBytes() };
    if (this.sees('"')) return { which: "bytes", bytes: this.#unescape(this.#quoted()) };
    const sign = this.#match(negative) === undefined ? "" : "-";
    const word = this.#match(name);
    if (word !== undefined) return { which: "name", text: sign + word };
    const digits = this.#match(number);
    if (digits !== undefined) return { which: "number", text: digits };
    throw this.error(`${where}: expected a value`);
  }

  error(problem: string): CapnpError {
    const before = this.#text.slice(0, this.#at);
    const line = before.split("\n").length;
    const column = this.#at - before.lastIndexOf("\n");
    const found = this.isAtEnd ? "the end of the text" : JSON.stringify(this.#text.slice(this.#at, this.#at + 20));
    return new CapnpError("CAPNP_PARSE", `${line}:${column}: ${problem}, found ${found}.`);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const [text] = pattern.exec(this.#text) ?? [];
    if (text === undefined) return undefined;
    this.#at = pattern.lastIndex;
    this.#skipSpace();
    return text;
  }

  // What follows may be long, so it is looked for by hand: V8's regular expressions keep a stack for each repetition.

  #skipSpace(): void {
    for (;;) {
      const character = this.#text[this.#at];
      if (character === "#") {
        const end = this.#text.indexOf("\n", this.#at);
        this.#at = end < 0 ? this.#text.length : end;
      } else if (character !== undefined && " \t\n\r\v\f\ufeff".includes(character)) this.#at++;
      else return;
    }
  }

  /** What stands between the next two quotes. */
  #quoted(): string {
    let end = this.#at + 1;
    for (;;) {
      const character = this.#text[end];
      if (character === undefined || character === "\n") throw this.error("a string without an end");
      if (character === '"') break;
      end += character === "\\" ? 2 : 1;
    }
    const text = this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    this.#skipSpace();
    return text;
  }

  #hexBytes(): Uint8Array {
    const end = this.#text.indexOf('"', this.#at + 3);
    if (end < 0) throw this.error("bytes without an end");
    const digits = this.#text.slice(this.#at + 3, end).replace(/\s/g, "");
    if (digits.length % 2 !== 0 || /[^0-9a-fA-F]/.test(digits))
      throw this.error("bytes are pairs of hexadecimal digits");
    this.#at = end + 1;
    this.#skipSpace();
    return Uint8Array.from({ length: digits.length / 2 }, (_, i) =>
      Number.parseInt(digits.slice(i * 2, i * 2 + 2), 16),
    );
  }

  /** Octal and hexadecimal escapes are bytes; everything else is written in UTF-8. */
  #unescape(text: string): Uint8Array {
    if (!text.includes("\\")) return encoder.encode(text);
    // A character takes at most three bytes, an escape sequence one. No array for each: a text may have millions of them.
    const bytes = new Uint8Array(3 * text.length);
    let used = 0;
    const write = (piece: string): void => {
      if (piece.length > 0) used += encoder.encodeInto(piece, bytes.subarray(used)).written;
    };
    let end = 0;
    for (const match of text.matchAll(escapeSequence)) {
      const [all, hexadecimal, octal, character = ""] = match;
      write(text.slice(end, match.index));
      end = match.index + all.length;
      if (hexadecimal !== undefined) bytes[used++] = Number.parseInt(hexadecimal, 16);
      else if (octal !== undefined) bytes[used++] = Number.parseInt(octal, 8);
      else {
        const meaning = escaped[character];
        if (meaning === undefined) throw this.error(`there is no escape sequence \\${character}`);
        write(meaning);
      }
    }
    write(text.slice(end));
    return bytes.slice(0, used);
  }
}
