import { type Bindings, bind, type Declaration, innermost, keyOf, type Member, type Type } from "./declaration.ts";
import type { Random } from "./random.ts";
import type { Place, TypeWriter } from "./type-source.ts";

const integerBits: Readonly<Record<string, readonly [signed: boolean, bits: bigint]>> = {
  Int8: [true, 8n],
  Int16: [true, 16n],
  Int32: [true, 32n],
  Int64: [true, 64n],
  UInt8: [false, 8n],
  UInt16: [false, 16n],
  UInt32: [false, 32n],
  UInt64: [false, 64n],
};
const floats = [
  "inf",
  "-inf",
  "nan",
  "0.0",
  "-0.0",
  "1.",
  "1.5e3",
  "2E-4",
  "1e+3",
  "1e400",
  "-1e400",
  "1e39",
  "5e-324",
];
const moreFloats = ["16777217", "-9223372036854775808", "18446744073709551615", "0x10", "017", "0.1", "3.4028235e38"];
const strings = [
  "",
  "plain",
  "h\\xc3\\xa9llo",
  "h\u00e9llo \u4e16\u754c \ud83d\ude00",
  "\\a\\b\\f\\n\\r\\t\\v\\'\\\"\\\\\\?",
  "\\101\\7x\\0z",
  "# no comment; {",
  "\\x00\\x7f",
  "*/ `",
  "a longer text of more than a word",
];

/** Writes values of types, in all forms of literals, by references to constants and by embedding files. */
export class ValueWriter {
  readonly #random: Random;
  readonly #types: TypeWriter;
  readonly #embed: (place: Place, bytes: Uint8Array) => string;

  constructor(random: Random, types: TypeWriter, embed: (place: Place, bytes: Uint8Array) => string) {
    this.#random = random;
    this.#types = types;
    this.#embed = embed;
  }

  /** Undefined where nothing can be written; constants are referred to if their index is lower than `below`. */
  value(type: Type, place: Place, depth: number, below: number): string | undefined {
    const isAny = type.which === "any";
    if (isAny || this.#random.chance(0.2)) {
      const reference = this.#constant(type, place, below);
      if (isAny || reference !== undefined) return reference;
    }
    const literal = this.#literal(type, place, depth, below);
    return literal !== undefined && this.#random.chance(0.03) ? `(${literal})` : literal;
  }

  #constant(type: Type, place: Place, below: number): string | undefined {
    const key = keyOf(type);
    if (key === undefined || key === "Capability") return undefined;
    // The C++ compiler takes a constant of an enum for a number, and refuses it.
    if (isEnum(type)) return undefined;
    const constants = this.#types.visible(place.scope).filter(({ kind, index }) => kind === "const" && index < below);
    for (const constant of this.#random.shuffled(constants)) {
      const reached = constant.type && this.#types.reach(constant, place, 2, true);
      if (reached === undefined || leavesOpen(constant.type!, reached.bindings)) continue;
      const bound = bind(constant.type!, reached.bindings);
      const boundKey = keyOf(bound);
      if (boundKey === undefined || bound.which === "any") continue;
      if (boundKey === key || this.#converts(bound, key)) return reached.text;
    }
    return undefined;
  }

