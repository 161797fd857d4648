import { expect } from "chai";
import { toAnyStruct } from "../../lib/schema/any-struct.ts";
import { equals } from "../../lib/schema/equals.ts";
import { fromSegments } from "../../lib/schema/message-io.ts";
import { listOf } from "../../lib/schema/type-argument.ts";
import { encodeFrame } from "../../lib/serialization/framing.ts";
import { type CapnpTool, capnpTool } from "../support/capnp-tool.ts";
import { expectError } from "../support/errors.ts";
import { type Loose, loadLoosely, parseLoosely } from "../support/loose.ts";
import { readAs, received, segmentsOf, words } from "../support/messages.ts";

const schemaFile = "test/fixtures/parity.capnp";
const types = loadLoosely("test/fixtures/all-types.capnp");
const { AllTypes, Defaults } = types;
const parity = loadLoosely(schemaFile);

const everything = {
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
  dataField: Uint8Array.of(98, 97, 114),
  structField: { int8Field: -12, textField: "baz", structField: { textField: "nested" } },
  enumField: "blue",
  voidList: [null, null],
  boolList: [false, true, false, true, true],
  int8List: [12, -34, -0x80, 0x7f],
  int64List: [-(1n << 63n), (1n << 63n) - 1n],
  uInt64List: [0n, (1n << 64n) - 1n],
  float32List: [0, 1234567, Number.POSITIVE_INFINITY, Number.NaN],
  float64List: [1e306, -1e-306, Number.NEGATIVE_INFINITY],
  textList: ["quux", "corge"],
  dataList: [Uint8Array.of(1), new Uint8Array(0)],
  structList: [{ textField: "1" }, { textField: "2" }],
  enumList: ["red", "green"],
} as const;
/** What is set, among what is there. */
const check = (struct: Loose): void => {
  const object = struct.toObject();
  for (const [name, value] of Object.entries(everything)) {
    if (name === "structField") expect(object.structField).to.deep.include({ int8Field: -12, textField: "baz" });
    else if (name === "structList") expect(object[name].map((one: Loose) => one.textField)).to.deep.equal(["1", "2"]);
    else expect(object[name], name).to.deep.equal(value);
  }
};
const tiny = { firstSegmentWords: 1, allocation: "fixed" } as const;

