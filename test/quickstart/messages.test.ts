import * as capnp from "capstan";
import { expect } from "chai";
import { expectError } from "../support/errors.ts";
import { type Loose, parseLoosely } from "../support/loose.ts";
import { waysIn } from "./address-books.ts";

const { Primitives } = parseLoosely(`struct Primitives {
  bool @0 :Bool; int8 @1 :Int8; int16 @2 :Int16; int32 @3 :Int32; int64 @4 :Int64;
  uint8 @5 :UInt8; uint16 @6 :UInt16; uint32 @7 :UInt32; uint64 @8 :UInt64;
  float32 @9 :Float32; float64 @10 :Float64; text @11 :Text; data @12 :Data; void @13 :Void;
}`);

for (const { way, schema } of waysIn) {
  const { AddressBook, Person } = schema;

  describe(`quickstart: building a message, ${way}`, () => {
    it("newMessage allocates a struct of the schema (old: Initialize a New Cap'n Proto Object)", () => {
      const addresses = AddressBook.newMessage();
      expect(addresses).to.be.instanceOf(AddressBook);
      expect(addresses).to.be.instanceOf(AddressBook.Builder);
      expect(addresses.people.length).to.equal(0);
    });

    it("newMessage takes the fields by name, as if each were assigned (both: Initialize a New Cap'n Proto Object)", () => {
      const person = Person.newMessage({ name: "alice" });
      const same = Person.newMessage();
      same.name = "alice";
      expect(person.name).to.equal("alice");
      expect(person.toBytes()).to.deep.equal(same.toBytes());
      // @ts-expect-error: a name that the struct does not have
      expectError("CAPNP_NO_SUCH_FIELD", () => Person.newMessage({ nmae: "alice" }), "name");
    });

    it("init allocates a list inside of a struct, and an index takes an element out of it (both: List)", () => {
      const addresses = AddressBook.newMessage();
      const people = addresses.init("people", 2);
      const alice = people[0];
      alice.name = "Alice";
      expect(people.length).to.equal(2);
      expect(people.at(0)?.name).to.equal("Alice");
      expect(people.at(-2)?.name).to.equal("Alice");
      expect([...addresses.people].map(({ name }) => name)).to.deep.equal(["Alice", ""]);
      expect(people.at(2)).to.equal(undefined);
      expectError("CAPNP_INDEX", () => people.set(2, { name: "Carol" }), "2 elements");
    });

    it("a second init of a field leaves the first as dead space, which is zeroed and packs to nothing (both: List)", () => {
      const once = AddressBook.newMessage();
      once.init("people", 2);
      const twice = AddressBook.newMessage();
      twice.init("people", 2)[0].name = "somebody with a very long name";
      twice.init("people", 2);
      expect(twice.people.at(0)?.name).to.equal("");
      expect(twice.toBytes().length).to.be.greaterThan(once.toBytes().length);
      expect(Buffer.from(twice.toBytes()).includes("somebody")).to.equal(false);
      expect(twice.toBytesPacked().length).to.be.lessThan(once.toBytesPacked().length + 8);
      expect(twice.copy().toBytes().length).to.equal(once.toBytes().length);
    });

    it("lists neither grow nor shrink; one that grows is collected first, and made a list at the end (both: List)", () => {
      const addresses = AddressBook.newMessage();
      const people = addresses.init("people", 1);
      expect("push" in people).to.equal(false);
      const resizable = capnp.initResizableList(addresses, "people") as capnp.ResizableList<{ name: string }>;
      for (const name of ["Alice", "Bob", "Carol"]) resizable.add().name = name;
      resizable.finish();
      expect(addresses.people.map(({ name }) => name)).to.deep.equal(["Alice", "Bob", "Carol"]);
    });

    it("fields are assigned with a dot, and the values are JavaScript's own (both: Primitive Types)", () => {
      const alice = AddressBook.newMessage().init("people", 2)[0];
      alice.id = 123;
      alice.name = "Alice";
      alice.email = "alice@example.com";
      expect([alice.id, alice.name, alice.email]).to.deep.equal([123, "Alice", "alice@example.com"]);
      // @ts-expect-error: an id is a number
      expectError("CAPNP_TYPE", () => (alice.id = "123"), "Person.id");
      expectError("CAPNP_RANGE", () => (alice.id = -1), "Person.id");
    });

    it("a list of one is a list, too, from which its element is taken (old: Enums)", () => {
      const alice = Person.newMessage();
      const phones = alice.init("phones", 1);
      const alicePhone = phones[0];
      alicePhone.number = "555-1212";
      expect(phones.length).to.equal(1);
      expect(alice.phones.at(0)?.number).to.equal("555-1212");
    });

    it("an enum is assigned and read by the name of its enumerant (old: Enums)", () => {
      const alicePhone = Person.newMessage().init("phones", 1)[0];
      expect(alicePhone.type).to.equal("mobile");
      alicePhone.type = "work";
      expect(alicePhone.type).to.equal("work");
      alicePhone.type = Person.PhoneNumber.Type.home;
      expect(alicePhone.type).to.equal("home");
      (alicePhone as Loose).type = 2;
      expect(alicePhone.type).to.equal("work");
    });

    it("an enumerant that the enum does not have is refused by name (old: Enums)", () => {
      const alicePhone = Person.newMessage().init("phones", 1)[0];
      // @ts-expect-error: not one of "mobile", "home" and "work"
      expectError("CAPNP_NO_SUCH_ENUMERANT", () => (alicePhone.type = "foo"), 'has no enumerant "foo"');
      expect(alicePhone.type).to.equal("mobile");
    });

    it("an enumerant of a newer schema reads as its number, and survives (old: Enums)", () => {
      const alice = Person.newMessage();
      const alicePhone: Loose = alice.init("phones", 1)[0];
      alicePhone.type = 77;
      const read: Loose = Person.fromBytes(alice.toBytes());
      expect(read.phones[0].type).to.equal(77);
      expect(read.copy().phones[0].type).to.equal(77);
    });

    it("a message prints as Cap'n Proto text (both: Build a message)", () => {
      const alice = Person.newMessage({ id: 123, name: "Alice", phones: [{ number: "555", type: "home" }] });
      const text =
        '(id = 123, name = "Alice", phones = [(number = "555", type = home)], employment = (unemployed = void))';
      expect(String(alice)).to.equal(text);
      expect(`${alice.asReader()}`).to.equal(text);
    });

    it("a builder is read in place, and copied into a builder of its own (both: Build a message)", () => {
      const alice = Person.newMessage({ name: "Alice" });
      const reader = alice.asReader();
      const copy = reader.copy();
      alice.name = "Alicia";
      expect([reader.name, copy.name]).to.deep.equal(["Alicia", "Alice"]);
      expect(copy).to.be.instanceOf(Person.Builder);
      expect(reader).not.to.be.instanceOf(Person.Builder);
    });

    it("a field is moved out of a message, and into another place of it (both: Build a message)", () => {
      const book = AddressBook.newMessage({ people: [{ name: "Alice", phones: [{ number: "555" }] }, {}] });
      const [alice, bob] = [...book.people];
      bob!.adopt("phones", alice!.disown("phones"));
      expect(alice!.phones.length).to.equal(0);
      expect(bob!.phones.at(0)?.number).to.equal("555");
    });
  });
}

