import { expect } from "chai";
import { CapnpError } from "../../lib/errors.ts";
import { expectError } from "../support/errors.ts";
import { loadLoosely } from "../support/loose.ts";
import { framed, readAs, segmentsOf, unframed } from "../support/messages.ts";

describe("a reader of a hostile message", () => {
  const { AllTypes, Shapes } = loadLoosely("test/fixtures/all-types.capnp");
  const { AddressBook } = loadLoosely("servers/addressbook/addressbook.capnp");

  it("reads an empty message and a null root as an empty struct", () => {
    for (const segments of [[], [new Uint8Array(0)], [new Uint8Array(4)], [new Uint8Array(8)]]) {
      const reader = readAs(AllTypes, segments);
      expect([reader.int8Field, reader.textField, reader.structField.int8Field, reader.textList.length]).to.deep.equal([
        0,
        "",
        0,
        0,
      ]);
      expect(readAs(Shapes, segments).which()).to.equal("none");
    }
  });

  it("stops at the nesting limit and at the traversal limit", () => {
    let nested = Shapes.newMessage();
    const deep = nested;
    for (let depth = 0; depth < 100; depth++) nested = nested.init("child");
    expectError("CAPNP_NESTING_LIMIT", () => readAs(Shapes, segmentsOf(deep)).toObject());
    expect(JSON.stringify(readAs(Shapes, segmentsOf(deep), { nestingLimit: 200 })).length).to.be.greaterThan(1000);
    const wide = AllTypes.newMessage({ structList: Array.from({ length: 100 }, () => ({ int8Field: 1 })) });
    const reader = readAs(AllTypes, segmentsOf(wide), { traversalLimitInWords: 5000 });
    expectError("CAPNP_TRAVERSAL_LIMIT", () => {
      for (let i = 0; i < 5; i++) reader.structList.at(0);
    });
  });

  it("gives a value or a CapnpError for every damaged bit", () => {
    const book = AddressBook.newMessage({
      people: [
        { id: 1, name: "Alice", phones: [{ number: "555-1212", type: "work" }], employment: { school: "MIT" } },
        { id: 2, name: "Bob", employment: { employer: "ACME" } },
      ],
    });
    const bytes = framed(book);
    let refused = 0;
    let read = 0;
    for (let bit = 64; bit < bytes.length * 8; bit++) {
      const damaged = Buffer.from(bytes);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      try {
        readAs(AddressBook, unframed(damaged)).toObject({ defaults: true });
        read++;
      } catch (error) {
        expect(error).to.be.instanceOf(CapnpError);
        refused++;
      }
    }
    expect(refused).to.be.greaterThan(100);
    expect(read).to.be.greaterThan(100);
  });
});