describe("the encoding", () => {
  it("holds every type of field", () => {
    const root = AllTypes.newMessage(everything);
    for (const struct of [root, root.asReader(), received(root), AllTypes.fromBytesPacked(root.toBytesPacked())])
      check(struct);
  });

  it("holds every type of field where each object has a segment of its own", () => {
    const root = AllTypes.newMessage(everything, tiny);
    expect(root.toSegmentViews().length).to.be.greaterThan(20);
    for (const struct of [root, root.asReader(), received(root), AllTypes.fromBytesPacked(root.toBytesPacked())])
      check(struct);
  });

  it("makes copies of default values where they are built on, in one segment and in many", () => {
    for (const options of [{}, tiny]) {
      const root = Defaults.newMessage({}, options);
      expect(root.asReader().has("structField")).to.equal(false);
      expect(root.structField.structList[1].textField).to.equal("y");
      expect([...root.intList]).to.deep.equal([1, 2, 3]);
      expect(root.structList[1].int8Field).to.equal(2);
      expect(received(root).has("structField")).to.equal(true);
      expect(String(received(root).structField)).to.equal(String(Defaults.newMessage().asReader().structField));
      root.structField.structList[1].textField = "changed";
      expect(Defaults.newMessage().structField.structList[1].textField, "the default stays").to.equal("y");
    }
  });

  it("reads default values from a message with nothing in it", () => {
    const expected = received(Defaults.newMessage()).toObject({ defaults: true });
    for (const segments of [[], [new Uint8Array(8)], [words([-4, 0])]]) {
      expect(readAs(Defaults, segments).toObject({ defaults: true })).to.deep.equal(expected);
    }
    expect(expected).to.deep.include({
      int32Field: -12345678,
      textField: "foo",
      enumField: "blue",
      intList: [1, 2, 3],
    });
  });

  it("shares the room of a union among its members, and tells which is there", () => {
    const root = parity.UnionLayout.newMessage();
    for (const [name, value] of [
      ["i32", 1234567],
      ["t1", "foo"],
      ["b0", true],
      ["j64", -5n],
      ["v1", null],
    ] as const) {
      root.ideal[name] = value;
      for (const side of [root.ideal, root.asReader().ideal, received(root).ideal]) {
        expect([side.which(), side[name]]).to.deep.equal([name, value]);
        expectError("CAPNP_UNION_MEMBER", () => side.i8, name);
      }
    }
    root.worst.i8 = 3;
    root.worst.j8 = 4;
    expect(root.worst.which()).to.equal("j8");
    expect(root.ideal.which(), "other unions are not touched").to.equal("v1");
  });

  it("has an unnamed union beside the fields of its struct", () => {
    const root = parity.Unnamed.newMessage();
    expect([root.which(), root.has("after")]).to.deep.equal(["small", false]);
    Object.assign(root, { large: 321, middle: 678, before: "foo", after: "bar" });
    for (const struct of [root, root.asReader(), received(root)]) {
      expect([struct.which(), struct.large, struct.middle]).to.deep.equal(["large", 321, 678]);
      expectError("CAPNP_UNION_MEMBER", () => struct.small, "large");
    }
    root.small = 123;
    expect([root.which(), root.before, root.after]).to.deep.equal(["small", "foo", "bar"]);
  });

  it("has groups that share the room of a union", () => {
    const root = parity.Groups.newMessage();
    for (const [name, values] of [
      ["one", { number: 12345678, big: 123456789012345n, text: "foobar" }],
      ["two", { number: 23456789, text: "barbaz", big: 234567890123456n }],
      ["three", { number: 34567890, text: "bazqux", other: "quxquux" }],
    ] as const) {
      expect(Object.values(root.choice.init(name).toObject()), "begins as zero").to.not.include("foobar");
      root.choice[name] = values;
      expect(received(root).choice.which()).to.equal(name);
      expect(received(root).choice[name].toObject()).to.deep.equal(values);
    }
  });

  it("interleaves groups without one touching the other", () => {
    const root = parity.Interleaved.newMessage();
    const one = {
      a: 12345678,
      b: 123456789012345n,
      d: { e: 987654321098765n, f: 12345, g: "plugh", h: "xyzzy" },
      j: "waldo",
    };
    const two = {
      a: 23456789,
      b: 234567890123456n,
      d: { e: 876543210987654n, f: 23456, g: "hgulp", h: "yzzyx" },
      j: "odlaw",
    };
    Object.assign(root, { one, two });
    expect(received(root).one.toObject()).to.deep.equal(one);
    const cleared = root.init("one");
    expect([cleared.a, cleared.b, cleared.which(), cleared.c, cleared.has("j")]).to.deep.equal([0, 0n, "c", 0, false]);
    expect(received(root).two.toObject()).to.deep.equal(two);
  });

  it("has unions in default values", () => {
    const { first, second, third, fourth } = parity.UnionDefaults.newMessage().asReader();
    expect([first.ideal.i16, first.worst.i8, first.left.i64, first.right.i8]).to.deep.equal([
      321,
      123,
      12345678901234567n,
      55,
    ]);
    expect([second.ideal.which(), second.worst.t0, second.left.b, second.right.i32]).to.deep.equal([
      "v1",
      "foo",
      true,
      12345678,
    ]);
    expect([third.which(), third.small, third.has("before")]).to.deep.equal(["small", 123, false]);
    expect([fourth.which(), fourth.large, fourth.before, fourth.after]).to.deep.equal(["large", 321, "foo", "bar"]);
  });

  const lists = {
    list0: [{ f: null }, { f: null }],
    list1: [{ f: true }, { f: false }, { f: true }, { f: true }],
    list8: [{ f: 123 }, { f: 45 }],
    list16: [{ f: 12345 }, { f: 6789 }],
    list32: [{ f: 123456789 }, { f: 234567890 }],
    list64: [{ f: 1234567890123456n }, { f: 2345678901234567n }],
    listP: [{ f: "foo" }, { f: "bar" }],
    numbers: [[1, 2, 3], [4, 5], [12341234]],
    texts: [["foo", "bar"], ["baz"], ["qux", "corge"]],
    structs: [[{ int32Field: 123 }, { int32Field: 456 }], [{ int32Field: 789 }]],
  };

  it("has lists in default values, to read and to build on", () => {
    const root = parity.ListDefaults.newMessage();
    for (const side of [root.asReader(), root, received(root)]) {
      const { structs, ...rest } = lists;
      expect(side.lists.toObject()).to.deep.include(rest);
      expect(side.lists.structs.map((one: Loose) => one.map((two: Loose) => two.int32Field))).to.deep.equal([
        [123, 456],
        [789],
      ]);
    }
  });

  it("builds lists of small structs and of lists to the words that their default value has", () => {
    const root = parity.ListDefaults.newMessage();
    const built = root.init("lists");
    for (const name of Object.keys(lists)) expect(built[name]).to.have.length(0);
    Object.assign(built, lists);
    const copied = parity.ListDefaults.newMessage();
    expect(copied.lists.list8[0].f).to.equal(123);
    expect(segmentsOf(root)).to.deep.equal(segmentsOf(copied));
  });

  it("sets a list to an empty one, which is not null", () => {
    const root = AllTypes.newMessage(everything);
    for (const [name, value] of Object.entries(everything)) {
      if (!Array.isArray(value)) continue;
      root[name] = [];
      expect([root.has(name), received(root)[name].length], name).to.deep.equal([true, 0]);
    }
  });

  it("has lists longer than 16 bits count", () => {
    const root = AllTypes.newMessage();
    const length = 1 << 18;
    const list = root.init("int32List", length);
    for (let i = 0; i < length; i += 1000) list.set(i, i * 3);
    const read = received(root).int32List;
    expect(read).to.have.length(length);
    expect([read[1000], read[length - 1 - ((length - 1) % 1000)]]).to.deep.equal([
      3000,
      (length - 1 - ((length - 1) % 1000)) * 3,
    ]);
  });

  it("gives fields another name where the schema says so, and keeps the encoding", () => {
    const { Renamed } = parseLoosely(`
      using TypeScript = import "/capstan/typescript.capnp";
      struct Renamed { bad @0 :UInt8 $TypeScript.name("good"); }`);
    const { Renamed: Original } = parseLoosely("struct Renamed { bad @0 :UInt8; }");
    const root = Renamed.newMessage({ good: 5 });
    expect(readAs(Original, segmentsOf(root)).bad).to.equal(5);
  });

  it("nests types, and finds the nearest one of a name", () => {
    const { Nested, Using, Imports } = parity;
    const root = Nested.newMessage();
    expect([root.outer, root.inner, root.child.outer, root.child.inner]).to.deep.equal(["bar", "quux", "bar", "quux"]);
    expect([Nested.Inner.foo, Nested.Child.Inner.baz]).to.deep.equal(["foo", "baz"]);
    expect([Using.newMessage().outer, Using.newMessage().inner]).to.deep.equal(["bar", "quux"]);
    const imports = Imports.newMessage({ field: everything });
    check(received(imports).field);
    expect(Imports.schema.field("field").type.schema.id).to.equal(AllTypes.schema.id);
  });

  it("copies a struct that is set, from readers and builders", () => {
    const from = AllTypes.newMessage(everything);
    for (const source of [from, from.asReader(), received(from)]) {
      const root = AllTypes.newMessage();
      root.structField = source;
      root.init("structList", 1).set(0, source);
      root.anyField.set(source);
      check(received(root).structField);
      check(received(root).structList[0]);
      check(received(root).anyField.as(AllTypes));
    }
  });

  it("copies a struct that is one bit", () => {
    const { Lists } = parity;
    const root = Lists.newMessage({ list1: [{ f: true }, { f: false }] });
    const other = Lists.newMessage();
    other.init("list1", 2).set(0, root.list1[0]);
    other.list1.set(1, received(root).list1[0]);
    expect(received(other).list1.map((one: Loose) => one.f)).to.deep.equal([true, true]);
  });

  it("copies a list that is set, of every type", () => {
    const from = parity.Lists.newMessage(lists);
    for (const source of [from, received(from)]) {
      const root = parity.Lists.newMessage();
      for (const name of Object.keys(lists)) root[name] = source[name];
      expect(equals(root, from)).to.equal(true);
    }
  });

  it("zeroes what is replaced", () => {
    const root = AllTypes.newMessage({ structField: everything }, { firstSegmentWords: 2048 });
    const [before] = root.toSegmentViews();
    root.init("structField");
    const [after] = root.toSegmentViews();
    const start = 8 + AllTypes.dataBytes + AllTypes.pointerCount * 8;
    expect(after.subarray(start, before.length).every((byte: number) => byte === 0)).to.equal(true);
    expect(after.subarray(before.length).every((byte: number) => byte === 0)).to.equal(true);
  });

  it("knows which fields have a value, empty ones too", () => {
    const { HoldsEmpty } = parity;
    const root = AllTypes.newMessage();
    for (const name of ["textField", "dataField", "structField", "int32List"]) {
      expect([root.has(name), received(root).has(name)]).to.deep.equal([false, false]);
    }
    Object.assign(root, { textField: "", dataField: new Uint8Array(0), structField: {}, int32List: [] });
    for (const name of ["textField", "dataField", "structField", "int32List"]) {
      expect([root.has(name), received(root).has(name)]).to.deep.equal([true, true]);
    }
    const empty = HoldsEmpty.newMessage();
    for (const [name, count] of [["struct"], ["list", 0], ["ints", 0]] as const) {
      expect([empty.has(name), received(empty).has(name)]).to.deep.equal([false, false]);
      empty.init(name, count);
      expect([empty.has(name), received(empty).has(name)]).to.deep.equal([true, true]);
    }
  });

  it("charges a list of Void for each element, and lets a limit stop it", () => {
    const root = AllTypes.newMessage();
    root.anyField.set({ voidList: [] }, AllTypes);
    const inner = root.anyField.as(AllTypes);
    inner.init("voidList", (1 << 28) - 1);
    expect(segmentsOf(root)[0]!.length).to.be.lessThan(1000);
    expectError("CAPNP_TRAVERSAL_LIMIT", () => received(root).anyField.as(AllTypes).voidList);
  });

  it("charges a list of structs without content for each element, and lets a limit stop it", () => {
    const { HoldsEmpty } = parity;
    const root = HoldsEmpty.newMessage();
    root.init("list", (1 << 29) - 1);
    expect(segmentsOf(root)[0]!.length).to.be.lessThan(100);
    expectError("CAPNP_TRAVERSAL_LIMIT", () => received(root).list);
  });

  it("has constants of every type, made of other constants too", () => {
    const { Constants, derived } = parity;
    expect([Constants.truth, Constants.small, Constants.huge, Constants.single, Constants.double]).to.deep.equal([
      true,
      -123,
      12345678901234567890n,
      1234.5,
      -123e45,
    ]);
    expect([Constants.nothing, Constants.text, Constants.colour]).to.deep.equal([null, "foo", "blue"]);
    expect(Constants.data).to.deep.equal(Uint8Array.of(98, 97, 114));
    expect(Constants.struct.structField.textField).to.equal("nested");
    expect([...Constants.bools]).to.deep.equal([true, false, false, true]);
    expect([...Constants.floats]).to.deep.equal([
      7777.75,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      Number.NaN,
    ]);
    expect(Constants.structs.map((one: Loose) => one.textField)).to.deep.equal(["one", "two"]);
    expect([...Constants.colours]).to.deep.equal(["red", "blue"]);
    expect([parity.globalInt, parity.globalText, parity.globalStruct.int32Field]).to.deep.equal([
      12345,
      "foobar",
      54321,
    ]);
    expect(String(parity.globalPrintable)).to.equal('(before = "foo", small = 33, middle = 0)');
    expect([derived.uInt32Field, derived.textField, derived.structField.int8Field]).to.deep.equal([12345, "foo", -12]);
    expect(derived.structList.map((one: Loose) => one.textField)).to.deep.equal(["one", "two"]);
  });

  it("has constants of the types AnyPointer, AnyStruct and AnyList", () => {
    const { pointerToStruct, structAsStruct, pointerToList, listAsList } = parity.AnyConstants;
    for (const one of [pointerToStruct, structAsStruct]) expect(one.as(AllTypes).textField).to.equal("baz");
    expect(structAsStruct.as("AnyStruct").dataSection).to.have.length(AllTypes.dataBytes);
    for (const one of [pointerToList, listAsList]) {
      expect([...one.as(listOf("Int32"))]).to.deep.equal([111111111, -111111111]);
    }
    expect(listAsList.as("AnyList").elementSize).to.equal("fourBytes");
  });

  it("has files as the values of constants", () => {
    const embed = loadLoosely("test/fixtures/schemas/embed.capnp");
    const values = Object.values(embed).filter((one) => typeof one === "string" || one instanceof Uint8Array);
    expect(values.length).to.be.greaterThan(0);
  });

  it("keeps a NaN that is a default value apart from zero", () => {
    const root = Defaults.newMessage();
    expect(root.nan).to.be.NaN;
    root.nan = 5;
    expect(received(root).nan).to.equal(5);
    root.nan = Number.NaN;
    expect(received(root).nan).to.be.NaN;
  });

  it("takes whole numbers as default values of floats", () => {
    const { WholeFloat } = parity;
    const root = WholeFloat.newMessage();
    expect([root.field, root.big, WholeFloat.constant, WholeFloat.bigConstant]).to.deep.equal([
      123,
      Math.fround(2e30),
      456,
      Math.fround(4e30),
    ]);
  });

  it("binds type parameters all the way down", () => {
    const { UsesPair } = parity;
    const root = UsesPair.newMessage();
    root.basic.a = everything;
    root.basic.rev.rev.a = { textField: "inner" };
    root.basic.rev.a.pointer.set("any");
    root.inner.a = { textField: "a" };
    root.inner.b.pointer.set([1, 2], listOf("Int8"));
    root.outer.c = "text";
    root.outer.bound.a = { textField: "bound" };
    root.outer.unbound.a.set("unbound");
    root.unspecified.a.set(everything, AllTypes);
    const read = received(root);
    check(read.basic.a);
    expect([read.basic.rev.rev.a.textField, read.basic.rev.a.pointer.as("Text")]).to.deep.equal(["inner", "any"]);
    expect([...read.inner.b.pointer.as(listOf("Int8"))]).to.deep.equal([1, 2]);
    expect([read.outer.c, read.outer.bound.a.textField, read.outer.unbound.a.as("Text")]).to.deep.equal([
      "text",
      "bound",
      "unbound",
    ]);
    check(read.unspecified.a.as(AllTypes));
  });

  it("has default values of types whose parameters are bound", () => {
    const { default: value, defaultInner } = received(parity.UsesPair.newMessage());
    expect([value.a.int16Field, value.rev.a, value.rev.rev.a.int16Field]).to.deep.equal([123, "text", 321]);
    expect([defaultInner.a.int16Field, defaultInner.b]).to.deep.equal([123, "text"]);
  });

  it("has unions of type parameters", () => {
    const { GenericUnion } = parity;
    const OfText = GenericUnion.of("Text");
    const root = OfText.newMessage();
    expect(root.which()).to.equal("none");
    root.some = "foo";
    expect([received(root).which(), received(root).some]).to.deep.equal(["some", "foo"]);
    expect(received(GenericUnion.of(AllTypes).newMessage({ some: { int8Field: 1 } })).some.int8Field).to.equal(1);
  });

  it("makes a builder of a list in a default value", () => {
    const root = Defaults.newMessage();
    root.intList.set(1, 22);
    expect([...received(root).intList]).to.deep.equal([1, 22, 3]);
    root.structList[0].textField = "built";
    expect(received(root).structList[0].textField).to.equal("built");
  });

  it("counts the words of lists as those of their struct less its own", () => {
    const read = received(parity.Lists.newMessage(lists));
    const pointers = toAnyStruct(read).pointerSection as Loose[];
    const inLists = pointers.reduce((sum, one) => sum + one.totalSize.wordCount, 0);
    expect(inLists).to.equal(read.totalSize.wordCount - parity.Lists.dataBytes / 8 - parity.Lists.pointerCount);
  });

  it("sets an element of a list of structs to itself without harm", () => {
    const root = AllTypes.newMessage(everything);
    const list = root.init("structList", 2);
    list.set(0, everything);
    for (const self of [list[0], list[0].asReader()]) list.set(0, self);
    check(received(root).structList[0]);
    const [first] = received(root).structList;
    list.set(1, list[0]);
    expect(equals(first, received(root).structList[1])).to.equal(true);
  });

  describe("of unions, compared with C++", function () {
    this.timeout(60_000);
    let capnp: CapnpTool;
    before(async function () {
      capnp = await capnpTool.call(this);
    });

    it("puts every member at the bits where C++ puts it", () => {
      const { UnionLayout } = parity;
      const texts: string[] = [];
      const ours: Uint8Array[] = [];
      for (const union of ["ideal", "worst", "left", "right"]) {
        for (const field of UnionLayout.schema.field(union).type.schema.unionFields) {
          const values: Record<string, [string, unknown]> = {
            void: ["void", null],
            bool: ["true", true],
            int64: ["-1", -1n],
            text: ['"x"', "x"],
          };
          const [text, value] = values[field.type.which] ?? ["-1", -1];
          texts.push(`(${union} = (${field.name} = ${text}))`);
          const root = UnionLayout.newMessage();
          root[union][field.name] = value;
          ours.push(encodeFrame(segmentsOf(root)));
        }
      }
      const theirs = capnp(["convert", "--quiet", "text:binary", schemaFile, "UnionLayout"], texts.join("\n"));
      expect(ours.length).to.equal(44);
      expect(theirs.toString("hex")).to.equal(Buffer.concat(ours).toString("hex"));
    });

    it("encodes small structs, groups and lists of lists to the words of C++", () => {
      for (const [name, value] of [
        ["Lists", lists],
        ["Groups", { choice: { two: { number: 1, text: "t", big: 5n } } }],
        ["Interleaved", { one: { a: 1, d: { e: 2n, g: "g" } }, two: { b: 3n, i: "i" } }],
        ["Late", { first: { list: [1, 2] }, second: { text: "x" } }],
      ] as const) {
        const root = parity[name].newMessage(value);
        const theirs = capnp(["convert", "--quiet", "binary:canonical", schemaFile, name], root.toBytes());
        const read = fromSegments(parity[name], [theirs]) as Loose;
        expect(equals(read, root)).to.equal(true);
        const encoded = capnp(["convert", "--quiet", "text:binary", schemaFile, name], String(root));
        expect(equals(parity[name].fromBytes(encoded), root)).to.equal(true);
      }
    });
  });
});
