import { expect } from "chai";
import { expectError } from "../support/errors.ts";
import { type Loose, parseLoosely } from "../support/loose.ts";
import { type AddressBookSchema, waysIn } from "./address-books.ts";

type Person = ReturnType<AddressBookSchema["Person"]["fromBytes"]>;

/** The example of reading unions, as the documents have it: in TypeScript it is `$which` that narrows, see below. */
const occupation = (person: Loose): string => {
  const which = person.employment.which();
  if (which === "unemployed") return "unemployed";
  if (which === "employer") return `employer: ${person.employment.employer}`;
  if (which === "school") return `student at: ${person.employment.school}`;
  return "self employed";
};

/** The same where TypeScript knows which member is active. */
const narrowed = ({ employment }: Person): string => {
  switch (employment.$which) {
    case "unemployed":
      return "unemployed";
    case "employer":
      return `employer: ${employment.employer satisfies string}`;
    case "school":
      return `student at: ${employment.school satisfies string}`;
    case "selfEmployed":
      return "self employed";
  }
};

for (const { way, schema } of waysIn) {
  const { Person } = schema;

  describe(`quickstart: unions, ${way}`, () => {
    it("assigning a member makes it the active one (both: Unions)", () => {
      const alice = Person.newMessage();
      alice.employment.school = "MIT";
      expect(alice.employment.which()).to.equal("school");
      expect(alice.employment.school).to.equal("MIT");
      alice.employment.employer = "Somebody Inc.";
      expect(alice.employment.which()).to.equal("employer");
      expectError("CAPNP_UNION_MEMBER", () => alice.employment.school, "that is employer");
    });

    it("a member of type Void is assigned null (both: Unions)", () => {
      const bob = Person.newMessage();
      bob.employment.school = "MIT";
      bob.employment.unemployed = null;
      expect(bob.employment.which()).to.equal("unemployed");
      expect((bob as Loose).employment.unemployed).to.equal(null);
      bob.employment.selfEmployed = undefined;
      expect(bob.employment.which()).to.equal("selfEmployed");
      expectError("CAPNP_TYPE", () => ((bob as Loose).employment.unemployed = "yes"));
    });

    it("which gives the name of the active member, in builders and readers (both: Reading Unions)", () => {
      const people = [
        Person.newMessage(),
        Person.newMessage({ employment: { employer: "Somebody Inc." } }),
        Person.newMessage({ employment: { school: "MIT" } }),
        Person.newMessage({ employment: { selfEmployed: null } }),
      ];
      const expected = ["unemployed", "employer: Somebody Inc.", "student at: MIT", "self employed"];
      expect(people.map((one) => occupation(one))).to.deep.equal(expected);
      expect(people.map((one) => occupation(one.asReader()))).to.deep.equal(expected);
      expect(people.map((one) => narrowed(one.asReader()))).to.deep.equal(expected);
      expect(people.map(({ employment }) => employment.is("school"))).to.deep.equal([false, false, true, false]);
    });

    it("the members of a union have names beside its struct (old: Reading Unions)", () => {
      const { Employment } = Person as Loose;
      const alice = Person.newMessage({ employment: { school: "MIT" } });
      expect(alice.employment.which()).to.equal(Employment.school);
      expect(Object.keys(Employment)).to.deep.equal(["unemployed", "employer", "school", "selfEmployed"]);
    });
  });
}

describe("quickstart: structs in unions", () => {
  const { Person, Message, Line } = parseLoosely(`
    struct School { name @0 :Text; }
    struct Person {
      name @3 :Text;
      employment :union { unemployed @0 :Void; employer @1 :Text; school @2 :School; past @4 :List(Text); }
    }
    struct AddressBook { people @0 :List(Person); }
    struct Message { union { person @0 :Person; addressbook @1 :AddressBook; } }
    struct Line { union { text @0 :Text; end @1 :Void; } }`);

  it("a struct that is a member is not there before it was initialised (both: Unions)", () => {
    const alice = Person.newMessage();
    expectError(
      "CAPNP_UNION_MEMBER",
      () => (alice.employment.school.name = "MIT"),
      "that is unemployed",
      "set or init school",
    );
    expect(alice.employment.which()).to.equal("unemployed");
  });

  it("init of such a member takes no size, and gives the struct (both: Unions)", () => {
    const alice = Person.newMessage();
    const school = alice.employment.init("school");
    school.name = "MIT";
    expect(alice.employment.which()).to.equal("school");
    expect(alice.employment.school.name).to.equal("MIT");
    alice.employment.init("past", 2)[1] = "MIT";
    expect([...alice.employment.past]).to.deep.equal(["", "MIT"]);
    alice.employment = { school: { name: "ETH" } };
    expect(alice.employment.school.name).to.equal("ETH");
  });

  it("setting a second member leaves the first as dead space, which is zeroed when its place is taken (old: Unions)", () => {
    const alice = Person.newMessage();
    alice.employment.init("school").name = "Massachusetts Institute of Technology";
    const length = alice.toBytes().length;
    alice.employment.employer = "";
    expect(alice.toBytes().length).to.be.at.least(length);
    expect(Buffer.from(alice.toBytes()).includes("Massachusetts")).to.equal(false);
    expect(alice.copy().toBytes().length).to.be.lessThan(length);
  });

  it("a Void member takes no place, so that what was there before stays in the bytes until it is cleared (old: Unions)", () => {
    const alice = Person.newMessage();
    alice.employment.init("school").name = "Massachusetts Institute of Technology";
    alice.employment.unemployed = null;
    expect(Buffer.from(alice.toBytes()).includes("Massachusetts")).to.equal(true);
    alice.employment.clear("school");
    alice.employment.unemployed = null;
    expect(Buffer.from(alice.toBytes()).includes("Massachusetts")).to.equal(false);
  });

  it("messages of several types go through one stream in an unnamed union (both: Reading from a file)", () => {
    const messages = [
      Message.newMessage({ person: { name: "Alice" } }),
      Message.newMessage({ addressbook: { people: [{ name: "Bob" }, { name: "Carol" }] } }),
    ];
    const bytes = Buffer.concat(messages.map((message) => message.toBytes()));
    const seen: string[] = [];
    for (const message of Message.readMultipleBytes(bytes)) {
      const which = message.which();
      if (which === "person") seen.push(message.person.name);
      else if (which === "addressbook") seen.push(...message.addressbook.people.map((one: Loose) => one.name));
    }
    expect(seen).to.deep.equal(["Alice", "Bob", "Carol"]);
    expect(Line.newMessage({ end: null }).which()).to.equal("end");
    expectError("CAPNP_UNION_MEMBER", () => Message.newMessage().addressbook, "that is person");
  });
});
