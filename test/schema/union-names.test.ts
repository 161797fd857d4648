import { expect } from "chai";
import { parseLoosely } from "../support/loose.ts";

const { Person, Shape, Taken } = parseLoosely(`
  struct Person {
    employment :union {
      unemployed @0 :Void;
      employer @1 :Text;
      school :group { name @2 :Text; year @3 :UInt16; }
    }
    place :group { street @4 :Text; }
  }
  struct Shape {
    union { circle @0 :Float64; points @1 :List(Int32); }
  }
  struct Taken {
    union { a @0 :Void; b @1 :Void; }
    inner :union { c @2 :Void; d @3 :Void; }
    const inner2 :UInt8 = 1;
    struct Inner { x @0 :UInt8; }
    enum Union { one @0; }
  }
`);

describe("the members of a union", () => {
  it("are properties of the struct's class, under the union's name", () => {
    expect({ ...Person.Employment }).to.deep.equal({
      unemployed: "unemployed",
      employer: "employer",
      school: "school",
    });
    const person = Person.newMessage();
    expect(person.employment.which() === Person.Employment.unemployed).to.equal(true);
    person.employment.init(Person.Employment.school).name = "MIT";
    expect(person.employment.is(Person.Employment.school)).to.equal(true);
    expect(person.employment.$which === Person.Employment.school).to.equal(true);
    expect(Person.Employment.nothing).to.equal(undefined);
  });

  it("of the unnamed union are under Union", () => {
    const shape = Shape.newMessage();
    shape.init(Shape.Union.points, 2);
    expect(shape.which()).to.equal(Shape.Union.points);
    expect(Person.Union).to.equal(undefined);
    expect({ ...Person.Place }, "a group that is no union has none").to.deep.equal({});
  });

  it("give way to what the schema declares under that name", () => {
    expect(Taken.Inner.schema.path).to.equal("Taken.Inner");
    expect({ ...Taken.Union }).to.deep.equal({ one: "one" });
  });
});