describe("quickstart: primitive types", () => {
  it("every type takes and gives its JavaScript type, at its limits (both: Primitive Types)", () => {
    const values = {
      bool: [true, false],
      int8: [-128, 127],
      int16: [-32768, 32767],
      int32: [-2147483648, 2147483647],
      int64: [-(2n ** 63n), 2n ** 63n - 1n, -12345678901234n],
      uint8: [0, 255],
      uint16: [0, 65535],
      uint32: [0, 4294967295],
      uint64: [0n, 2n ** 64n - 1n, 12345678901234567890n],
      float32: [1.5, Number.POSITIVE_INFINITY, Number.NaN],
      float64: [0.1, -1e300, Number.NEGATIVE_INFINITY, Number.NaN],
      text: ["", "Alice", "Ærøskøbing \u{1f600}", "with\0zero"],
      data: [new Uint8Array(), Uint8Array.of(0, 255)],
      void: [null],
    };
    const message = Primitives.newMessage();
    for (const [name, examples] of Object.entries(values)) {
      for (const value of examples) {
        message[name] = value;
        expect(message[name], name).to.deep.equal(value);
        expect(Primitives.fromBytes(message.toBytes())[name], name).to.deep.equal(value);
      }
    }
  });

  it("a value out of its type's range is refused, never cut off (both: Primitive Types)", () => {
    const message = Primitives.newMessage();
    const wrong = { int8: 128, int16: -32769, int32: 2 ** 31, uint8: -1, uint16: 65536, uint32: 0.5, int64: 2n ** 63n };
    for (const [name, value] of Object.entries(wrong)) {
      expectError("CAPNP_RANGE", () => (message[name] = value), `Primitives.${name}`);
      expect(Number(message[name])).to.equal(0);
    }
    message.int64 = 5;
    expect(message.int64).to.equal(5n);
    expectError("CAPNP_RANGE", () => (message.uint64 = 2 ** 60));
  });

  it("Text is a string and Data is bytes, and neither passes for the other (both: Primitive Types)", () => {
    const message = Primitives.newMessage({ text: "Alice", data: Buffer.from("Alice") });
    expect(message.text).to.be.a("string");
    expect(message.data).to.be.instanceOf(Uint8Array);
    expect(String(Buffer.from(message.data))).to.equal("Alice");
    expectError("CAPNP_TYPE", () => (message.text = Buffer.from("Alice")), "takes a string");
    expectError("CAPNP_TYPE", () => (message.data = "Alice"), "Primitives.data");
  });

  it("an AnyPointer is what it was set to, read as the type that the reader knows (both: Primitive Types)", () => {
    const { Holder, Thing } = parseLoosely("struct Holder { any @0 :AnyPointer; }\nstruct Thing { name @0 :Text; }");
    const holder = Holder.newMessage();
    holder.any.init(Thing).name = "a thing";
    expect(Holder.fromBytes(holder.toBytes()).any.as(Thing).name).to.equal("a thing");
    holder.any.set("some text");
    expect(holder.any.as("Text")).to.equal("some text");
    holder.any.set([1, 2], capnp.listOf("UInt16"));
    expect([...holder.any.as(capnp.listOf("UInt16"))]).to.deep.equal([1, 2]);
  });

  it("a message is built and read without a struct's own methods, where fields have their names (both: Build a message)", () => {
    const { Odd } = parseLoosely(
      "struct Odd { init @0 :List(Text); toBytes @1 :Text; which @2 :Text; then @3 :Text; }",
    );
    const odd = Odd.newMessage({ toBytes: "a field", which: "another", then: "a third" });
    const list = capnp.init(odd, "init", 1) as unknown as { set(index: number, value: string): void };
    list.set(0, "x");
    const read = capnp.fromBytes(Odd, capnp.toBytes(odd)) as Loose;
    expect([read.init[0], read.toBytes, read.which, read.then]).to.deep.equal(["x", "a field", "another", "a third"]);
  });
});
