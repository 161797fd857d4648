import { expect } from "chai";
import { expectError } from "../support/errors.ts";
import { type Loose, parseLoosely } from "../support/loose.ts";
import { waysIn } from "./address-books.ts";

for (const { way, schema } of waysIn) {
  const { AddressBook, Person } = schema;

  describe(`quickstart: dictionaries, ${way}`, () => {
    it("toObject makes a plain object of builders and readers (both: Dictionaries)", () => {
      const alice = Person.newMessage({ name: "alice", employment: { school: "MIT" } });
      alice.init("phones", 1)[0].number = "555";
      const expected = {
        id: 0,
        name: "alice",
        phones: [{ number: "555", type: "mobile" }],
        employment: { school: "MIT" },
      };
      for (const one of [alice, alice.asReader(), Person.fromBytes(alice.toBytes())]) {
        expect(one.toObject()).to.deep.equal(expected);
        expect(JSON.parse(JSON.stringify(one))).to.deep.equal(expected);
        expect(one.phones.toObject()).to.deep.equal(expected.phones);
      }
    });

    it("toObject leaves out what is null, or has its default, and is in the order of the schema (both: Dictionaries)", () => {
      const alice = Person.newMessage({ name: "alice" });
      expect(alice.toObject()).to.deep.equal({ id: 0, name: "alice", employment: { unemployed: null } });
      const whole = alice.toObject({ defaults: true });
      expect(whole).to.deep.equal({ id: 0, name: "alice", email: "", phones: [], employment: { unemployed: null } });
      expect(Object.keys(whole)).to.deep.equal(["id", "name", "email", "phones", "employment"]);
    });

    it("newMessage takes such an object (both: Dictionaries)", () => {
      const object = { name: "alice" };
      const alice = Person.newMessage(object);
      expect(alice.toBytes()).to.deep.equal(Person.newMessage({ name: "alice" }).toBytes());
      expect(Person.newMessage(alice.toObject()).toObject()).to.deep.equal(alice.toObject());
      expect(Person.newMessage({ ...object, id: 5 }).id).to.equal(5);
    });

    it("lists and objects stand for lists and structs (both: Dictionaries)", () => {
      const book = AddressBook.newMessage({ people: [{ name: "Alice" }] });
      expect(book.people.at(0)?.name).to.equal("Alice");
      book.people = [{ name: "Bob" }, Person.newMessage({ name: "Carol" })];
      expect(book.people.map(({ name }) => name)).to.deep.equal(["Bob", "Carol"]);
    });

    it("an element of a list is assigned an object (both: Dictionaries)", () => {
      const book = AddressBook.newMessage();
      book.init("people", 2);
      (book as Loose).people[0] = { name: "Bob" };
      book.people.set(1, { name: "Carol", phones: [{ type: "work" }] });
      expect(book.people.map(({ name }) => name)).to.deep.equal(["Bob", "Carol"]);
      expect(book.people.at(1)?.phones.at(0)?.type).to.equal("work");
    });

    it("an object is merged into what is there, and a struct is copied over it (both: Dictionaries)", () => {
      const book = AddressBook.newMessage({ people: [{ name: "Alice", id: 5 }] });
      book.people.set(0, { email: "alice@example.com" });
      expect(book.people.at(0)?.toObject()).to.include({ name: "Alice", id: 5, email: "alice@example.com" });
      book.people.set(0, Person.newMessage({ name: "Bob" }));
      expect(book.people.at(0)?.toObject()).to.deep.equal({ id: 0, name: "Bob", employment: { unemployed: null } });
    });

    it("a key that is no field is refused, with the name that was meant (both: Dictionaries)", () => {
      const wrong = { nmae: "Alice" } as Loose;
      expectError("CAPNP_NO_SUCH_FIELD", () => Person.newMessage(wrong), "nmae", 'Did you mean "name"');
    });
  });
}

describe("quickstart: bytes in dictionaries", () => {
  it("Data is bytes, or base64 where that is asked for (both: Dictionaries)", () => {
    const { Blob } = parseLoosely("struct Blob { data @0 :Data; }");
    const blob = Blob.newMessage({ data: Uint8Array.of(1, 2, 255) });
    expect(blob.toObject()).to.deep.equal({ data: Uint8Array.of(1, 2, 255) });
    expect(blob.toObject({ bytes: "base64" })).to.deep.equal({ data: "AQL/" });
  });
});
