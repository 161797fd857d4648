import { expect } from "chai";
import { MessageBuilder } from "../../lib/schema/message-builder.ts";
import { newOrphan } from "../../lib/schema/orphanage.ts";
import { adopt, disown } from "../../lib/schema/disown.ts";
import { clear, get, has, init, set, which } from "../../lib/schema/operations.ts";
import { toAnyStruct } from "../../lib/schema/any-struct.ts";
import { fromSegments } from "../../lib/schema/message-io.ts";
import { listOf } from "../../lib/schema/type-argument.ts";
import { expectError } from "../support/errors.ts";
import { type Loose, loadLoosely } from "../support/loose.ts";
import { received } from "../support/messages.ts";

const { AllTypes, Defaults } = loadLoosely("test/fixtures/all-types.capnp");
const { Any, Groups, HoldsEmpty, Late, Lists, ListDefaults, UnionLayout, Unnamed } =
  loadLoosely("test/fixtures/parity.capnp");

const values: Readonly<Record<string, unknown>> = {
  voidField: null,
  boolField: true,
  int8Field: -123,
  int64Field: -123456789012345n,
  uInt32Field: 3456789012,
  float32Field: 1234.5,
  textField: "foo",
  dataField: Uint8Array.of(98, 97, 114),
  enumField: "blue",
  boolList: [true, false],
  textList: ["x", "y"],
  enumList: ["red", "blue"],
};

