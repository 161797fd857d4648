import { CapnpError } from "../errors.ts";
import type { Struct } from "../serialization/struct.ts";
import { formatFloat32, formatFloat64 } from "./float-text.ts";
import { type Fold, foldStruct, type Member } from "./fold.ts";
import type { StructSchema } from "./schema.ts";
import type { StructBase } from "./struct-base.ts";

/** How Cap'n Proto text is laid out. */
export interface TextOptions {
  /** Over several lines where one would be long, indented, as `capnp decode` prints it. Default: false, one line. */
  readonly pretty?: boolean;
}

/** A value's text before it is laid out in lines. */
type Piece = string | ListPiece | StructPiece;

interface ListPiece {
  readonly open: "[";
  readonly items: readonly Piece[];
}

interface StructPiece {
  readonly open: "(";
  readonly items: readonly MemberPiece[];
}

interface MemberPiece {
  /** `name = `. */
  readonly label: string;
  readonly piece: Piece;
}

/**
 * Cap'n Proto text of a struct, as C++ prints it: what `capnp decode` gives and what `capnp encode` reads.
 *
 * Throws the errors of reading a message, and CAPNP_MESSAGE_SIZE where the text is longer than a string can be.
 */
export const formatText = (struct: Struct, schema: StructSchema, options?: TextOptions): string => {
  try {
    return layOut(foldStruct(struct, schema, textFold), options?.pretty === true ? 1 : 0, false);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new CapnpError(
      "CAPNP_MESSAGE_SIZE",
      `This ${schema.path} is too large or too deeply nested to become one string: print parts of it. (${cause.message})`,
      { cause },
    );
  }
};

/** The same of a struct that knows its schema. */
export const toText = (struct: StructBase, options?: TextOptions): string =>
  formatText(struct, struct._schema, options);

const textFold: Fold<Piece> = {
  void: () => "void",
  bool: (value) => String(value),
  integer: (value) => String(value),
  float: (value, type) => (type === "float32" ? formatFloat32(value) : formatFloat64(value)),
  text: (value) => `"${escapeText(value)}"`,
  data: (value) => `"${escapeData(value)}"`,
  enumerant: (schema, ordinal) => schema.names[ordinal] ?? `(${ordinal})`,
  list: (items) => ({ open: "[", items }),
  struct: (members) => ({ open: "(", items: members.filter(isPrinted).map(memberPiece) }),
  capability: () => "<external capability>",
  anyPointer: () => "<opaque pointer>",
};

/** The first member of a union is the active one of a struct that nobody has written to: where it is null it says nothing. */
const isPrinted = ({ field, isNull }: Member): boolean => !isNull || field.discriminantValue !== 0;

const memberPiece = (member: Member): MemberPiece => ({
  label: `${member.field.node.name} = `,
  piece: member.fold(textFold),
});

/** An element or member longer than this (in bytes), or of several lines, makes the sequence around it take a line for each. */
const longestInline = 24;
/** So do the members of a struct that are longer together. */
const longestStruct = 64;

/**
 * @param level Levels of indentation of the items; 0 for one line.
 * @param labelled Whether something stands before it on its line, so that its first item has to go on the next.
 */
const layOut = (piece: Piece, level: number, labelled: boolean): string => {
  if (typeof piece === "string") return piece;
  const inner = level === 0 ? 0 : level + 1;
  const texts =
    piece.open === "["
      ? layOutElements(piece.items, inner)
      : piece.items.map((item) => item.label + layOut(item.piece, inner, true));
  const { open } = piece;
  const close = open === "(" ? ")" : "]";
  if (level === 0 || fitsOneLine(texts, open === "(")) return open + texts.join(", ") + close;
  const line = `\n${"  ".repeat(level)}`;
  return `${open}${labelled ? line : " "}${texts.join(`,${line}`)} ${close}`;
};

const layOutElements = (items: readonly Piece[], level: number): string[] => {
  const texts: string[] = [];
  let last: Piece | undefined;
  let text = "";
  for (const item of items) {
    // Elements without content are one piece, however many they are.
    if (item !== last) text = layOut(item, level, false);
    last = item;
    texts.push(text);
  }
  return texts;
};

const fitsOneLine = (texts: readonly string[], isStruct: boolean): boolean => {
  let total = 0;
  for (const text of texts) {
    const length = byteLength(text);
    if (length > longestInline || text.includes("\n")) return false;
    total += length;
  }
  return !isStruct || total <= longestStruct;
};

const encoder = new TextEncoder();
const byteLength = (text: string): number => (text.length > longestInline ? text.length : encoder.encode(text).length);

const namedEscapes: Readonly<Record<string, string>> = {
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

const escapeCharacter = (character: string): string =>
  namedEscapes[character] ?? `\\${character.charCodeAt(0).toString(8).padStart(3, "0")}`;

/** All but printable characters, quotes and backslashes. Characters beyond ASCII stand as they are. */
const escapeText = (text: string): string => text.replace(/[^ !#-&(-[\]-~\u0080-\uffff]/g, escapeCharacter);

/** Every byte that is not printable ASCII becomes an octal escape. */
const escapeData = (bytes: Uint8Array): string => {
  let text = "";
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    const isPlain = byte >= 0x20 && byte < 0x7f && namedEscapes[character] === undefined;
    text += isPlain ? character : escapeCharacter(character);
  }
  return text;
};
