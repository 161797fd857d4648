import { expect } from "chai";
import { CapnpError } from "../../lib/errors.ts";
import { fromSegments } from "../../lib/schema/message-io.ts";
import { toObject } from "../../lib/schema/plain-object.ts";
import { listOf } from "../../lib/schema/type-argument.ts";
import * as scalar from "../../lib/serialization/scalar.ts";
import { equals } from "../../lib/schema/equals.ts";
import { type Loose, loadLoosely, parseLoosely } from "../support/loose.ts";
import { readAs, received, segmentsOf, words } from "../support/messages.ts";

const { AllTypes } = loadLoosely("test/fixtures/all-types.capnp");
const { Any } = loadLoosely("test/fixtures/parity.capnp");

const hex = (struct: Loose): string => Buffer.from(struct.toBytes()).toString("hex");

describe("the layout of a struct", () => {
  it("has each value at its offset in units of its size, and zero beyond the end of the data", () => {
    // 8 bytes of data, read as values of every size.
    const { Of1, Of8, Of16, Of32, Of64, OfBits } = parseLoosely(`
      struct Of64 { a @0 :UInt64; b @1 :UInt64 = 7; }
      struct Of32 { a @0 :UInt32; b @1 :UInt32; c @2 :UInt32 = 8; }
      struct Of16 { a @0 :UInt16; b @1 :UInt16; c @2 :UInt16; d @3 :UInt16; e @4 :UInt16; }
      struct Of8 { a @0 :UInt8; b @1 :UInt8; c @2 :UInt8; d @3 :UInt8; e @4 :UInt8; f @5 :UInt8; g @6 :UInt8; h @7 :UInt8; i @8 :UInt8 = 9; }
      struct Of1 { ${Array.from({ length: 65 }, (_, i) => `b${i} @${i} :Bool;`).join(" ")} }
      struct OfBits { a @0 :Bool = true; }
    `);
    const segment = words([0, 1], [0x67452301, 0xefcdab89]);
    const values = (type: Loose) => Object.values(readAs(type, [segment]).toObject());
    expect(values(Of64)).to.deep.equal([0xefcdab8967452301n, 7n]);
    expect(values(Of32)).to.deep.equal([0x67452301, 0xefcdab89, 8]);
    expect(values(Of16)).to.deep.equal([0x2301, 0x6745, 0xab89, 0xefcd, 0]);
    expect(values(Of8)).to.deep.equal([0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 9]);
    const bits = values(Of1);
    for (const [i, bit] of bits.entries()) {
      expect(bit, `bit ${i}`).to.equal(i < 64 && ((0xefcdab8967452301n >> BigInt(i)) & 1n) === 1n);
    }
    expect(values(OfBits), "a bit is stored as the opposite of its default").to.deep.equal([false]);
  });

  it("writes every NaN with the same bits, as C++ does, in fields, defaults and lists, and reads any", () => {
    const root = AllTypes.newMessage();
    const { Defaults } = loadLoosely("test/fixtures/all-types.capnp");
    const expected = hex(AllTypes.newMessage({ float64Field: Number.NaN, float64List: [Number.NaN] }));
    expect(expected).to.include("000000000000f87f");
    for (const [low, high] of [
      [0, 0x7ff80000],
      [0x12345678, 0xfff8abcd],
      [1, 0x7ff00000],
    ] as const) {
      const view = new DataView(new ArrayBuffer(8));
      view.setUint32(0, low, true);
      view.setUint32(4, high, true);
      root.float64Field = view.getFloat64(0, true);
      expect(received(root).float64Field).to.be.NaN;
      const nan = view.getFloat64(0, true);
      expect(hex(AllTypes.newMessage({ float64Field: nan, float64List: [nan] }))).to.equal(expected);
      expect(hex(Defaults.newMessage({ nan }))).to.equal(hex(Defaults.newMessage()));
    }
    const canonical = AllTypes.newMessage({ float64Field: Number.NaN, float32Field: Number.NaN });
    expect(equals(canonical, AllTypes.newMessage({ float64Field: 0 / 0, float32Field: -(0 / 0) }))).to.equal(true);
  });

  it("is little-endian, of every size", () => {
    const bytes = Uint8Array.of(0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef);
    const view = new DataView(bytes.buffer);
    const kinds = [
      [scalar.uint8, 0x01],
      [scalar.int8, 0x01],
      [scalar.uint16, 0x2301],
      [scalar.int16, 0x2301],
      [scalar.uint32, 0x67452301],
      [scalar.int32, 0x67452301],
      [scalar.uint64, 0xefcdab8967452301n],
      [scalar.int64, 0xefcdab8967452301n - (1n << 64n)],
    ] as const;
    for (const [kind, value] of kinds) {
      expect(kind.read(view, 0), kind.name).to.equal(value);
      const written = new Uint8Array(8);
      (kind as scalar.ScalarKind<number | bigint>).write(new DataView(written.buffer), 0, value);
      expect([...written]).to.deep.equal([...bytes.subarray(0, kind.bytes), ...new Array(8 - kind.bytes).fill(0)]);
    }
    scalar.float32.write(view, 0, 1);
    expect([...bytes.subarray(0, 4)]).to.deep.equal([0, 0, 0x80, 0x3f]);
    scalar.float64.write(view, 0, 1);
    expect([...bytes]).to.deep.equal([0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
  });
});

describe("Text and Data", () => {
  it("are a string without its NUL, and bytes as they are", () => {
    const root = AllTypes.newMessage({ textField: "foo", dataField: Uint8Array.of(102, 111, 111) });
    const [segment] = segmentsOf(root) as [Uint8Array];
    expect(Buffer.from(segment).includes("foo\0\0\0\0\0foo\0\0\0\0\0")).to.equal(true);
    for (const text of ["", "foo", "bücher", "\u{1f600}", "nul \0 inside", "x".repeat(5000)]) {
      root.textField = text;
      expect(received(root).textField).to.equal(text);
    }
    for (const data of [[], [0], [0, 255, 0]]) {
      root.dataField = Uint8Array.from(data);
      expect(received(root).dataField).to.deep.equal(Uint8Array.from(data));
    }
  });

  it("are views of the message where they are Data, which a builder may write to", () => {
    const root = AllTypes.newMessage({ dataField: Uint8Array.of(1, 2, 3) });
    root.dataField[1] = 9;
    expect(received(root).dataField).to.deep.equal(Uint8Array.of(1, 9, 3));
    root.init("dataField", 4)[3] = 5;
    expect(received(root).dataField).to.deep.equal(Uint8Array.of(0, 0, 0, 5));
  });

  it("are compared as strings and bytes are", () => {
    const root = AllTypes.newMessage({
      textList: ["foo", "bar", "foo"],
      dataList: [Uint8Array.of(1), Uint8Array.of(1)],
    });
    expect(root.textList[0] === root.textList[2] && root.textList[0] > root.textList[1]).to.equal(true);
    expect([equals(root.dataList[0], root.dataList[1]), root.textList.indexOf("bar")]).to.deep.equal([true, 1]);
  });
});

/** Reads all that a message holds as what it is not, too; anything but a value or a CapnpError fails. */
const readEverything = (segments: Uint8Array[]): boolean => {
  const attempts: (() => unknown)[] = [
    () => toObject(fromSegments(AllTypes, segments)),
    () => String(fromSegments(AllTypes, segments)),
    () => toObject((fromSegments(Any, segments) as Loose).pointer.as(AllTypes)),
    () => toObject((fromSegments(Any, segments) as Loose).pointer.as(listOf(AllTypes))),
    () => toObject((fromSegments(Any, segments) as Loose).pointer.as(listOf("UInt32"))),
    () => (fromSegments(Any, segments) as Loose).pointer.as("Text"),
    () => (fromSegments(Any, segments) as Loose).copy(),
    () => (fromSegments(Any, segments) as Loose).totalSize,
  ];
  let good = 0;
  for (const attempt of attempts) {
    try {
      attempt();
      good++;
    } catch (error) {
      if (!(error instanceof CapnpError)) throw error;
    }
  }
  return good > 0;
};

/** Every way in which the bytes of a few words may be wrong by one byte, and by one bit. */
const damage = (original: readonly Uint8Array[], segment: number, from: number, to: number): number => {
  let survived = 0;
  for (let at = from; at < to; at++) {
    for (const value of [0, 1, 2, 3, 4, 7, 8, 0x7f, 0x80, 0xfe, 0xff]) {
      const damaged = original.map((one) => one.slice());
      (damaged[segment] as Uint8Array)[at] = value;
      if (readEverything(damaged)) survived++;
    }
  }
  return survived;
};

const rootWith = (fill: (pointer: Loose) => void, options?: object): Uint8Array[] => {
  const root = Any.newMessage({}, options);
  fill(root.pointer);
  return segmentsOf(root);
};
const example = {
  textField: "foo",
  int32List: [1, 2],
  structList: [{ textField: "a" }],
  structField: { int8Field: 1 },
};

describe("a damaged message gives a value or a CapnpError", () => {
  it("where the pointer to a struct is damaged", () => {
    expect(
      damage(
        rootWith((one) => one.set(example, AllTypes)),
        0,
        0,
        16,
      ),
    ).to.be.greaterThan(0);
  });

  it("where the pointer to a list is damaged", () => {
    expect(
      damage(
        rootWith((one) => one.set([1, 2, 3], listOf("UInt32"))),
        0,
        8,
        16,
      ),
    ).to.be.greaterThan(0);
  });

  it("where the pointer to a list of structs or its tag is damaged", () => {
    expect(
      damage(
        rootWith((one) => one.set([example, example], listOf(AllTypes))),
        0,
        8,
        24,
      ),
    ).to.be.greaterThan(0);
  });

  it("where the pointer to a text is damaged", () => {
    expect(
      damage(
        rootWith((one) => one.set("foo", "Text")),
        0,
        8,
        24,
      ),
    ).to.be.greaterThan(0);
  });

  it("where a far pointer or its landing pad is damaged", () => {
    const segments = rootWith((one) => one.set(example, AllTypes), { firstSegmentWords: 1, allocation: "fixed" });
    expect(segments.length).to.be.greaterThan(3);
    expect(damage(segments, 0, 0, 8) + damage(segments, 1, 0, 16) + damage(segments, 2, 0, 8)).to.be.greaterThan(0);
  });

  it("where a double-far pointer or its landing pad is damaged", () => {
    // The struct fills a segment of its own, so that its landing pad is in a third.
    const segments = [words([6, 2]), words([5, 0]), words([2, 1], [0, 1])];
    expect(fromSegments(AllTypes, segments) as Loose).to.be.instanceOf(AllTypes);
    expect(damage(segments, 0, 0, 8) + damage(segments, 2, 0, 16)).to.be.greaterThan(0);
  });
});