describe("a struct whose schema is known only at run time", () => {
  it("is built field by field, by names and by schemas of fields", () => {
    const root = AllTypes.newMessage();
    for (const [name, value] of Object.entries(values)) {
      set(root, Object.keys(values).indexOf(name) % 2 === 0 ? name : AllTypes.schema.field(name), value);
    }
    const child = init(root, "structField") as Loose;
    set(child, "textField", "baz");
    const list = init(root, "structList", 2) as Loose;
    set(list[1], "int8Field", 7);
    expect(root.asReader().toObject()).to.deep.include(values);
    expect([root.structField.textField, root.structList[1].int8Field]).to.deep.equal(["baz", 7]);
  });

  it("is read field by field, in readers and builders", () => {
    const root = AllTypes.newMessage(values);
    for (const struct of [root, root.asReader(), received(root)]) {
      for (const [name, value] of Object.entries(values)) {
        const read = get(struct, name) as Loose;
        expect(Array.isArray(value) ? [...read] : read, name).to.deep.equal(value);
      }
    }
  });

  it("reads its default values from a message with nothing in it, and copies them where it is built on", () => {
    for (const root of [fromSegments(Defaults, [new Uint8Array(8)]) as Loose, Defaults.newMessage()]) {
      for (let time = 0; time < 2; time++) {
        expect([get(root, "int32Field"), get(root, "textField"), get(root, "enumField")]).to.deep.equal([
          -12345678,
          "foo",
          "blue",
        ]);
        expect([...(get(root, "intList") as Loose)]).to.deep.equal([1, 2, 3]);
        expect(get(get(root, "structField"), "textField")).to.equal("inner");
      }
    }
  });

  it("is zero where nothing was set", () => {
    const root = AllTypes.newMessage();
    for (const struct of [root.asReader(), root]) {
      expect([get(struct, "int64Field"), get(struct, "textField"), get(struct, "boolField")]).to.deep.equal([
        0n,
        "",
        false,
      ]);
      expect(get(struct, "structList")).to.have.length(0);
      expect(get(get(struct, "structField"), "float64Field")).to.equal(0);
    }
  });

  it("has lists of lists, to build and to read", () => {
    const root = Lists.newMessage();
    const numbers = init(root, "numbers", 2) as Loose;
    numbers.init(0, 2).set(1, 5);
    numbers.set(1, [7, 8, 9]);
    set(root, "texts", [["foo"], []]);
    const structs = init(root, "structs", 1) as Loose;
    set(structs.init(0, 2)[1], "int32Field", 789);
    for (const struct of [root, root.asReader(), received(root)]) {
      expect(struct.toObject()).to.deep.include({
        numbers: [
          [0, 5],
          [7, 8, 9],
        ],
        texts: [["foo"], []],
      });
      expect(struct.structs[0][1].int32Field).to.equal(789);
    }
    expect([...ListDefaults.newMessage().asReader().lists.numbers[0]]).to.deep.equal([1, 2, 3]);
  });

  it("sets and initialises an AnyPointer as what a type says", () => {
    const root = Any.newMessage();
    const pointer = init(root, "pointer") as Loose;
    set(pointer.init(AllTypes), "textField", "foo");
    expect((get(received(root), "pointer") as Loose).as(AllTypes).textField).to.equal("foo");
    const list = pointer.init(listOf("UInt32"), 4);
    for (const [i, value] of [123, 456, 789, 123456789].entries()) list.set(i, value);
    expect([...received(root).pointer.as(listOf("UInt32"))]).to.deep.equal([123, 456, 789, 123456789]);
    set(root, "pointer", "text");
    expect(received(root).pointer.as("Text")).to.equal("text");
    const struct = newOrphan(root, AllTypes) as Loose;
    struct.get().int8Field = 5;
    set(root, "pointer", struct.getReader());
    expect(root.pointer.as(AllTypes).int8Field).to.equal(5);
    adopt(root, "pointer", struct);
    expect(root.pointer.as(AllTypes).int8Field).to.equal(5);
    const numbers = newOrphan(root, listOf("UInt32"), 3) as Loose;
    numbers.get().set(2, 56);
    set(root, "pointer", numbers.getReader());
    expect([...received(root).pointer.as(listOf("UInt32"))]).to.deep.equal([0, 0, 56]);
  });

  it("is an AnyStruct, too", () => {
    const root = AllTypes.newMessage();
    (toAnyStruct(root).as(AllTypes) as Loose).int8Field = 123;
    expect(get(root, "int8Field")).to.equal(123);
    expect((toAnyStruct(root.asReader()).as(AllTypes) as Loose).int8Field).to.equal(123);
  });

  it("tells which member of a union is there, and sets it by name", () => {
    const root = UnionLayout.newMessage();
    for (const [union, name, value] of [
      ["ideal", "j32", 1234567],
      ["worst", "t1", "foo"],
      ["left", "b", true],
      ["right", "i64", 1234567890123456789n],
    ] as const) {
      set(get(root, union), name, value);
      for (const struct of [root, root.asReader(), received(root)]) {
        expect([which(get(struct, union)), get(get(struct, union), name)]).to.deep.equal([name, value]);
      }
    }
    expectError("CAPNP_NO_SUCH_FIELD", () => get(root, "j32"));
    expectError("CAPNP_NO_SUCH_FIELD", () => set(root, "j32", 5));
  });

  it("refuses a member of its unnamed union that is not there, time and again", () => {
    const root = Unnamed.newMessage();
    for (const [name, other, value] of [
      ["large", "small", 321],
      ["small", "large", 123],
      ["large", "small", 321],
    ] as const) {
      set(root, name, value);
      for (const struct of [root, root.asReader()]) {
        expect([which(struct), get(struct, name)]).to.deep.equal([name, value]);
        expectError("CAPNP_UNION_MEMBER", () => get(struct, other), name);
      }
    }
  });

  it("refuses what a type cannot hold, and keeps what it had", () => {
    const root = AllTypes.newMessage({ int8Field: 123, uInt32Field: 1, int16Field: 5, boolField: true });
    expectError("CAPNP_RANGE", () => set(root, "int8Field", 1234), "-128", "127");
    expectError("CAPNP_RANGE", () => set(root, "uInt32Field", -1));
    expectError("CAPNP_RANGE", () => set(root, "int16Field", 0.5), "integer");
    expectError("CAPNP_TYPE", () => set(root, "boolField", 1));
    expect([root.int8Field, root.uInt32Field, root.int16Field, root.boolField]).to.deep.equal([123, 1, 5, true]);
  });

  it("has unions that come behind its other fields", () => {
    const root = Late.newMessage();
    set(get(root, "first"), "text", "hello");
    set(get(root, "second"), "list", [1]);
    expect(received(root).first.text).to.equal("hello");
    expect([received(root).second.which(), received(root).a]).to.deep.equal(["list", 0]);
  });

  it("has a pointer that is set, and every value of its data section", () => {
    const root = Defaults.newMessage();
    expect([has(root, "int32Field"), has(root, "structField"), has(root, "textField")]).to.deep.equal([
      true,
      false,
      false,
    ]);
    set(root, "int32Field", 123);
    init(root, "structField");
    set(root, "textField", "");
    expect([has(root, "int32Field"), has(root, "structField"), has(root, "textField")]).to.deep.equal([
      true,
      true,
      true,
    ]);
    clear(root, "textField");
    expect(has(root, "textField")).to.equal(false);
    const empty = HoldsEmpty.newMessage();
    expect(has(fromSegments(HoldsEmpty, []), "struct")).to.equal(false);
    init(empty, "struct");
    expect(has(empty, "struct")).to.equal(true);
  });

  it("takes an enumerant by its name, its constant or its number", () => {
    const { Color } = loadLoosely("test/fixtures/all-types.capnp");
    const root = AllTypes.newMessage();
    for (const [given, read] of [
      ["blue", "blue"],
      [Color.green, "green"],
      [2, "blue"],
      [77, 77],
    ] as const) {
      set(root, "enumField", given);
      expect(get(received(root), "enumField")).to.equal(read);
    }
  });

  it("takes no Text for Data and no bytes for Text", () => {
    const root = AllTypes.newMessage();
    expectError("CAPNP_TYPE", () => set(root, "dataField", "foo"), "Uint8Array");
    expectError("CAPNP_TYPE", () => set(root, "textField", Uint8Array.of(1)), "string");
    set(root, "dataField", new TextEncoder().encode("foo"));
    expect(Buffer.from(root.dataField).toString()).to.equal("foo");
  });

  it("sets a field to a builder of the same message, which is copied", () => {
    const message = new MessageBuilder();
    const root: Loose = message.initRoot(AllTypes as object);
    const child = init(root, "structField") as Loose;
    child.textField = "foo";
    set(child, "structField", child);
    child.textField = "bar";
    expect([root.structField.structField.textField, root.structField.textField]).to.deep.equal(["foo", "bar"]);
  });

  it("sets a group to that of another struct, and disowns it", () => {
    const from = Groups.newMessage({ choice: { two: { number: 123, text: "foo", big: 5n } } });
    const to = Groups.newMessage();
    set(to, "choice", get(from, "choice"));
    expect([which(get(to, "choice")), to.choice.two.text]).to.deep.equal(["two", "foo"]);
    const orphan = disown(from, "choice");
    adopt(to, "choice", orphan);
    expect([which(get(from, "choice")), to.choice.two.big]).to.deep.equal(["one", 5n]);
  });
});
