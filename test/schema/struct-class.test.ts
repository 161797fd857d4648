import { inspect } from "node:util";
import { expect } from "chai";
import { get, has, init, is, set, which } from "../../lib/schema/operations.ts";
import { toObject } from "../../lib/schema/plain-object.ts";
import { assignStruct, isStruct } from "../../lib/schema/struct-class.ts";
import { expectError } from "../support/errors.ts";
import { type Loose, loadLoosely, parseLoosely } from "../support/loose.ts";
import { readAs, received, segmentsOf } from "../support/messages.ts";

describe("a struct class", () => {
  const { AddressBook, Person, qux } = loadLoosely("servers/addressbook/addressbook.capnp");
  const all = loadLoosely("test/fixtures/all-types.capnp");

  const alice = {
    id: 123,
    name: "Alice",
    email: "alice@example.com",
    phones: [{ number: "555-1212", type: "mobile" }],
    employment: { school: "MIT" },
  };

  it("gives constants, nested types and enumerants as properties", () => {
    expect(qux).to.equal(123);
    expect(Person.PhoneNumber.Type.mobile).to.equal("mobile");
    expect(Object.keys(Person.PhoneNumber.Type)).to.deep.equal(["mobile", "home", "work"]);
    expect(all.number).to.equal(123);
    expect(all.big).to.equal(-5n);
    expect(all.pi).to.equal(3.25);
    expect(all.word).to.equal("hello");
    expect(all.bytes).to.deep.equal(new Uint8Array([1, 2]));
    expect(all.color).to.equal("green");
    expect(all.shape.toObject()).to.deep.equal({
      before: 3,
      box: { width: 4, height: 0, title: "t" },
      place: { x: -1, y: 0 },
    });
    expect(all.numbers.toArray()).to.deep.equal([1, -2]);
    expect(all.colors.toArray()).to.deep.equal(["red", "blue"]);
    expect(all.Map.limit).to.equal(5);
  });

  it("is printed by its name, and so is an interface", () => {
    const file = parseLoosely("struct Person { struct Name {} }  struct Of(T) {}  interface Door {}");
    expect([file.Person, file.Of, file.Door].map((one) => inspect(one))).to.deep.equal([
      "[struct Person]",
      "[struct Of]",
      "[interface Door]",
    ]);
    expect(inspect(file.Person.Name)).to.equal("[struct Person.Name]");
    expect(`${file.Of.of(file.Person)}`).to.equal(`[struct ${file.Of.of(file.Person).schema.path}]`);
  });

  it("builds field by field what it reads back", () => {
    const book = AddressBook.newMessage();
    const people = book.init("people", 2);
    const [first] = people;
    first.id = 123;
    first.name = "Alice";
    first.email = "alice@example.com";
    const [phone] = first.init("phones", 1);
    phone.number = "555-1212";
    phone.type = Person.PhoneNumber.Type.mobile;
    first.employment.school = "MIT";
    people[1].name = "Bob";
    people[1].employment.unemployed = null;
    const expected = { people: [alice, { id: 0, name: "Bob", employment: { unemployed: null } }] };
    expect(book.toObject()).to.deep.equal(expected);
    expect(received(book).toObject()).to.deep.equal(expected);
  });

  it("takes a plain object and gives it back", () => {
    const book = AddressBook.newMessage({ people: [alice] });
    expect(received(book).toObject()).to.deep.equal({ people: [alice] });
  });

  it("gives it back with every type of field", () => {
    const object = {
      voidField: null,
      boolField: true,
      int8Field: -128,
      int16Field: -32768,
      int32Field: -2147483648,
      int64Field: -(2n ** 63n),
      uInt8Field: 255,
      uInt16Field: 65535,
      uInt32Field: 4294967295,
      uInt64Field: 2n ** 64n - 1n,
      float32Field: 1.5,
      float64Field: -1e300,
      textField: "grüße, 世界 🎉",
      dataField: new Uint8Array([0, 255, 3]),
      enumField: "blue",
      voidList: [null, null],
      boolList: [true, false, true, true, false, false, false, false, true],
      int8List: [-128, 127],
      int16List: [-32768, 32767],
      int32List: [-2147483648, 2147483647],
      int64List: [-(2n ** 63n), 2n ** 63n - 1n],
      uInt8List: [0, 255],
      uInt16List: [65535],
      uInt32List: [4294967295],
      uInt64List: [2n ** 64n - 1n],
      float32List: [0.5, Number.POSITIVE_INFINITY],
      float64List: [Number.NaN, -0],
      textList: ["", "a", "世"],
      dataList: [new Uint8Array(0), new Uint8Array([1])],
      enumList: ["green", 77],
      listList: [[1, 2], [], [-3]],
    };
    const builder = all.AllTypes.newMessage(object);
    expect(builder.toObject()).to.deep.equal(object);
    expect(received(builder).toObject()).to.deep.equal(object);
    expect(toObject(builder.asReader())).to.deep.equal(object);
  });

  it("reads default values where nothing was set, and writes what differs", () => {
    const read = readAs(all.Defaults, [new Uint8Array(8)]);
    const builder = all.Defaults.newMessage();
    for (const struct of [read, builder]) {
      expect(struct.boolField).to.equal(true);
      expect(struct.int8Field).to.equal(-123);
      expect(struct.int16Field).to.equal(-12345);
      expect(struct.int32Field).to.equal(-12345678);
      expect(struct.int64Field).to.equal(-123456789012345n);
      expect(struct.uInt8Field).to.equal(234);
      expect(struct.uInt16Field).to.equal(45678);
      expect(struct.uInt32Field).to.equal(3456789012);
      expect(struct.uInt64Field).to.equal(12345678901234567890n);
      expect(struct.float32Field).to.equal(1234.5);
      expect(struct.float64Field).to.equal(-123e45);
      expect(struct.textField).to.equal("foo");
      expect(struct.dataField).to.deep.equal(new Uint8Array([0x62, 0x61, 0x72]));
      expect(struct.enumField).to.equal("blue");
      expect(struct.structField.int32Field).to.equal(7);
      expect(struct.structField.structList.at(1).textField).to.equal("y");
      expect([...struct.intList]).to.deep.equal([1, 2, 3]);
      expect([...struct.textList]).to.deep.equal(["a", "b"]);
      expect(struct.structList.map((one: Loose) => one.int8Field)).to.deep.equal([1, 2]);
      expect(struct.nan).to.be.NaN;
    }
    Object.assign(builder, {
      boolField: false,
      int8Field: 0,
      int16Field: 5,
      uInt32Field: 0,
      uInt64Field: 1,
      int64Field: 0,
    });
    Object.assign(builder, { float32Field: 0, float64Field: -0, enumField: "red", textField: "", nan: 2.5 });
    const sent = received(builder);
    expect(sent.boolField).to.equal(false);
    expect([sent.int8Field, sent.int16Field, sent.uInt32Field]).to.deep.equal([0, 5, 0]);
    expect([sent.uInt64Field, sent.int64Field]).to.deep.equal([1n, 0n]);
    expect([sent.float32Field, sent.float64Field, sent.nan]).to.deep.equal([0, -0, 2.5]);
    expect([sent.enumField, sent.textField]).to.deep.equal(["red", ""]);
  });

  it("never changes a message by reading it", () => {
    const segments = segmentsOf(all.Defaults.newMessage());
    const before = segments.map((segment) => Buffer.from(segment).toString("hex"));
    const read = readAs(all.Defaults, segments);
    read.toObject({ defaults: true });
    read.dataField[0] = 1;
    read.structField.structList.at(0);
    expect(segments.map((segment) => Buffer.from(segment).toString("hex"))).to.deep.equal(before);
    expect(readAs(all.Defaults, segments).dataField[0]).to.equal(0x62);
  });

  it("throws for what a type cannot hold, and truncates nothing", () => {
    const builder = all.AllTypes.newMessage({ int8Field: 1, uInt64Field: 1n });
    const wrong: [string, unknown][] = [
      ["int8Field", 128],
      ["int8Field", 1.5],
      ["int8Field", Number.NaN],
      ["int16Field", 40000],
      ["int32Field", 2 ** 31],
      ["uInt8Field", -1],
      ["uInt16Field", 65536],
      ["uInt32Field", 2 ** 32],
      ["int64Field", 2n ** 63n],
      ["uInt64Field", -1],
      ["uInt64Field", 2 ** 60],
      ["uInt64Field", 0.5],
      ["float32Field", 1e300],
    ];
    for (const [field, value] of wrong) {
      expectError("CAPNP_RANGE", () => set(builder, field, value), `AllTypes.${field}`, String(value));
    }
    expectError("CAPNP_RANGE", () => builder.init("int8List", 1).set(0, 300), "List(Int8)", "300");
    expect(builder.int8Field).to.equal(1);
    expect(builder.uInt64Field).to.equal(1n);
  });

  it("throws for values of another type", () => {
    const builder = all.AllTypes.newMessage();
    const wrong: [string, unknown][] = [
      ["voidField", 1],
      ["boolField", 1],
      ["int8Field", "1"],
      ["int64Field", "1"],
      ["float64Field", 1n],
      ["textField", 5],
      ["textField", new Uint8Array(1)],
      ["dataField", "text"],
      ["structField", 5],
      ["structField", []],
      ["structField", "text"],
      ["int8List", 5],
      ["textList", "text"],
      ["enumField", null],
      ["int8Field", undefined],
    ];
    for (const [field, value] of wrong)
      expectError("CAPNP_TYPE", () => set(builder, field, value), `AllTypes.${field}`);
    expectError("CAPNP_TYPE", () => set(builder, "structField", all.Shapes.newMessage()), "AllTypes", "Shapes");
    expectError("CAPNP_NO_SUCH_ENUMERANT", () => set(builder, "enumField", "bleu"), "Color", '"blue"');
    expectError("CAPNP_NO_SUCH_FIELD", () => assignStruct(builder, { int8Feld: 1 }), "AllTypes", '"int8Field"');
    expectError("CAPNP_NO_SUCH_FIELD", () => get(builder, "hasOwnProperty"), "AllTypes");
    expectError("CAPNP_TYPE", () => init(builder, "int8Field"), "AllTypes.int8Field");
    expectError("CAPNP_TYPE", () => init(builder, "int8List"), "AllTypes.int8List");
    expectError("CAPNP_RANGE", () => init(builder, "int8List", -1), "-1");
    const otherParser = loadLoosely("test/fixtures/all-types.capnp").AllTypes;
    expectError("CAPNP_TYPE", () => set(builder, "structField", otherParser.newMessage()), "another parser");
  });

  it("says that a reader cannot be set", () => {
    const reader = received(all.AllTypes.newMessage({ int8List: [1] }));
    expectError("CAPNP_TYPE", () => Object.assign(reader, { int8Field: 1 }), "AllTypes.int8Field", "copy()");
    expectError("CAPNP_TYPE", () => set(reader, "int8Field", 1), "copy()");
    expectError("CAPNP_TYPE", () => Object.assign(reader.int8List, [5]), "read-only");
    const copy = reader.copy();
    copy.int8Field = 1;
    expect([reader.int8Field, copy.int8Field]).to.deep.equal([0, 1]);
  });

  it("keeps an enumerant that it does not know", () => {
    const builder = all.AllTypes.newMessage({ enumField: 9 });
    expect(builder.enumField).to.equal(9);
    const again = all.AllTypes.newMessage({ enumField: received(builder).enumField });
    expect(received(again).enumField).to.equal(9);
  });

  it("merges plain objects, and copies readers and builders", () => {
    const builder = all.AllTypes.newMessage({ structField: { textField: "kept", int8Field: 1 } });
    builder.structField = { int8Field: 2 };
    expect(builder.structField.textField).to.equal("kept");
    builder.structField = all.AllTypes.newMessage({ int16Field: 3 });
    expect([builder.structField.textField, builder.structField.int16Field]).to.deep.equal(["", 3]);
    builder.structField = null;
    expect(has(builder, "structField")).to.equal(false);
  });

  it("can be set to a part of itself", () => {
    const node = all.AllTypes.newMessage({
      textField: "1",
      structField: { textField: "2", structField: { textField: "3" } },
    });
    node.structField = node.structField.structField;
    expect(node.toObject().structField.textField).to.equal("3");
    assignStruct(node, node.structField);
    expect(node.textField).to.equal("3");
    node.structList = [node, node];
    expect(node.structList.map((one: Loose) => one.textField)).to.deep.equal(["3", "3"]);
    node.structList = [...node.structList, { textField: "4" }];
    node.set("structList", node.structList);
    node.structList[0] = node.structList[2];
    node.structList.set(1, node.structList[1]);
    expect(node.structList.map((one: Loose) => one.textField)).to.deep.equal(["4", "3", "4"]);
    node.dataField = new Uint8Array([1, 2, 3]);
    node.dataField = node.dataField.subarray(1);
    expect(node.dataField).to.deep.equal(new Uint8Array([2, 3]));
  });

  it("tells its readers and builders from others", () => {
    const builder = Person.newMessage();
    const reader = builder.asReader();
    expect(builder).to.be.instanceOf(Person.Builder);
    expect(builder).to.not.be.instanceOf(Person.Reader);
    expect(reader).to.be.instanceOf(Person.Reader);
    expect(reader instanceof Person && builder instanceof Person).to.equal(true);
    expect(isStruct(reader, Person)).to.equal(true);
    expect(isStruct(reader, AddressBook)).to.equal(false);
    expect(isStruct({})).to.equal(false);
  });

  it("sees through asReader what is built later", () => {
    const builder = Person.newMessage();
    const reader = builder.asReader();
    builder.name = "Alice";
    expect(reader.name).to.equal("Alice");
  });

  it("knows the size of a copy", () => {
    const book = AddressBook.newMessage({ people: [alice] });
    // 1 pointer; tag, 2 + 4 words of Person; 1, 3 and 2 words of text; tag, 1 + 1 words, 2 words of text; 1 word of text
    expect(book.totalSize.capCount).to.equal(0);
    const [copied] = segmentsOf(book.copy());
    expect(copied?.length).to.equal((book.totalSize.wordCount + 1) * 8);
    expect(received(book).totalSize).to.deep.equal(book.totalSize);
  });

  it("writes as JSON what JSON can say", () => {
    const builder = all.AllTypes.newMessage({
      int64Field: -5n,
      dataField: new Uint8Array([1, 2]),
      float64Field: Number.NaN,
    });
    const parsed = JSON.parse(JSON.stringify(builder));
    expect(parsed.int64Field).to.equal("-5");
    expect(parsed.dataField).to.deep.equal([1, 2]);
    expect(parsed.float64Field).to.equal("NaN");
    expect(JSON.parse(JSON.stringify(AddressBook.newMessage({ people: [alice] }).people))).to.deep.equal([alice]);
  });

  describe("with fields that have names of ours or of JavaScript's", () => {
    const { Names } = all;
    const values = {
      then: "t",
      constructor: "c",
      toJSON: "j",
      delete: 1,
      class: 2,
      init: [1, 2],
      which: "w",
      toString: "s",
      hasOwnProperty: 3,
      length: 4,
      set: 5,
      get: 6,
      has: 7,
      toObject: 8,
    };

    it("lets the field win, and the function always work", () => {
      const names = Names.newMessage(values);
      expect([names.then, names.constructor, names.toJSON]).to.deep.equal(["t", "c", "j"]);
      expect([...names.init]).to.deep.equal([1, 2]);
      expect(names.which).to.equal("w");
      expect([...(init(names, "init", 3) as Loose)]).to.deep.equal([0, 0, 0]);
      set(names, "init", [1, 2]);
      expect(toObject(names)).to.deep.equal(values);
      expect(has(names, "has")).to.equal(true);
      expect(get(names, "get")).to.equal(6);
    });

    it("touches nothing of Object.prototype", () => {
      Names.newMessage(values);
      expect(Object.keys(Object.prototype)).to.deep.equal([]);
      expect(String({})).to.equal("[object Object]");
      expect({}.constructor).to.equal(Object);
    });
  });

  describe("with unions and groups", () => {
    const { Shapes } = all;

    it("has the first member active at the beginning, and then what was set last", () => {
      const shape = Shapes.newMessage();
      expect(shape.which()).to.equal("none");
      expect(shape.$which).to.equal("none");
      expect(shape.none).to.equal(null);
      shape.side = 2.5;
      expect(shape.which()).to.equal("side");
      shape.label = "l";
      expect([which(shape), shape.label]).to.deep.equal(["label", "l"]);
      expect([shape.is("label"), is(shape, "side")]).to.deep.equal([true, false]);
      shape.none = undefined;
      expect(received(shape).which()).to.equal("none");
    });

    it("refuses to read another member, and names the active one", () => {
      const shape = Shapes.newMessage({ label: "l" });
      for (const struct of [shape, received(shape)]) {
        expectError("CAPNP_UNION_MEMBER", () => struct.side, "Shapes.side", "label");
        expectError("CAPNP_UNION_MEMBER", () => struct.child, "Shapes.child", "label");
        expectError("CAPNP_UNION_MEMBER", () => struct.box, "Shapes.box", "label");
        expect([struct.has("label"), struct.has("side"), struct.has("box")]).to.deep.equal([true, false, false]);
      }
      expectError("CAPNP_UNION_MEMBER", () => Person.newMessage().which(), "Person");
      expectError("CAPNP_UNION_MEMBER", () => shape.is("before"), "Shapes.before");
      expectError("CAPNP_NO_SUCH_FIELD", () => shape.is("labl"), '"label"');
    });

    it("makes a struct, list or group the active member by init", () => {
      const shape = Shapes.newMessage({ label: "in the same place" });
      const child = shape.init("child");
      child.label = "c";
      expect(shape.child.label).to.equal("c");
      const box = shape.init("box");
      expect([shape.which(), box.width, box.title]).to.deep.equal(["box", 0, ""]);
      box.title = "b";
      shape.init("points", 2).set(1, 5);
      expect([...received(shape).points]).to.deep.equal([0, 5]);
      expect(shape.init("box").title).to.equal("");
    });

    it("starts a member afresh that was not active, and merges into one that was", () => {
      const shape = Shapes.newMessage({ side: 1e300 });
      shape.box = { width: 1 };
      shape.box = { height: 2 };
      expect(shape.box.toObject()).to.deep.equal({ width: 1, height: 2 });
      shape.label = "text where the child's pointer is";
      shape.child = { before: 1 };
      shape.child = { place: { y: 2 } };
      expect(shape.child.toObject()).to.deep.equal({ before: 1, none: null, place: { x: -1, y: 2 } });
      shape.inner = { two: "2" };
      expect(shape.toObject()).to.deep.equal({ before: 0, inner: { two: "2" }, place: { x: -1, y: 0 } });
    });

    it("keeps a union as it was where the new value is refused", () => {
      const shape = Shapes.newMessage({ label: "l" });
      expectError("CAPNP_TYPE", () => Object.assign(shape, { side: "wide" }));
      expectError("CAPNP_TYPE", () => Object.assign(shape, { points: 5 }));
      expect(shape.label).to.equal("l");
    });

    it("copies a group without the fields around it", () => {
      const from = Shapes.newMessage({ before: 1, place: { x: 5, name: "n" } });
      const to = Shapes.newMessage({ before: 2, place: { y: 9, name: "m" } });
      to.place = from.place;
      expect(to.toObject()).to.deep.equal({ before: 2, none: null, place: { x: 5, y: 0, name: "n" } });
      to.place = Shapes.newMessage().place;
      expect(to.toObject()).to.deep.equal({ before: 2, none: null, place: { x: -1, y: 0 } });
      expect(from.place.copy().toObject()).to.deep.equal({ x: 5, y: 0, name: "n" });
    });

    it("tells the number of a member that is newer than this schema", () => {
      const shape = Shapes.newMessage();
      shape.$segment.view.setUint16(shape.$data + shape.$tag, 40, true);
      const reader = received(shape);
      expect(reader.which()).to.equal(40);
      expectError("CAPNP_UNION_MEMBER", () => reader.side, "member 40");
      expect(reader.toObject()).to.deep.equal({ before: 0, place: { x: -1, y: 0 } });
    });
  });
});