  #converts(type: Type, key: string): boolean {
    const isStruct = type.which === "named" && type.declaration.kind === "struct";
    switch (key) {
      case "Float32":
      case "Float64":
        return type.which === "data" && type.name in integerBits;
      case "AnyPointer":
        return isStruct || type.which === "list";
      case "AnyStruct":
        return isStruct;
      case "AnyList":
        return type.which === "list";
      default:
        return false;
    }
  }

  #literal(type: Type, place: Place, depth: number, below: number): string | undefined {
    const random = this.#random;
    switch (type.which) {
      case "data":
        return this.#data(type.name);
      case "blob":
        if (random.chance(0.1)) return `embed "${this.#embed(place, this.#bytes(type.name === "Text"))}"`;
        if (type.name === "Data" && random.chance(0.5)) return this.#hexData();
        return Array.from({ length: random.chance(0.1) ? 2 : 1 }, () => `"${random.pick(strings)}"`).join(" ");
      case "list": {
        // The C++ compiler crashes on these.
        if (innermost(type).which === "any") return undefined;
        const count = depth <= 0 ? 0 : random.below(4);
        const elements: string[] = [];
        for (let i = 0; i < count; i++) {
          const element = this.value(type.element, place, depth - 1, below);
          if (element !== undefined) elements.push(element);
        }
        return `[${elements.join(", ")}${elements.length > 0 && random.chance(0.1) ? "," : ""}]`;
      }
      case "named":
        if (type.declaration.kind === "enum") return random.tryPick(type.declaration.enumerants);
        if (type.declaration.kind !== "struct") return undefined;
        if (depth >= 3 && random.chance(0.06)) return `embed "${this.#embed(place, this.#message())}"`;
        return this.#struct(type.declaration, type.bindings, place, depth - 1, below);
      default:
        return undefined;
    }
  }

  #data(name: string): string {
    const random = this.#random;
    if (name === "Void") return "void";
    if (name === "Bool") return random.pick(["true", "false"]);
    const integer = integerBits[name];
    if (integer === undefined) {
      if (random.chance(0.3)) return `${random.chance(0.5) ? "-" : ""}${random.below(1000)}.${random.below(1e6)}`;
      return random.pick(random.chance(0.5) ? floats : moreFloats);
    }
    const [signed, bits] = integer;
    const least = signed ? -(1n << (bits - 1n)) : 0n;
    const most = (signed ? 1n << (bits - 1n) : 1n << bits) - 1n;
    const any = signed ? BigInt.asIntN(Number(bits), random.bits64()) : BigInt.asUintN(Number(bits), random.bits64());
    const value = random.pick([0n, 1n, least, most, any, any]);
    const magnitude = value < 0n ? -value : value;
    const sign = value < 0n ? "-" : "";
    const form = random.below(6);
    if (form === 0) return `${sign}0x${magnitude.toString(16)}`;
    if (form === 1) return `${sign}0x${magnitude.toString(16).toUpperCase()}`;
    return form === 2 ? `${sign}0${magnitude.toString(8)}` : `${value}`;
  }

  #bytes(isText: boolean): Uint8Array {
    const text = this.#random.pick(["x", "embedded", "z\u00fc\u4e16\n", "a\0b"]);
    const bytes = [...Buffer.from(text)];
    return Uint8Array.from(isText ? bytes : [...bytes, this.#random.below(256)]);
  }

  #hexData(): string {
    const bytes = Array.from({ length: this.#random.between(1, 9) }, () => this.#random.below(256));
    const separator = this.#random.pick(["", " ", "\n"]);
    return `0x"${bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(separator)}"`;
  }

  /** A message of one segment with data and null pointers in its root. */
  #message(): Uint8Array {
    const dataWords = this.#random.below(4);
    const pointerCount = this.#random.below(3);
    const bytes = new Uint8Array(8 * (2 + dataWords + pointerCount));
    const view = new DataView(bytes.buffer);
    view.setUint32(4, 1 + dataWords + pointerCount, true);
    view.setUint16(12, dataWords, true);
    view.setUint16(14, pointerCount, true);
    for (let i = 0; i < dataWords; i++) view.setBigUint64(16 + 8 * i, this.#random.bits64(), true);
    return bytes;
  }

  #struct({ members }: Declaration, bindings: Bindings, place: Place, depth: number, below: number): string {
    // Inside values of generic types, the C++ compiler does not always see that a constant's type is the same.
    return this.#tuple(members, bindings, place, depth, below, false);
  }

  #tuple(
    members: readonly Member[],
    bindings: Bindings,
    place: Place,
    depth: number,
    below: number,
    isUnion: boolean,
  ): string {
    const random = this.#random;
    const fields = isUnion ? this.#someOf(members) : members;
    const parts: string[] = [];
    for (const field of random.chance(0.5) ? fields : random.shuffled(fields)) {
      // of a struct with many fields only some: what holds itself would be too large for any machine
      if (depth < 0 || random.chance(Math.max(0.3, 1 - 5 / fields.length))) continue;
      if (field.which === "union" && field.name === "") {
        const inner = this.#tuple(field.members!, bindings, place, depth, below, true);
        if (inner !== "()") parts.push(inner.slice(1, -1).replace(/,$/, ""));
        continue;
      }
      const value =
        field.type === undefined
          ? this.#tuple(field.members!, bindings, place, depth - 1, below, field.which === "union")
          : this.value(bind(field.type, bindings), place, depth - 1, below);
      if (value !== undefined) parts.push(`${field.name} = ${value}`);
    }
    return `(${parts.join(", ")}${parts.length > 0 && random.chance(0.05) ? "," : ""})`;
  }

  /** Mostly one member of a union, sometimes several, of which the last one counts. */
  #someOf(members: readonly Member[]): readonly Member[] {
    return this.#random.chance(0.1) ? members : [this.#random.pick(members)];
  }
}

/** For annotations: whether their values are read while the types are still being made out. */
export function isEnum(type: Type): type is Type & { readonly declaration: Declaration } {
  return type.which === "named" && type.declaration.kind === "enum";
}

/** The C++ compiler tells a type that depends on unbound parameters from the same type elsewhere. */
function leavesOpen(type: Type, bindings: Bindings): boolean {
  if (type.which === "list") return leavesOpen(type.element, bindings);
  if (type.which === "parameter") return !bindings.has(type.declaration);
  if (type.which !== "named") return false;
  return [...type.bindings].some(([declaration, args]) =>
    args === "inherit" ? !bindings.has(declaration) : args.some((arg) => leavesOpen(arg, bindings)),
  );
}
