import { expect } from "chai";
import { listOf, Text } from "../../lib/schema/type-argument.ts";
import { expectError } from "../support/errors.ts";
import { type Loose, loadLoosely, parseLoosely } from "../support/loose.ts";
import { received } from "../support/messages.ts";

describe("a generic struct", () => {
  const { AllTypes, Color, Endless, Map: GenericMap, UsesMap } = loadLoosely("test/fixtures/all-types.capnp");

  it("reads and writes its type parameters as what they are bound to", () => {
    const Ages = GenericMap.of(Text, AllTypes);
    const ages = Ages.newMessage({ entries: [{ key: "Alice", value: { int8Field: 30 } }], fallback: { int8Field: 1 } });
    const [entry] = received(ages).entries;
    expect([entry.key, entry.value.int8Field]).to.deep.equal(["Alice", 30]);
    expect(entry).to.be.instanceOf(Ages.Entry.Reader);
    expect(entry.value).to.be.instanceOf(AllTypes.Reader);
  });

  it("is one class for the same types, wherever they were bound", () => {
    expect(GenericMap.of(Text, AllTypes)).to.equal(GenericMap.of("Text", AllTypes));
    expect(GenericMap.of("Text", AllTypes)).to.not.equal(GenericMap.of("Data", AllTypes));
    expect(UsesMap.newMessage().ages).to.be.instanceOf(GenericMap.of("Text", AllTypes).Builder);
    const nested = GenericMap.of("Text", AllTypes).newMessage().nested;
    expect(nested).to.be.instanceOf(GenericMap.of(AllTypes, "Text").Builder);
    expect(nested.nested).to.be.instanceOf(GenericMap.of("Text", AllTypes).Builder);
  });

  it("reads an unbound parameter as AnyPointer", () => {
    const map = GenericMap.newMessage();
    const [entry] = map.init("entries", 1);
    entry.key.set("k");
    entry.value = AllTypes.newMessage({ int8Field: 5 });
    const [read] = received(map).entries;
    expect([read.key.as("Text"), read.value.as(AllTypes).int8Field]).to.deep.equal(["k", 5]);
  });

  it("may be bound to lists, and to itself", () => {
    const Lists = GenericMap.of(listOf("UInt8"), listOf(listOf(Color)));
    const map = Lists.newMessage({ entries: [{ key: [1, 2], value: [["red"], ["blue", "green"]] }] });
    expect(received(map).toObject()).to.deep.equal({ entries: [{ key: [1, 2], value: [["red"], ["blue", "green"]] }] });
    const Maps = GenericMap.of(Text, GenericMap.of(Text, Text));
    const maps = Maps.newMessage({ entries: [{ key: "a", value: { fallback: "b" } }] });
    expect(received(maps).entries.at(0).value.fallback).to.equal("b");
  });

  it("binds its parameters anew where it mentions itself by an alias inside of it", () => {
    const { Pair, Box } = parseLoosely(`
      struct Pair(T, U) {
        using Inner = Outer;
        first @0 :Inner(Text, List(UInt8));
        group :group { second @1 :U; }
      }
      using Outer = Pair;
      struct Box { pair @0 :Pair(Data, Text); }`);
    const pair = { first: { group: { second: [1, 2] } }, group: { second: "two" } };
    const box = Box.newMessage({ pair });
    expect(received(box).toObject()).to.deep.equal({ pair });
    expect(received(box).pair.first).to.be.instanceOf(Pair.of("Text", listOf("UInt8")).Reader);
  });

  it("may nest its own types without end", () => {
    const outermost = Endless.of("Text").newMessage({ value: "outermost" });
    let endless: Loose = outermost;
    for (let depth = 0; depth < 3; depth++) endless = endless.init("next");
    endless.value.value.value = { value: null };
    expect(received(outermost).value).to.equal("outermost");
  });

  it("refuses types that are not pointers, and a wrong number of them", () => {
    expectError("CAPNP_TYPE", () => GenericMap.of("UInt8", "Text"), "Key", "uint8");
    expectError("CAPNP_TYPE", () => GenericMap.of("Text"), "Map", "Key, Value");
    expectError("CAPNP_TYPE", () => AllTypes.of("Text"), "AllTypes");
    expectError("CAPNP_TYPE", () => GenericMap.of("Text", 5), "5");
  });
});

describe("an AnyPointer", () => {
  const { AllTypes, Shapes } = loadLoosely("test/fixtures/all-types.capnp");

  it("is null, text, data, a struct or a list", () => {
    const struct = AllTypes.newMessage();
    const any = struct.anyField;
    expect([any.isNull, struct.has("anyField")]).to.deep.equal([true, false]);
    any.set("text");
    expect(received(struct).anyField.as("Text")).to.equal("text");
    struct.anyField = new Uint8Array([1, 2]);
    expect(received(struct).anyField.as("Data")).to.deep.equal(new Uint8Array([1, 2]));
    any.init(Shapes).label = "l";
    expect(received(struct).anyField.as(Shapes).label).to.equal("l");
    any.as(Shapes).before = 3;
    expect(received(struct).anyField.as(Shapes).toObject()).to.deep.equal({
      before: 3,
      label: "l",
      place: { x: -1, y: 0 },
    });
    any.init(listOf("UInt16"), 2).set(1, 9);
    expect([...received(struct).anyField.as(listOf("UInt16"))]).to.deep.equal([0, 9]);
    any.set([{ label: "x" }], listOf(Shapes));
    expect(received(struct).anyField.as(listOf(Shapes)).at(0).label).to.equal("x");
    any.set(null);
    expect(any.isNull).to.equal(true);
    expect(struct.toObject({ defaults: true }).anyField).to.equal(null);
  });

  it("copies readers, lists and other AnyPointers, from its own message, too", () => {
    const struct = AllTypes.newMessage({ structField: { textField: "inner" }, int8List: [1, 2], textList: ["t"] });
    struct.anyField = struct.structField;
    expect(struct.anyField.as(AllTypes).textField).to.equal("inner");
    const other = AllTypes.newMessage({ anyField: received(struct).anyField });
    expect(other.anyField.as(AllTypes).textField).to.equal("inner");
    other.set("anyField", other.anyField);
    other.anyField.as(AllTypes).anyField = other.anyField;
    expect(other.anyField.as(AllTypes).anyField.as(AllTypes).textField).to.equal("inner");
    struct.anyField = struct.int8List;
    expect([...struct.anyField.as(listOf("Int8"))]).to.deep.equal([1, 2]);
    struct.anyField = received(struct).textList;
    expect([...struct.anyField.as(listOf("Text"))]).to.deep.equal(["t"]);
  });

  it("refuses what says nothing of its type", () => {
    const struct = AllTypes.newMessage();
    expectError("CAPNP_TYPE", () => Object.assign(struct, { anyField: {} }), "AllTypes.anyField", "Type");
    expectError("CAPNP_TYPE", () => Object.assign(struct, { anyField: [1] }), "AllTypes.anyField");
    expectError("CAPNP_TYPE", () => Object.assign(struct, { anyField: Shapes.newMessage().place }), "group");
    expectError("CAPNP_TYPE", () => struct.anyField.as("Int8"), "Int8");
    struct.anyField = "text";
    expectError("CAPNP_POINTER_KIND", () => struct.anyField.as(Shapes), "struct");
  });
});
