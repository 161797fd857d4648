import fc from "fast-check";
import type { SchemaType, StructSchema } from "../../lib/schema/schema.ts";

export interface ArbitraryOptions {
  /** How many levels of structs and lists are filled. */
  readonly depth: number;
  /** Whether enums may have numbers that their schema does not know. */
  readonly unknownEnumerants?: boolean;
  /**
   * Leaves out characters in Text and Data that C++ 0.9.2 cannot read back: `capnp convert` counts brackets, in strings too, to
   * find where a message ends, and its JSON parser takes `\u000b` for U+0001.
   */
  readonly readableByCpp?: boolean;
}

type Plain = Record<string, unknown>;

/** C++ 0.9.2 prints a Float32 with at most 8 digits, which are too few for some: those do not survive its text. */
const survivesText = (value: number): boolean =>
  Number.isNaN(value) || Math.fround(Number(value.toPrecision(8))) === value;
/** Text says `-0`, which C++ reads as the integer 0. */
const hasNoSignedZero = (value: number): boolean => !Object.is(value, -0);

const isReadable = (character: string): boolean => character >= " " && !"()[]{}".includes(character);

const integers = (bits: number, signed: boolean): fc.Arbitrary<number> =>
  signed
    ? fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 })
    : fc.integer({ min: 0, max: 2 ** bits - 1 });

/** Values of a type as `newMessage` takes them; undefined for types that only null is made for. */
const arbitraryValue = (type: SchemaType, options: ArbitraryOptions): fc.Arbitrary<unknown> | undefined => {
  const { depth, unknownEnumerants, readableByCpp } = options;
  switch (type.which) {
    case "void":
      return fc.constant(null);
    case "bool":
      return fc.boolean();
    case "int8":
      return integers(8, true);
    case "int16":
      return integers(16, true);
    case "int32":
      return integers(32, true);
    case "uint8":
      return integers(8, false);
    case "uint16":
      return integers(16, false);
    case "uint32":
      return integers(32, false);
    case "int64":
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    case "uint64":
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    case "float32":
      return fc.float().filter((value) => survivesText(value) && hasNoSignedZero(value));
    case "float64":
      return fc.double().filter(hasNoSignedZero);
    case "text":
      return fc
        .oneof(fc.string({ maxLength: 40 }), fc.string({ unit: "binary", maxLength: 20 }))
        .map((text) => (readableByCpp === true ? [...text].filter(isReadable).join("") : text));
    case "data":
      return fc
        .uint8Array({ maxLength: 40 })
        .map((bytes) =>
          readableByCpp === true ? bytes.filter((byte) => isReadable(String.fromCharCode(byte))) : bytes,
        );
    case "enum": {
      const known = fc.constantFrom(...type.schema.names);
      return unknownEnumerants === true ? fc.oneof(known, fc.integer({ min: 100, max: 0xffff })) : known;
    }
    case "list": {
      if (depth <= 0) return undefined;
      const element = arbitraryValue(type.elementType, { ...options, depth: depth - 1 });
      return element === undefined ? undefined : fc.array(element, { maxLength: 5 });
    }
    case "struct":
      return depth <= 0 ? undefined : arbitraryStruct(type.schema, { ...options, depth: depth - 1 });
    default:
      return undefined;
  }
};

/** Plain objects for a struct, each with some of its fields and of its union with one member at most. */
export const arbitraryStruct = (schema: StructSchema, options: ArbitraryOptions): fc.Arbitrary<Plain> => {
  const members: Record<string, fc.Arbitrary<unknown>> = {};
  const choices: fc.Arbitrary<Plain>[] = [];
  for (const field of schema.fields) {
    const value =
      field.isGroup && field.type.which === "struct"
        ? arbitraryStruct(field.type.schema, options)
        : arbitraryValue(field.type, options);
    if (value === undefined) continue;
    if (field.isUnionMember) choices.push(value.map((one) => ({ [field.name]: one })));
    else members[field.name] = value;
  }
  const outside = fc.record(members, { requiredKeys: [] }) as fc.Arbitrary<Plain>;
  if (choices.length === 0) return outside;
  return fc
    .tuple(outside, fc.option(fc.oneof(...choices), { nil: {} }))
    .map(([one, member]) => ({ ...one, ...member }));
};
