import { expect } from "chai";
import { MessageBuilder } from "../../lib/schema/message-builder.ts";
import { newOrphan, newOrphanConcat, newOrphanCopy, referenceExternalData } from "../../lib/schema/orphanage.ts";
import type { Orphan } from "../../lib/schema/orphan.ts";
import { listOf } from "../../lib/schema/type-argument.ts";
import { expectError } from "../support/errors.ts";
import { type Loose, loadLoosely } from "../support/loose.ts";
import { received } from "../support/messages.ts";

const { AllTypes } = loadLoosely("test/fixtures/all-types.capnp");
const { Any, AnyOthers, Groups, Lists, NewVersion, OldVersion } = loadLoosely("test/fixtures/parity.capnp");

const wordsIn = (message: { toSegmentViews(): Uint8Array[] }): number[] =>
  message.toSegmentViews().map((segment) => segment.length / 8);

/** As orphans are made in a message that has no root yet. */
const emptyMessage = (): { message: MessageBuilder; make: (type: unknown, count?: number) => Loose } => {
  const message = new MessageBuilder();
  return { message, make: (type, count) => newOrphan(message.root, type, count) };
};

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

describe("an orphan, as in C++", () => {
  describe("taken from a field", () => {
    it("holds a struct, and gives it to another field", () => {
      const root = AllTypes.newMessage({ structField: { int32Field: 5, textList: ["x"] } });
      const orphan = root.disown("structField");
      expect(orphan.isNull).to.equal(false);
      expect(orphan.getReader().textList[0]).to.equal("x");
      expect(orphan.get().int32Field).to.equal(5);
      expect(root.has("structField")).to.equal(false);
      root.adopt("structField", orphan);
      expect(root.structField.int32Field).to.equal(5);
      expect(orphan.isNull).to.equal(true);
    });

    it("holds a struct without content, which is not null", () => {
      const { HoldsEmpty } = loadLoosely("test/fixtures/parity.capnp");
      const root = HoldsEmpty.newMessage();
      expect(root.disown("struct").isNull).to.equal(true);
      root.init("struct");
      const orphan = root.disown("struct");
      expect([orphan.isNull, root.has("struct")]).to.deep.equal([false, false]);
      root.adopt("struct", orphan);
      expect(received(root).has("struct")).to.equal(true);
    });

    it("without content takes the place of another without content", () => {
      const { HoldsEmpty } = loadLoosely("test/fixtures/parity.capnp");
      const root = HoldsEmpty.newMessage();
      root.init("struct");
      const orphan = root.disown("struct");
      root.init("struct");
      root.adopt("struct", orphan);
      expect(received(root).has("struct")).to.equal(true);
    });

    it("that is null makes the field null that adopts it", () => {
      const root = AllTypes.newMessage();
      const orphan = root.disown("structField");
      root.init("structField");
      root.adopt("structField", orphan);
      expect(root.has("structField")).to.equal(false);
    });

    it("holds a list of numbers", () => {
      const root = AllTypes.newMessage({ uInt32List: [12, 34, 56] });
      const orphan = root.disown("uInt32List");
      expect(root.has("uInt32List")).to.equal(false);
      expect([...orphan.getReader()]).to.deep.equal([12, 34, 56]);
      expect([...orphan.get()]).to.deep.equal([12, 34, 56]);
      root.adopt("uInt32List", orphan);
      expect([...root.uInt32List]).to.deep.equal([12, 34, 56]);
    });

    it("holds a list of structs", () => {
      const root = AllTypes.newMessage({ structList: [{ textField: "foo" }, { textField: "bar" }] });
      const orphan = root.disown("structList");
      expect(orphan.get().map((one: Loose) => one.textField)).to.deep.equal(["foo", "bar"]);
      root.adopt("structList", orphan);
      expect(root.structList.map((one: Loose) => one.textField)).to.deep.equal(["foo", "bar"]);
    });

    it("holds Text", () => {
      const root = AllTypes.newMessage({ textField: "foo" });
      const orphan = root.disown("textField");
      expect([orphan.getReader(), orphan.get(), root.has("textField")]).to.deep.equal(["foo", "foo", false]);
      root.adopt("textField", orphan);
      expect(received(root).textField).to.equal("foo");
    });

    it("holds Data", () => {
      const root = AllTypes.newMessage({ dataField: bytes(1, 2, 3) });
      const orphan = root.disown("dataField");
      expect(orphan.getReader()).to.deep.equal(bytes(1, 2, 3));
      expect(root.has("dataField")).to.equal(false);
      root.adopt("dataField", orphan);
      expect(received(root).dataField).to.deep.equal(bytes(1, 2, 3));
    });

    it("of a null pointer reads as an empty value, and get() makes a struct but no list", () => {
      const root = AllTypes.newMessage();
      const struct = root.disown("structField");
      expect(struct.getReader().int32Field).to.equal(0);
      expect(struct.isNull).to.equal(true);
      expect(struct.get().int32Field).to.equal(0);
      expect(struct.isNull).to.equal(false);
      for (const name of ["int32List", "structList"]) {
        const list = root.disown(name);
        expect(list.getReader()).to.have.length(0);
        expect(list.get()).to.have.length(0);
        expect(list.isNull).to.equal(true);
      }
    });

    it("is reached over far pointers where every object has a segment of its own", () => {
      const root = AllTypes.newMessage(
        { structField: { textField: "far", structList: [{ int8Field: 1 }, { int8Field: 2 }] } },
        { firstSegmentWords: 1, allocation: "fixed" },
      );
      const orphan = root.disown("structField");
      expect(orphan.getReader().textField).to.equal("far");
      expect(orphan.get().structList[1].int8Field).to.equal(2);
      root.adopt("structField", orphan);
      expect(received(root).structField.structList[1].int8Field).to.equal(2);
    });

    it("of every field of a struct makes the same struct elsewhere, and leaves zeros", () => {
      const values = { boolField: true, int8Field: -3, float64Field: 2.5, enumField: "blue", textField: "t" };
      const lists = { int16List: [1, 2], textList: ["x"], structList: [{ int8Field: 7 }], boolList: [true] };
      const root = AllTypes.newMessage({ ...values, ...lists, structField: { int8Field: 1 } });
      const expected = received(root).toObject();
      const zero = AllTypes.newMessage().toObject();
      const other = newOrphan(root, AllTypes) as Loose;
      for (const field of AllTypes.schema.fieldNames) other.get().adopt(field, root.disown(field));
      expect(root.toObject()).to.deep.equal(zero);
      expect(other.getReader().toObject()).to.deep.equal(expected);
      for (const field of AllTypes.schema.fieldNames) other.get().adopt(field, root.disown(field));
      expect(other.getReader().toObject()).to.deep.equal(zero);
    });

    it("of a group is a copy, and leaves the group zero", () => {
      const root = Groups.newMessage({ choice: { two: { number: 123, text: "foo", big: 9876543210987n } } });
      const other = newOrphan(root, Groups) as Loose;
      other.get().adopt("choice", root.disown("choice"));
      expect(root.choice.which()).to.equal("one");
      expect(other.getReader().choice.which()).to.equal("two");
      expect(other.getReader().choice.two.toObject()).to.deep.equal({ number: 123, text: "foo", big: 9876543210987n });
    });

    it("of a struct of an older schema grows when it is built on, and its old place is zeroed", () => {
      const root = Any.newMessage();
      const old = root.pointer.init(OldVersion);
      old.number = 1234n;
      old.text = "foo";
      const orphan = root.pointer.disown().as(NewVersion);
      old.number = 12345n;
      expect(orphan.getReader().number, "reading moves nothing").to.equal(12345n);
      const grown = orphan.get();
      expect([old.number, old.text]).to.deep.equal([0n, ""]);
      expect([grown.number, grown.text, grown.newText]).to.deep.equal([12345n, "foo", "baz"]);
    });

    it("of a list of structs of an older schema grows when it is built on, and its old place is zeroed", () => {
      const root = Any.newMessage();
      const old = root.pointer.init(listOf(OldVersion), 2);
      for (const [i, text] of ["foo", "bar"].entries()) old.set(i, { number: 1000 + i, text });
      const orphan = root.pointer.disown().as(listOf(NewVersion));
      old[0].number = 12345n;
      expect(orphan.getReader()[0].number).to.equal(12345n);
      const grown = orphan.get();
      expect([old[0].number, old[0].text]).to.deep.equal([0n, ""]);
      expect(grown.map((one: Loose) => [one.number, one.text])).to.deep.equal([
        [12345n, "foo"],
        [1001n, "bar"],
      ]);
    });
  });

  describe("of an AnyPointer", () => {
    it("is a struct as which it can be read, built and adopted", () => {
      const root = Any.newMessage();
      root.pointer.init(AllTypes).textField = "foo";
      const orphan = root.pointer.disown();
      expect(root.pointer.isNull).to.equal(true);
      expect(orphan.kind).to.equal("struct");
      expect(orphan.get().as(AllTypes).textField).to.equal("foo");
      expect(orphan.getReader().as(AllTypes).textField).to.equal("foo");
      root.pointer.adopt(orphan);
      expect(root.asReader().pointer.as(AllTypes).textField).to.equal("foo");
    });

    it("is a list as which it can be read, built and adopted", () => {
      const root = Any.newMessage();
      root.pointer.set([12, 34, 56], listOf("UInt32"));
      const orphan = root.pointer.disown();
      expect([...orphan.get().as(listOf("UInt32"))]).to.deep.equal([12, 34, 56]);
      root.pointer.adopt(orphan);
      expect([...received(root).pointer.as(listOf("UInt32"))]).to.deep.equal([12, 34, 56]);
    });

    it("becomes an orphan of a type by as(), if it is one", () => {
      const root = Any.newMessage();
      root.pointer.init(AllTypes).textField = "foo";
      const untyped = root.pointer.disown();
      expectError("CAPNP_POINTER_KIND", () => untyped.as(listOf("UInt32")));
      expect(untyped.isNull, "what failed has spent nothing").to.equal(false);
      const typed = untyped.as(AllTypes);
      expectError("CAPNP_ORPHAN", () => untyped.get());
      expect([typed.getReader().textField, typed.get().textField]).to.deep.equal(["foo", "foo"]);
      const again = typed.as("AnyPointer");
      expect(again.as(AllTypes).get().textField).to.equal("foo");
    });

    it("becomes an orphan of a list by as(), and an AnyPointer again", () => {
      const root = Any.newMessage();
      root.pointer.set([12, 34, 56], listOf("UInt32"));
      const typed = root.pointer.disown().as(listOf("UInt32"));
      expect([...typed.getReader()]).to.deep.equal([12, 34, 56]);
      expect([...typed.as("AnyPointer").as(listOf("UInt32")).get()]).to.deep.equal([12, 34, 56]);
    });

    it("of a list of structs can be adopted by a field of that type", () => {
      const root = Any.newMessage();
      const list = root.pointer.init(listOf(AllTypes), 2);
      for (const [i, text] of ["foo", "bar"].entries()) list[i].textField = text;
      const orphan = root.pointer.disown();
      expect(orphan.get().as(listOf(AllTypes))[1].textField).to.equal("bar");
      root.pointer.adopt(orphan);
      expect(received(root).pointer.as(listOf(AllTypes))[1].textField).to.equal("bar");
    });

    it("goes through fields of the types AnyStruct and AnyList", () => {
      const root = AnyOthers.newMessage();
      root.anyStruct.init(AllTypes).textField = "struct";
      root.anyList.set([1, 2], listOf("Int32"));
      for (const name of ["anyStruct", "anyList"]) {
        const orphan = root.disown(name);
        expect(root.has(name)).to.equal(false);
        root.adopt(name, orphan);
      }
      expect(root.anyStruct.as(AllTypes).textField).to.equal("struct");
      expect([...root.anyList.as(listOf("Int32"))]).to.deep.equal([1, 2]);
    });
  });

  describe("made in a message", () => {
    it("is a struct that is filled before it is adopted", () => {
      const { message, make } = emptyMessage();
      const orphan = make(AllTypes);
      orphan.get().textField = "foo";
      const root = message.initRoot(AllTypes) as Loose;
      root.adopt("structField", orphan);
      expect(root.structField.textField).to.equal("foo");
    });

    it("is a list that is filled before it is adopted", () => {
      const { message, make } = emptyMessage();
      const orphan = make(listOf("UInt32"), 2);
      orphan.get().set(0, 123);
      orphan.get().set(1, 456);
      const root = message.initRoot(AllTypes) as Loose;
      root.adopt("uInt32List", orphan);
      expect([...root.uInt32List]).to.deep.equal([123, 456]);
    });

    it("is Text of a length, of zeros", () => {
      const { message, make } = emptyMessage();
      const orphan = make("Text", 3);
      expect(orphan.get()).to.equal("\0\0\0");
      const root = message.initRoot(AllTypes) as Loose;
      root.adopt("textField", orphan);
      expect(root.textField).to.equal("\0\0\0");
    });

    it("is Data of a length, of zeros", () => {
      const { message, make } = emptyMessage();
      const orphan = make("Data", 2);
      orphan.get()[1] = 34;
      const root = message.initRoot(AllTypes) as Loose;
      root.adopt("dataField", orphan);
      expect(root.dataField).to.deep.equal(bytes(0, 34));
    });

    it("may be a copy of a struct, a list, Text or Data of another message", () => {
      const from = AllTypes.newMessage({ int8Field: 5, textField: "foo", uInt32List: [1, 2], dataField: bytes(7) });
      const root = AllTypes.newMessage();
      root.adopt("structField", newOrphanCopy(root, AllTypes, from));
      root.adopt("uInt32List", newOrphanCopy(root, listOf("UInt32"), from.uInt32List));
      root.adopt("textField", newOrphanCopy(root, "Text", from.textField));
      root.adopt("dataField", newOrphanCopy(root, "Data", from.dataField));
      from.int8Field = 6;
      expect(received(root).structField.int8Field).to.equal(5);
      expect(received(root).toObject()).to.deep.include({ uInt32List: [1, 2], textField: "foo", dataField: bytes(7) });
    });

    it("belongs to the message of any builder that is given: of a struct, a list or a pointer", () => {
      const root = AllTypes.newMessage();
      for (const inside of [root, root.init("boolList", 3), root.anyField, root.init("structList", 1)[0]]) {
        const orphan = newOrphan(inside, AllTypes) as Loose;
        orphan.get().int8Field = 9;
        root.adopt("structField", orphan);
        expect(root.structField.int8Field).to.equal(9);
      }
      for (const outside of [root.asReader(), received(root).boolList, {}, "x"]) {
        expectError("CAPNP_TYPE", () => newOrphan(outside, AllTypes), "newOrphan", "builder");
      }
    });

    it("takes the room of its value and not a word more", () => {
      const { message, make } = emptyMessage();
      make("Data", 17);
      expect(wordsIn(message)).to.deep.equal([4]);
      make(listOf("UInt32"), 7).getReader();
      expect(wordsIn(message)).to.deep.equal([8]);
    });
  });

  describe("that is released", () => {
    const zeroed = (fill: (root: Loose) => void, field: string): void => {
      const root = AllTypes.newMessage({}, { firstSegmentWords: 1024 });
      const start = wordsIn(root)[0]! * 8;
      fill(root);
      const end = wordsIn(root)[0]! * 8;
      root.structField = { textField: "behind it" };
      const released = field === "structField" ? root.structField.disown("structField") : root.disown(field);
      released.release();
      const [segment] = root.toSegmentViews() as [Uint8Array];
      expect(root.toSegmentViews()).to.have.length(1);
      expect(segment.subarray(start, end).every((byte) => byte === 0)).to.equal(true);
      expect(root.structField.textField).to.equal("behind it");
    };

    it("leaves zeros where its struct was", () => {
      const root = AllTypes.newMessage();
      const start = wordsIn(root)[0]! * 8;
      root.structField = { int8Field: 1, textField: "x", structList: [{ textField: "y" }] };
      const end = wordsIn(root)[0]! * 8;
      root.textField = "foo";
      root.disown("structField").release();
      expect(
        root
          .toSegmentViews()[0]
          .subarray(start, end)
          .every((byte: number) => byte === 0),
      ).to.equal(true);
      expect(root.textField).to.equal("foo");
    });

    it("leaves zeros where its list was", () => {
      zeroed((root) => {
        root.uInt32List = [12, 34, 56];
      }, "uInt32List");
    });

    it("leaves zeros where its list without elements was", () => {
      zeroed((root) => {
        root.init("uInt32List", 0);
      }, "uInt32List");
    });

    it("leaves zeros where its list of structs was", () => {
      zeroed((root) => {
        root.structList = [{ textField: "a", int8List: [1] }, { structField: { textField: "b" } }];
      }, "structList");
    });

    it("leaves zeros where its list of structs without elements was", () => {
      zeroed((root) => {
        root.init("structList", 0);
      }, "structList");
    });

    it("leaves zeros where its Text was", () => {
      zeroed((root) => {
        root.textField = "abcd123";
      }, "textField");
    });

    it("leaves zeros where its Data was", () => {
      zeroed((root) => {
        root.dataField = bytes(1, 2, 3, 4);
      }, "dataField");
    });

    it("is zeroed where adopting something else overwrites it", () => {
      const root = AllTypes.newMessage({ textField: "the old one" });
      root.adopt("textField", newOrphanCopy(root, "Text", "the new one"));
      expect(Buffer.from(root.toSegmentViews()[0]).includes("the old one")).to.equal(false);
    });
  });

  describe("of external data", () => {
    const outside = (): Uint8Array => {
      const buffer = new Uint8Array(new ArrayBuffer(64), 0, 50);
      return buffer.fill(0x55);
    };

    it("is a segment of its own, not copied, not zeroed, wherever it is moved", () => {
      const data = outside();
      const message = new MessageBuilder();
      const orphan = referenceExternalData(message.root, data) as Loose;
      const [, segment] = message.toSegmentViews();
      expect(segment?.buffer).to.equal(data.buffer);
      expect(segment).to.have.length(56);
      expect(orphan.getReader()).to.deep.equal(data);
      const root = message.initRoot(AllTypes) as Loose;
      root.adopt("dataField", orphan);
      expect(root.asReader().dataField.buffer).to.equal(data.buffer);
      const again = root.disown("dataField");
      expect(again.getReader()).to.deep.equal(data);
      again.release();
      expect(data.every((byte) => byte === 0x55)).to.equal(true);
    });

    it("travels with its message", () => {
      const data = outside();
      const root = AllTypes.newMessage({ textField: "first" });
      root.adopt("dataField", referenceExternalData(root, data));
      root.structField = { textField: "after it" };
      const read = AllTypes.fromBytes(root.toBytes());
      expect(read.dataField).to.deep.equal(data);
      expect(read.structField.textField).to.equal("after it");
      expect(AllTypes.fromBytesPacked(root.toBytesPacked()).dataField).to.deep.equal(data);
    });

    it("is not zeroed when its field is set to something else", () => {
      const data = outside();
      const root = AllTypes.newMessage();
      root.adopt("dataField", referenceExternalData(root, data));
      root.dataField = bytes();
      expect(data.every((byte) => byte === 0x55)).to.equal(true);
    });

    it("is not zeroed when it is released at once", () => {
      const data = outside();
      referenceExternalData(AllTypes.newMessage(), data).release();
      expect(data.every((byte) => byte === 0x55)).to.equal(true);
    });

    it("is copied only where half a word of somebody else's would go out with it", () => {
      const shared = new Uint8Array(64).fill(7);
      const root = AllTypes.newMessage();
      root.adopt("dataField", referenceExternalData(root, shared.subarray(0, 13)));
      expect(root.toSegmentViews()[1].buffer).not.to.equal(shared.buffer);
      expect([...root.toSegmentViews()[1]]).to.deep.equal([...new Array(13).fill(7), 0, 0, 0]);
      root.adopt("dataField", referenceExternalData(root, shared.subarray(8, 24)));
      expect(root.toSegmentViews()[2].buffer).to.equal(shared.buffer);
    });

    it("is extended by a copy, and cut where it lies", () => {
      const data = outside();
      const root = AllTypes.newMessage();
      const orphan = referenceExternalData(root, data);
      orphan.truncate(20);
      expect(orphan.getReader()).to.deep.equal(data.subarray(0, 20));
      orphan.truncate(60);
      expect((orphan.getReader() as Uint8Array)[59]).to.equal(0);
      expect(data.every((byte) => byte === 0x55)).to.equal(true);
    });
  });

  /** What is done to an orphan of 7 elements in a message, alone there or with something behind it. */
  const cases = [
    { name: "Data", type: "Data", old: 17, cut: 2, long: 27, words: [4, 2, 5] },
    { name: "Text", type: "Text", old: 17, cut: 2, long: 27, words: [4, 2, 5] },
    { name: "a primitive list", type: listOf("UInt32"), old: 7, cut: 3, long: 11, words: [5, 3, 7] },
    { name: "a pointer list", type: listOf("Text"), old: 7, cut: 3, long: 11, words: undefined },
    { name: "a struct list", type: listOf(AllTypes), old: 7, cut: 3, long: 11, words: undefined },
  ] as const;

  const filled = (name: string, message: MessageBuilder, type: unknown, count: number): Orphan & Loose => {
    if (name === "Text") return newOrphanCopy(message.root, type, "a".repeat(count));
    if (name === "a pointer list" || name === "a struct list") {
      // What the elements hold comes first, so that the list itself ends the segment.
      const parts = Array.from({ length: count }, (_, i) => {
        if (name === "a pointer list") return newOrphanCopy(message.root, "Text", `foo${i}`);
        return newOrphanCopy(message.root, AllTypes, { uInt32Field: 100 + i, textField: `foo${i}`, uInt8List: [123] });
      });
      const list: Loose = newOrphan(message.root, type, count);
      for (const [i, part] of parts.entries()) list.get().adopt(i, part);
      return list;
    }
    const orphan: Loose = newOrphan(message.root, type, count);
    if (name === "Data") orphan.get().fill(123);
    else for (let i = 0; i < count; i++) orphan.get().set(i, 123456789 + i);
    return orphan;
  };

  const plain = (value: Loose): unknown[] => {
    if (typeof value === "string") return [...value];
    if (value instanceof Uint8Array) return [...value];
    return value.toObject();
  };
  const emptyElement = (name: string): unknown => {
    if (name === "Text") return "\0";
    if (name === "a pointer list") return "";
    return name === "a struct list" ? AllTypes.newMessage().toObject() : 0;
  };

  for (const { name, type, old, cut, long, words } of cases) {
    describe(`of ${name}`, () => {
      it("is cut where it lies; what is cut off is zeroed, and its room given back", () => {
        const message = new MessageBuilder();
        const orphan = filled(name, message, type, old);
        const [before] = wordsIn(message) as [number];
        if (words !== undefined) expect(before).to.equal(words[0]);
        const value = plain(orphan.getReader());
        const places = message.toSegmentViews()[0] as Uint8Array;
        orphan.truncate(cut);
        const [after] = wordsIn(message) as [number];
        if (words !== undefined) expect(after).to.equal(words[1]);
        expect(after).to.be.lessThan(before);
        expect(plain(orphan.getReader())).to.deep.equal(value.slice(0, cut));
        expect(places.subarray(after * 8).every((byte) => byte === 0)).to.equal(true);
        if (typeof orphan.get() === "object") {
          expect(orphan.get().$segment ?? places.buffer).to.equal(orphan.getReader().$segment ?? places.buffer);
        }
      });

      it("is extended where it lies if nothing is behind it", () => {
        const message = new MessageBuilder();
        const orphan = filled(name, message, type, old);
        const value = plain(orphan.getReader());
        const start = orphan.getReader().$start;
        const [before] = wordsIn(message) as [number];
        orphan.truncate(long);
        const [after] = wordsIn(message) as [number];
        if (words !== undefined) expect(after).to.equal(words[2]);
        expect(orphan.getReader().$start).to.equal(start);
        expect(plain(orphan.getReader())).to.deep.equal([
          ...value,
          ...Array.from({ length: long - old }, () => emptyElement(name)),
        ]);
        expect(after).to.be.greaterThan(before);
      });

      it("is extended by moving if something is behind it, and leaves zeros", () => {
        const message = new MessageBuilder();
        const orphan = filled(name, message, type, old);
        const value = plain(orphan.getReader());
        const oldPlace = orphan.getReader();
        const behind = newOrphanCopy(message.root, "Data", bytes(32)) as Loose;
        orphan.truncate(long);
        expect(plain(orphan.getReader())).to.deep.equal([
          ...value,
          ...Array.from({ length: long - old }, () => emptyElement(name)),
        ]);
        if (typeof oldPlace !== "string") {
          expect(plain(oldPlace)).to.deep.equal(Array.from({ length: old }, () => emptyElement(name)));
        }
        expect([...behind.getReader()]).to.deep.equal([32]);
      });

      it("that is null is extended to a new value", () => {
        const { make } = emptyMessage();
        const orphan = make(type);
        expect(orphan.isNull).to.equal(true);
        orphan.truncate(0);
        expect(orphan.isNull).to.equal(true);
        orphan.truncate(3);
        expect(plain(orphan.getReader())).to.deep.equal(Array.from({ length: 3 }, () => emptyElement(name)));
      });
    });
  }

  it("of a list of Bool is cut and extended bit by bit", () => {
    const { make } = emptyMessage();
    const orphan = make(listOf("Bool"), 70);
    for (let i = 0; i < 70; i++) orphan.get().set(i, true);
    orphan.truncate(3);
    orphan.truncate(70);
    expect(plain(orphan.getReader())).to.deep.equal(Array.from({ length: 70 }, (_, i) => i < 3));
  });

  it("has no length to change where it is a struct", () => {
    const { make } = emptyMessage();
    expectError("CAPNP_TYPE", () => make(AllTypes).truncate(2), "length");
    expectError("CAPNP_RANGE", () => make(listOf("Int8"), 1).truncate(-1), "-1");
  });

  describe("of several lists", () => {
    it("has all their numbers", () => {
      const root = AllTypes.newMessage({ uInt32List: [12, 34, 56] });
      const other = AllTypes.newMessage({ uInt32List: [78, 90] });
      const orphan = newOrphanConcat(root, listOf("UInt32"), [root.uInt32List, other.asReader().uInt32List]);
      expect(plain(orphan.getReader())).to.deep.equal([12, 34, 56, 78, 90]);
    });

    it("has all their bits", () => {
      const root = AllTypes.newMessage({ boolList: [true, true, false, true] });
      const other = AllTypes.newMessage({ boolList: [false, true] });
      const orphan = newOrphanConcat(root, listOf("Bool"), [root.boolList, other.boolList, root.asReader().boolList]);
      expect(plain(orphan.getReader())).to.deep.equal([true, true, false, true, false, true, true, true, false, true]);
    });

    it("has copies of what all their pointers lead to", () => {
      const root = AllTypes.newMessage({ textList: ["foo", "bar"] });
      const other = AllTypes.newMessage();
      other.init("textList", 2).set(0, "baz");
      const orphan = newOrphanConcat(root, listOf("Text"), [root.textList, other.textList]) as Loose;
      root.textList = ["gone"];
      expect(plain(orphan.getReader())).to.deep.equal(["foo", "bar", "baz", ""]);
      expect(orphan.get().disown(3).isNull, "null stays null").to.equal(true);
    });

    it("has copies of all their structs, as large as the largest", () => {
      const root = Any.newMessage();
      const old = root.pointer.init(listOf(OldVersion), 1);
      old.set(0, { number: 1, text: "old" });
      const newer = Any.newMessage();
      newer.pointer.set([{ number: 2, newText: "kept" }], listOf(NewVersion));
      const orphan = newOrphanConcat(root, listOf(OldVersion), [old, newer.asReader().pointer.as(listOf(OldVersion))]);
      const read = orphan.as(listOf(NewVersion)).getReader() as Loose;
      expect(read.map((one: Loose) => [one.number, one.text, one.newText])).to.deep.equal([
        [1n, "old", "baz"],
        [2n, "", "kept"],
      ]);
    });

    it("makes structs of the values that some of them have", () => {
      const root = Any.newMessage();
      root.pointer.set([12, 34], listOf("UInt8"));
      const values = root.asReader().pointer.as(listOf(Lists.Wide8));
      const structs = Lists.newMessage().init("list8", 1);
      const wide = newOrphan(root, listOf(Lists.Wide8), 1) as Loose;
      wide.get().set(0, { f: 56, pad: "wide" });
      expect(structs).to.have.length(1);
      const orphan = newOrphanConcat(root, listOf(Lists.Wide8), [values, wide.getReader(), values]) as Loose;
      expect(orphan.getReader().map((one: Loose) => [one.f, one.pad])).to.deep.equal([
        [12, ""],
        [34, ""],
        [56, "wide"],
        [12, ""],
        [34, ""],
      ]);
      expectError("CAPNP_TYPE", () => newOrphanConcat(root, AllTypes, []), "list");
      expectError("CAPNP_TYPE", () => newOrphanConcat(root, listOf("Int8"), [[1]]), "lists of messages");
    });
  });
});
