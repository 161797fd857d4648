import type { StructSchema } from "../../lib/schema/schema.ts";
import { type Loose, loadLoosely } from "../support/loose.ts";
import { segmentsOf } from "../support/messages.ts";
import { Random } from "../support/random-schema/random.ts";
import { built, randomStruct } from "../support/random-value/random-value.ts";
import type { Allocation, Mutation } from "./message-oracle.ts";

/** A valid message that is to be mutated. */
export interface CorpusMessage {
  readonly what: string;
  readonly schema: StructSchema;
  readonly segments: readonly Uint8Array[];
}

const types = loadLoosely("test/fixtures/all-types.capnp");

/** The nodes of every type in the corpus. */
export const corpusNodes = types.AllTypes.schema.universe.nodes();

const leaf = { textField: "leaf", int16Field: -7, boolList: [true, false, true], enumField: "blue" };

/** A value in each field of AllTypes, lists of all kinds and structs within structs. */
const allTypes = {
  boolField: true,
  int8Field: -123,
  int16Field: -12345,
  int32Field: -12345678,
  int64Field: -123456789012345n,
  uInt8Field: 234,
  uInt16Field: 45678,
  uInt32Field: 3456789012,
  uInt64Field: 12345678901234567890n,
  float32Field: 1234.5,
  float64Field: -123e45,
  textField: "foo",
  dataField: Uint8Array.of(1, 0, 0xff),
  structField: { ...leaf, structField: { structList: [leaf, {}] } },
  enumField: "green",
  voidList: [null, null, null],
  boolList: [true, false, false, true, true, false, true, true, true],
  int8List: [111, -111],
  int16List: [11111, -11111],
  int32List: [111111111, -111111111],
  int64List: [1111111111111111111n],
  uInt8List: [111, 222],
  uInt16List: [33333, 44444],
  uInt32List: [3333333333],
  uInt64List: [11111111111111111111n],
  float32List: [5555.5, Number.POSITIVE_INFINITY, Number.NaN],
  float64List: [7777.75, Number.NEGATIVE_INFINITY],
  textList: ["plugh", "xyzzy", ""],
  dataList: [Uint8Array.of(6), new Uint8Array(0)],
  structList: [{ textField: "structlist 1" }, { structField: leaf }],
  enumList: ["red", "blue"],
  listList: [[1, 2], [], [3]],
};

const values: readonly (readonly [type: string, value: object])[] = [
  ["AllTypes", allTypes],
  ["AllTypes", { structField: { structField: { structField: { structList: [leaf, leaf] } } }, listList: [[5]] }],
  ["Defaults", {}],
  [
    "Defaults",
    { boolField: false, int64Field: 1n, textField: "x", structList: [leaf], textList: [], structField: leaf },
  ],
  ["Shapes", { before: 3, box: { width: 1, title: "box" }, place: { x: 1, name: "place" } }],
  ["Shapes", { child: { points: [1, 2, 3], place: { name: "inner" } } }],
  ["Shapes", { child: { child: { inner: { two: "two" } } } }],
  ["UsesMap", { ages: { entries: [{ key: "k", value: leaf }, { key: "l" }], nested: { entries: [{ key: leaf }] } } }],
  ["Old", { a: 1, t: "old", l: [1, 2, 3], tl: ["a", "b"] }],
  ["New", { a: 1, t: "new", l: [{ v: 1, w: 2, t: "x" }, { v: 3 }], tl: [{ t: "a", n: 1 }, {}], b: 5n }],
];

const whole: Allocation = { firstSegmentWords: 1024, allocation: "grow" };
const scattered: Allocation = { firstSegmentWords: 1, allocation: "fixed" };
const several: Allocation = { firstSegmentWords: 12, allocation: "fixed" };

const messageOf = (type: string, value: object, allocation: Allocation): Loose => {
  const message = types[type].newMessage(value, allocation);
  if (type !== "AllTypes") return message;
  message.anyField.set(types.Shapes.newMessage({ label: "any", place: { name: "where" } }));
  // What is put back from another segment is reached through a landing pad of two words.
  message.adopt("structField", message.disown("structField"));
  return message;
};

/** Valid messages of many shapes: in one segment, in as many as it takes and in some. */
export const corpus = (): CorpusMessage[] => {
  const messages = values.flatMap(([type, value], i) => {
    const schema: StructSchema = types[type].schema;
    const isLarge = i === 0;
    return (isLarge ? [whole, scattered] : [whole, scattered, several]).map((allocation): CorpusMessage => {
      const what = `${type} ${i} in segments of ${allocation.firstSegmentWords}`;
      return { what, schema, segments: segmentsOf(messageOf(type, value, allocation)) };
    });
  });
  // Read by those who know another version.
  const [old, young]: readonly StructSchema[] = [types.Old.schema, types.New.schema];
  const others = messages.flatMap((message) => {
    const schema = message.schema === old ? young : message.schema === young ? old : undefined;
    return schema === undefined ? [] : [{ ...message, what: `${message.what} as ${schema.name}`, schema }];
  });
  return [...messages, ...others, ...randomMessages()];
};

const randomMessages = (): CorpusMessage[] => {
  const structs: StructSchema[] = [types.AllTypes.schema, types.Shapes.schema, types.UsesMap.schema, types.New.schema];
  const messages: CorpusMessage[] = [];
  for (let seed = 0; messages.length < 10; seed++) {
    const random = new Random(seed);
    const schema = random.pick(structs);
    const plain = randomStruct(random, schema, { depth: 3, structs });
    const message = built(random, schema, plain, random.pick([whole, scattered, several]));
    const one: CorpusMessage = { what: `random ${seed}`, schema, segments: segmentsOf(message) };
    if (wordsOf(one) > 8 && wordsOf(one) < 120) messages.push(one);
  }
  return messages;
};

const wordsOf = ({ segments }: CorpusMessage): number => segments.reduce((sum, segment) => sum + segment.length / 8, 0);

/** Flips of each bit of a message. */
export const singleBits = (message: CorpusMessage): Mutation[] =>
  Array.from({ length: wordsOf(message) * 64 }, (_, bit) => ({
    words: [bit >>> 6, 0],
    flips: [1n << BigInt(bit & 63), 0n],
  }));

/** Flips of two bits, and words that become another word of the message, zero or all ones. */
export const coarser = (message: CorpusMessage, count: number, random: Random): Mutation[] => {
  const all = Buffer.concat(message.segments);
  const total = all.length / 8;
  return Array.from({ length: count }, (): Mutation => {
    const word = random.below(total);
    const value = all.readBigUInt64LE(word * 8);
    switch (random.below(6)) {
      case 0:
        return { words: [word, 0], flips: [value ^ all.readBigUInt64LE(random.below(total) * 8), 0n] };
      case 1:
        return { words: [word, 0], flips: [random.pick([value, ~value & 0xffffffffffffffffn, random.bits64()]), 0n] };
      case 2: {
        // A pointer to a little elsewhere.
        const low = (value & 0xffffffffn) ^ ((value + BigInt(4 * random.between(1, 9))) & 0xffffffffn);
        return { words: [word, 0], flips: [low, 0n] };
      }
      case 3: {
        const other = 1n << BigInt(random.below(64));
        return { words: [word, random.below(total)], flips: [1n << BigInt(random.below(64)), other] };
      }
      default: {
        const [first, second] = [1n << BigInt(random.below(64)), 1n << BigInt(random.below(64))];
        return { words: [word, 0], flips: [first | second, 0n] };
      }
    }
  });
};
