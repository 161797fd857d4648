import type { PrimitiveTypeName, Type, Value } from "../schema/node.ts";
import { dataImage, encodeImage, type ListImage, type StructImage, textImage, type ValueImage } from "./value-image.ts";

/** A value with the type that its source gives it, before it is checked against the type that is expected. */
export type LiteralValue =
  | { readonly which: "void" }
  | { readonly which: "bool"; readonly value: boolean }
  | { readonly which: "int"; readonly value: bigint }
  | { readonly which: "float"; readonly value: number }
  | { readonly which: "enum"; readonly type: Type; readonly value: number }
  | { readonly which: "text" | "data"; readonly bytes: Uint8Array }
  | { readonly which: "list"; readonly type: Type; readonly image: ListImage | undefined }
  | { readonly which: "struct"; readonly type: Type; readonly image: StructImage | undefined }
  | { readonly which: "anyPointer"; readonly image: ValueImage | undefined };

/** The range of each integer type. */
export const integerRanges: Partial<Record<Type["which"], readonly [bigint, bigint]>> = {
  int8: [-128n, 127n],
  int16: [-32768n, 32767n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint8: [0n, 255n],
  uint16: [0n, 65535n],
  uint32: [0n, 2n ** 32n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
};

/** Size of a field or element of each data type, as the logarithm in bits. */
export const dataLgSizes: Partial<Record<Type["which"], number>> = {
  bool: 0,
  int8: 3,
  uint8: 3,
  int16: 4,
  uint16: 4,
  enum: 4,
  int32: 5,
  uint32: 5,
  float32: 5,
  int64: 6,
  uint64: 6,
  float64: 6,
};

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The value that a field has by itself, where its type is the whole of what is known. */
export function zeroValue(type: Type): Value {
  switch (type.which) {
    case "void":
    case "interface":
      return { which: type.which };
    case "bool":
      return { which: "bool", value: false };
    case "int64":
    case "uint64":
      return { which: type.which, value: 0n };
    case "text":
      return { which: "text", value: "" };
    case "data":
      return { which: "data", value: new Uint8Array(0) };
    case "struct":
    case "list":
    case "anyPointer":
      return { which: type.which, value: encodeImage(undefined) };
    default:
      return { which: type.which, value: 0 };
  }
}

const numberOf = (literal: LiteralValue): number =>
  literal.which === "int" || literal.which === "float" || literal.which === "enum" ? Number(literal.value) : 0;
const bigintOf = (literal: LiteralValue): bigint => (literal.which === "int" ? literal.value : 0n);

/** The schema's form of a literal that matches `type`. */
export function toValue(literal: LiteralValue, type: Type): Value {
  switch (type.which) {
    case "void":
    case "interface":
      return { which: type.which };
    case "bool":
      return { which: "bool", value: literal.which === "bool" && literal.value };
    case "int64":
    case "uint64":
      return { which: type.which, value: bigintOf(literal) };
    case "float32":
      return { which: "float32", value: Math.fround(numberOf(literal)) };
    case "text":
      return { which: "text", value: "bytes" in literal ? decoder.decode(literal.bytes) : "" };
    case "data":
      return { which: "data", value: "bytes" in literal ? new Uint8Array(literal.bytes) : new Uint8Array(0) };
    case "struct":
    case "list":
    case "anyPointer":
      return { which: type.which, value: encodeImage(imageOf(literal)) };
    default:
      return { which: type.which, value: numberOf(literal) };
  }
}

/** The pointer's target, for a literal of a pointer type. */
export function imageOf(literal: LiteralValue): ValueImage | undefined {
  switch (literal.which) {
    case "text":
      return textImage(literal.bytes);
    case "data":
      return dataImage(literal.bytes);
    case "list":
    case "struct":
    case "anyPointer":
      return literal.image;
    default:
      return undefined;
  }
}

/** The data types, whose fields lie in the data section, without `void`. */
export type DataTypeName = Exclude<PrimitiveTypeName, "void"> | "enum";

export const isDataType = (which: Type["which"]): which is DataTypeName => which in dataLgSizes;

/** Writes the element or field number `index`, counted in units of its own size. */
export function writeData(view: DataView, index: number, type: DataTypeName, literal: LiteralValue): void {
  switch (type) {
    case "bool": {
      const bit = 1 << (index & 7);
      const byte = view.getUint8(index >>> 3) & ~bit;
      view.setUint8(index >>> 3, literal.which === "bool" && literal.value ? byte | bit : byte);
      return;
    }
    case "int8":
    case "uint8":
      view.setUint8(index, numberOf(literal));
      return;
    case "int16":
    case "uint16":
    case "enum":
      view.setUint16(index * 2, numberOf(literal), true);
      return;
    case "int32":
    case "uint32":
      view.setUint32(index * 4, numberOf(literal), true);
      return;
    case "float32":
      view.setFloat32(index * 4, numberOf(literal), true);
      return;
    case "int64":
    case "uint64":
      view.setBigUint64(index * 8, bigintOf(literal), true);
      return;
    case "float64":
      view.setFloat64(index * 8, numberOf(literal), true);
      return;
  }
}

/** The literal that spells a value of a data type. */
export function dataLiteral(value: Value): LiteralValue {
  switch (value.which) {
    case "bool":
      return { which: "bool", value: value.value };
    case "int64":
    case "uint64":
      return { which: "int", value: value.value };
    case "float32":
    case "float64":
      return { which: "float", value: value.value };
    case "int8":
    case "int16":
    case "int32":
    case "uint8":
    case "uint16":
    case "uint32":
    case "enum":
      return { which: "int", value: BigInt(value.value) };
    default:
      return { which: "void" };
  }
}
