import { expect } from "chai";
import { readDataStruct, writeDataStruct } from "../../lib/schema/data-struct.ts";
import { MessageBuilder } from "../../lib/schema/message-builder.ts";
import { fromSegments } from "../../lib/schema/message-io.ts";
import { listOf } from "../../lib/schema/type-argument.ts";
import { expectedMessageBytes } from "../../lib/serialization/message-size.ts";
import { expectError } from "../support/errors.ts";
import { type Loose, loadLoosely } from "../support/loose.ts";

const { AllTypes } = loadLoosely("test/fixtures/all-types.capnp");
const { Empty, ZeroIsBit } = loadLoosely("test/fixtures/parity.capnp");

const example = { int64Field: 5n, textField: "foo", structList: [{ textField: "a" }, { int8List: [1, 2] }] };
const plain = (value: Loose): Loose => value.asReader().toObject();

/** An allocator that remembers what it gave. */
const allocator = () => {
  const given: Uint8Array[] = [];
  return {
    given,
    allocate: (minimumWords: number): Uint8Array => {
      const bytes = new Uint8Array(minimumWords * 8);
      given.push(bytes);
      return bytes;
    },
  };
};

describe("a message that is built", () => {
  it("begins in the memory that it is given, and goes on in segments of the same size", () => {
    const firstSegment = new Uint8Array(16 * 8);
    const message = new MessageBuilder({ firstSegment, allocation: "fixed" });
    for (let i = 0; i < 3; i++) message.initRoot("Data", 12 * 8);
    const views = message.toSegmentViews();
    expect(views.map((view) => view.buffer === firstSegment.buffer)).to.deep.equal([true, false, false]);
    expect(views.map((view) => view.buffer.byteLength)).to.deep.equal([128, 128, 128]);
  });

  it("gives the memory back zeroed when it is released", () => {
    const firstSegment = new Uint8Array(1024);
    for (let use = 0; use < 2; use++) {
      using message = new MessageBuilder({ firstSegment });
      message.setRoot(example, AllTypes as object);
      expect(firstSegment.some((byte) => byte !== 0)).to.equal(true);
      expect(AllTypes.fromBytes(message.toBytes()).textField).to.equal("foo");
    }
    expect(firstSegment.every((byte) => byte === 0)).to.equal(true);
  });

  it("refuses memory that is not zero or not whole words", () => {
    const used = new Uint8Array(64);
    used[40] = 3;
    expectError("CAPNP_RANGE", () => new MessageBuilder({ firstSegment: used }), "byte 40", "zeroed");
    for (const bytes of [0, 7, 12]) {
      expectError("CAPNP_RANGE", () => new MessageBuilder({ firstSegment: new Uint8Array(bytes) }), "whole words");
    }
    for (const bytes of [new Uint8Array(8), new Uint8Array(1001), new Uint8Array(2000).fill(1), undefined as never]) {
      const message = () => AllTypes.newMessage({}, { firstSegmentWords: 1, allocate: () => bytes });
      expectError("CAPNP_RANGE", message, "allocate");
    }
  });

  it("grows by what an allocator gives", () => {
    const { given, allocate } = allocator();
    const root = AllTypes.newMessage(example, { allocate });
    expect(plain(root)).to.deep.include({ textField: "foo" });
    expect(given.length).to.be.greaterThan(3);
    expect(root.toSegmentViews().map((one: Uint8Array) => one.buffer)).to.deep.equal(given.map((one) => one.buffer));
    expect(plain(AllTypes.fromBytes(root.toBytes()))).to.deep.equal(plain(root));
  });

  it("grows by segments as large as all before, or by segments of one size", () => {
    const sizes = (options: object): number[] => {
      const message = new MessageBuilder(options);
      for (let i = 0; i < 12; i++) message.initRoot("Data", 56);
      return message.toSegmentViews().map((view) => view.buffer.byteLength / 8);
    };
    expect(sizes({ firstSegmentWords: 8, allocation: "fixed" })).to.deep.equal(new Array(12).fill(8));
    expect(sizes({ firstSegmentWords: 8, allocation: "grow" })).to.deep.equal([8, 8, 16, 32, 64]);
    expect(sizes({ firstSegmentWords: 4096 })).to.deep.equal([4096]);
  });

  it("may be refused any growth beyond a fixed buffer", () => {
    const allocate = (): Uint8Array => {
      throw new Error("full");
    };
    const exact = 1 + 1 + 1;
    const fits = new MessageBuilder({ firstSegment: new Uint8Array(exact * 8), allocate });
    fits.setRoot({ bit: true }, ZeroIsBit as object);
    expect(fits.sizeInWords).to.equal(2);
    expect(() => fits.initRoot("Data", 8)).not.to.throw();
    expect(() => fits.initRoot("Data", 1)).to.throw("full");
  });

  it("goes on where another left it, in the same memory", () => {
    const { given, allocate } = allocator();
    const first = new MessageBuilder({ firstSegmentWords: 2048 });
    first.setRoot(example, AllTypes as object);
    const second = MessageBuilder.reopen(first.toSegmentViews(), { allocate });
    const root: Loose = second.getRoot(AllTypes as object);
    expect(plain(root)).to.deep.include({ textField: "foo" });
    root.int64Field = 123321n;
    expect((first.getRoot(AllTypes as object) as Loose).int64Field).to.equal(123321n);
    expect(given).to.have.length(0);
    root.textField = "foobarbaz";
    expect(given).to.have.length(1);
    expect(AllTypes.fromBytes(second.toBytes()).textField).to.equal("foobarbaz");
  });

  it("goes on where another left many segments, in the same memory", () => {
    const { given, allocate } = allocator();
    const first = new MessageBuilder({ firstSegmentWords: 1, allocation: "fixed" });
    first.setRoot(example, AllTypes as object);
    expect(first.toSegmentViews().length).to.be.greaterThan(4);
    const second = MessageBuilder.reopen(first.toSegmentViews(), { allocate });
    const root: Loose = second.getRoot(AllTypes as object);
    expect(plain(root)).to.deep.include({ textField: "foo" });
    root.int64Field = 123321n;
    expect((first.getRoot(AllTypes as object) as Loose).int64Field).to.equal(123321n);
    expect(given).to.have.length(0);
    root.textField = "foobarbaz";
    expect(given).to.have.length(1);
  });

  it("goes on in the room that another left at the end", () => {
    const { given, allocate } = allocator();
    const firstSegment = new Uint8Array(2048 * 8);
    const first = new MessageBuilder({ firstSegment });
    first.setRoot(example, AllTypes as object);
    const usedBytes = (first.toSegmentViews()[0] as Uint8Array).length;
    const second = MessageBuilder.reopen([{ bytes: firstSegment, usedBytes }], { allocate });
    const root: Loose = second.getRoot(AllTypes as object);
    root.textField = "foobarbaz";
    expect(given).to.have.length(0);
    expect(Buffer.from(firstSegment).indexOf("foobarbaz")).to.equal(usedBytes);
    const half = [{ bytes: firstSegment, usedBytes: 12 }];
    expectError("CAPNP_RANGE", () => MessageBuilder.reopen(half), "whole words");
  });

  it("has a root of any type, which may be replaced", () => {
    const message = new MessageBuilder();
    expect(message.root.isNull).to.equal(true);
    const struct: Loose = message.initRoot(AllTypes as object);
    struct.textField = "foo";
    expect((message.getRoot(AllTypes as object) as Loose).textField).to.equal("foo");
    message.setRoot(struct.asReader());
    expect((message.getRoot(AllTypes as object) as Loose).textField).to.equal("foo");
    message.setRoot([1, 2], listOf("Int8") as object);
    expect([...(message.getRoot(listOf("Int8") as object) as Loose)]).to.deep.equal([1, 2]);
    expect(fromSegments("AnyPointer", message.toSegments()).as(listOf("Int8"))).to.have.length(2);
  });

  it("knows how many words it takes", () => {
    const message = new MessageBuilder();
    expect(message.sizeInWords).to.equal(1);
    message.setRoot(example, AllTypes as object);
    const total = message.toSegmentViews().reduce((sum, { length }) => sum + length / 8, 0);
    expect(message.sizeInWords).to.equal(total);
    expect(message.toBytes()).to.have.length(8 + total * 8);
  });

  it("is copied deeply, and the copy is as large as it has to be", () => {
    const root = AllTypes.newMessage(example);
    root.textField = "written twice, so that there is a gap";
    root.textField = "foo";
    const copy = root.asReader().copy();
    root.int64Field = 6n;
    expect(copy.int64Field).to.equal(5n);
    expect(new MessageBuilder().sizeInWords).to.equal(1);
    expect(copy.toBytes().length).to.be.lessThan(root.toBytes().length);
  });

  it("is read from memory that begins at any byte, in place", () => {
    const bytes: Uint8Array = AllTypes.newMessage(example).toBytes();
    for (let shift = 0; shift < 8; shift++) {
      const memory = new Uint8Array(bytes.length + 8);
      memory.set(bytes, shift);
      const read = AllTypes.fromBytes(memory.subarray(shift, shift + bytes.length));
      expect(read.toObject()).to.deep.equal(AllTypes.fromBytes(bytes).toObject());
      const data = AllTypes.fromBytes(memory.subarray(shift)).structList[1].int8List;
      expect([...data]).to.deep.equal([1, 2]);
    }
  });

  it("tells from its beginning how long it is", () => {
    const bytes: Uint8Array = AllTypes.newMessage(example, { firstSegmentWords: 1, allocation: "fixed" }).toBytes();
    const header = 4 * Math.ceil(((bytes[0] as number) + 2) / 2) * 2;
    for (let length = 0; length <= bytes.length; length += 4) {
      const expected = length < 4 ? 4 : length < header ? header : bytes.length;
      expect(expectedMessageBytes(bytes.subarray(0, length)), String(length)).to.equal(expected);
    }
  });
});

describe("a struct without pointers", () => {
  it("is written and read as its data alone", () => {
    const root = ZeroIsBit.newMessage({ bit: true, third: 5 });
    const bytes = writeDataStruct(root);
    expect(bytes).to.deep.equal(Uint8Array.of(1, 123 ^ 5, 0, 0, 0, 0, 0, 0));
    const read = readDataStruct(ZeroIsBit, bytes) as Loose;
    expect(read.toObject()).to.deep.equal({ bit: true, second: true, third: 5 });
    expect((readDataStruct(ZeroIsBit, new Uint8Array(0)) as Loose).third).to.equal(123);
    expect(writeDataStruct(Empty.newMessage())).to.have.length(0);
    expectError("CAPNP_TYPE", () => writeDataStruct(AllTypes.newMessage({ textField: "x" })), "pointers");
    expect(
      (readDataStruct(AllTypes, writeDataStruct(AllTypes.newMessage({ int8Field: 3 }))) as Loose).int8Field,
    ).to.equal(3);
  });
});
