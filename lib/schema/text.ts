import { converting } from "./conversion-cost.ts";
import { CapnpError } from "../errors.ts";
import { List } from "../serialization/list.ts";
import { wrongType } from "../serialization/scalar.ts";
import type { Struct } from "../serialization/struct.ts";
import { textOfEach } from "./byte-text.ts";
import { formatFloat32, formatFloat64 } from "./float-text.ts";
import { type Fold, foldElements, foldStruct, type Member } from "./fold.ts";
import { elementTypeOf, typeName } from "./kind-of.ts";
import type { StructSchema } from "./schema.ts";
import { StructBase } from "./struct-base.ts";

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
const formatText = (struct: Struct, schema: StructSchema, options?: TextOptions): string =>
  print(() => converting(struct.$segment.arena, () => foldStruct(struct, schema, textFold)), schema.path, options);

/** The same of a list. */
const formatList = (list: List<unknown>, options?: TextOptions): string => {
  const type = elementTypeOf(list);
  // A list of no schema, as of an AnyPointer's structs.
  if (type === undefined) return `[${list.join(", ")}]`;
  const {
    $segment: segment,
    $start: start,
    $length: length,
    $dataBytes: dataBytes,
    $pointerCount: pointerCount,
  } = list;
  const stepBits = type.which === "bool" ? 1 : list.$step * 8;
  const elements = { segment, start, length, stepBits, dataBytes, pointerCount };
  // The list's own depth is that of its elements.
  const fold = (): Piece => foldElements(elements, type, list.$depth + 1, textFold);
  return print(() => converting(list.$segment.arena, fold), typeName(type), options);
};

const print = (fold: () => Piece, what: string, options: TextOptions | undefined): string => {
  try {
    return layOut(fold(), options?.pretty === true ? 1 : 0, false);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new CapnpError(
      "CAPNP_MESSAGE_SIZE",
      `This ${what} is too large or too deeply nested to become one string: print parts of it. (${cause.message})`,
      { cause },
    );
  }
};

/**
 * Cap'n Proto text of a struct or a list, as C++ prints it.
 *
 * Throws as {@link formatText} does, and CAPNP_TYPE for other values.
 */
export const toText = (value: StructBase | List<unknown>, options?: TextOptions): string => {
  if (value instanceof List) return formatList(value, options);
  if (value instanceof StructBase) return formatText(value, value.$schema, options);
  throw wrongType("toText", "a struct or a list", value);
};

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

/** What is replaced takes a string each: a long text is escaped in pieces, which are done with before the next. */
const pieceCharacters = 8192;

/** All but printable characters, quotes and backslashes. Characters beyond ASCII stand as they are. */
const escapeText = (text: string): string => {
  if (text.length <= pieceCharacters) return text.replace(escapable, escapeCharacter);
  const pieces: string[] = [];
  for (let start = 0; start < text.length; start += pieceCharacters) {
    pieces.push(text.slice(start, start + pieceCharacters).replace(escapable, escapeCharacter));
  }
  return pieces.join("");
};
const escapable = /[^ !#-&(-[\]-~\u0080-\uffff]/g;

/** Every byte that is not printable ASCII becomes an octal escape. */
const escapedBytes: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  const isPlain = byte >= 0x20 && byte < 0x7f && namedEscapes[character] === undefined;
  return isPlain ? character : escapeCharacter(character);
});

const escapeData = (bytes: Uint8Array): string => textOfEach(bytes, escapedBytes);
