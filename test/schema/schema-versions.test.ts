import { expect } from "chai";
import { compile } from "../../lib/compiler/compiler.ts";
import { SchemaLoader } from "../../lib/schema/loader.ts";
import type { Node } from "../../lib/schema/node.ts";
import { expectError } from "../support/errors.ts";
import type { Loose } from "../support/loose.ts";
import { readAs, segmentsOf } from "../support/messages.ts";

const parse = (text: string): readonly Node[] => {
  const source = `@0xd7d7d7d7d7d7d7d7;\n${text}`;
  const { schema, diagnostics } = compile(["v.capnp"], { readSource: () => source, importPath: [] });
  expect(diagnostics).to.deep.equal([]);
  return schema.nodes;
};

const idOf = (nodes: readonly Node[], name: string): bigint =>
  (nodes.find(({ displayName }) => displayName === `v.capnp:${name}`) as Node).id;

const loaderOf = (nodes: readonly Node[]): SchemaLoader => {
  const loader = new SchemaLoader();
  loader.loadAll(nodes);
  return loader;
};

describe("a node that is loaded in two versions", () => {
  const before = parse(`
    struct Person { name @0 :Text; home :group { street @1 :Text; } }
    struct Book { people @0 :List(Person); first @1 :Person; }`);
  const after = parse(`
    struct Person { name @0 :Text; home :group { street @1 :Text; number @3 :UInt32; } email @2 :Text; }
    struct Book { people @0 :List(Person); first @1 :Person; }`);
  const person = idOf(before, "Person");
  const book = idOf(before, "Book");

  it("counts in the newer one, in whatever order they come", () => {
    for (const [first, second] of [
      [before, after],
      [after, before],
    ] as const) {
      const loader = loaderOf(first);
      loader.loadAll(second);
      expect(loader.getStruct(person).fieldNames).to.deep.equal(["name", "home", "email"]);
      expect(loader.nodes()).to.have.lengthOf(after.length);
    }
  });

  it("is the same schema as before where nothing has changed, or where the version is older", () => {
    const loader = loaderOf(after);
    const schema = loader.getStruct(person);
    loader.loadAll(after);
    loader.loadAll(before);
    expect(loader.getStruct(person)).to.equal(schema);
    const [node] = before.filter(({ id }) => id === person) as [Node];
    expect(loader.load(node)).to.equal(schema);
  });

  it("leaves classes that were made before as they are, and working", () => {
    const loader = loaderOf(before);
    const [OldPerson, OldBook]: Loose[] = [person, book].map((id) => loader.getStruct(id).structClass);
    const kept = OldBook.newMessage({ people: [{ name: "Alice" }] });
    loader.loadAll(after);

    // No field of these had been used before: what they need is still found, in the versions that fit.
    const old = OldPerson.newMessage({ name: "Bob", home: { street: "Main" } });
    expect(old.toObject()).to.deep.equal({ name: "Bob", home: { street: "Main" } });
    expect(OldPerson.schema.fieldNames).to.deep.equal(["name", "home"]);
    expect(old.totalSize).to.deep.equal({ wordCount: 4, capCount: 0 });
    kept.people[0].home.street = "Broadway";
    expect(kept.people[0].toObject()).to.deep.equal({ name: "Alice", home: { street: "Broadway" } });
  });

  it("gives new classes from then on, for all that is made from it", () => {
    const loader = loaderOf(before);
    const OldBook: Loose = loader.getStruct(book).structClass;
    loader.loadAll(after);
    const [NewPerson, NewBook]: Loose[] = [person, book].map((id) => loader.getStruct(id).structClass);
    expect(NewBook).to.not.equal(OldBook);
    const full = { name: "Alice", home: { street: "Main", number: 7 }, email: "a@example.com" };
    const made = NewBook.newMessage({ people: [full], first: full });
    expect(made.people[0].toObject()).to.deep.equal(full);
    expect(loader.getStruct(person).structClass).to.equal(NewPerson);
    expect(made.first instanceof NewPerson.Builder).to.equal(true);
  });

  it("lets values of the old and the new classes be assigned to each other", () => {
    const loader = loaderOf(before);
    const [OldPerson, OldBook]: Loose[] = [person, book].map((id) => loader.getStruct(id).structClass);
    const old = OldPerson.newMessage({ name: "Alice", home: { street: "Main" } });
    const oldBook = OldBook.newMessage({ first: old, people: [old] });
    loader.loadAll(after);
    const [NewPerson, NewBook]: Loose[] = [person, book].map((id) => loader.getStruct(id).structClass);

    const made = NewBook.newMessage({ first: old, people: [old] });
    expect(made.first.toObject()).to.deep.equal({ name: "Alice", home: { street: "Main", number: 0 } });
    made.first.home.number = 7;
    made.people[0] = NewPerson.newMessage({ email: "a@example.com" });
    expect(made.people[0].email).to.equal("a@example.com");

    const full = NewPerson.newMessage({ name: "Bob", home: { street: "Main", number: 7 }, email: "b@example.com" });
    oldBook.first = full;
    oldBook.people[0] = full;
    expect(oldBook.first.toObject()).to.deep.equal({ name: "Bob", home: { street: "Main" } });
    const seen = readAs(NewBook, segmentsOf(oldBook));
    expect(seen.first.toObject().email).to.equal("b@example.com");
  });

  it("may be looked up once only, without a comparison", () => {
    const loader = loaderOf(before);
    const [node] = after.filter(({ id }) => id === person) as [Node];
    expect(loader.loadOnce(node).node).to.equal(before.find(({ id }) => id === person));
    const enums = parse("enum Person { a @0; }");
    const wrong = { ...(enums.find(({ body }) => body.which === "enum") as Node), id: person };
    expect(loader.loadOnce(wrong).which).to.equal("struct");
    expectError("CAPNP_SCHEMA", () => loader.load(wrong), "was a struct and became a enum");
  });
});

describe("a version that is incompatible", () => {
  const refused: [what: string, before: string, after: string, ...parts: string[]][] = [
    ["a field of another type", "a @0 :Int32;", "a @0 :Text;", '"a"', "from Int32 to Text"],
    ["a field of another type of element", "a @0 :List(Int32);", "a @0 :List(Text);", "List(Int32) to List(Text)"],
    ["a field of another struct type", "a @0 :One;", "a @0 :Two;", "from One to Two"],
    ["another default value", "a @0 :Int32 = 1;", "a @0 :Int32 = 2;", "default value from 1 to 2"],
    [
      "fields that have changed places",
      "a @0 :UInt8; b @1 :Bool;",
      "b @0 :UInt8; a @1 :UInt8;",
      '"b" (now "a")',
      "Bool to UInt8",
    ],
    [
      "some changes of a newer version and some of an older one",
      "a @0 :Text; b @1 :Text;",
      "a @0 :AnyPointer;",
      "from Text to AnyPointer, but",
      "pointers changed from 2 to 1",
    ],
  ];
  const load = (name: string, before: string, after: string): SchemaLoader => {
    const loader = loaderOf(parse(before));
    const nodes = parse(after);
    loader.load(nodes.find(({ id }) => id === idOf(nodes, name)) as Node);
    return loader;
  };

  for (const [what, before, after, ...parts] of refused) {
    it(`is one with ${what}`, () => {
      const struct = (fields: string): string => `struct S { ${fields} } struct One {} struct Two {}`;
      expectError("CAPNP_SCHEMA", () => load("S", struct(before), struct(after)), "v.capnp:S", ...parts);
    });
  }

  it("is one whose list of values became one of other structs, whichever of the nodes comes first", () => {
    const before = parse("struct S { l @0 :List(Int32); } struct Item { v @0 :Text; }");
    const after = parse("struct S { l @0 :List(Item); } struct Item { v @0 :Text; }");
    const byId = (nodes: readonly Node[], name: string): Node =>
      nodes.find(({ id }) => id === idOf(nodes, name)) as Node;
    const loader = loaderOf(before);
    expectError(
      "CAPNP_SCHEMA",
      () => loader.load(byId(after, "S")),
      "v.capnp:Item",
      "used by v.capnp:S",
      '"v"',
      "Int32",
    );
    const empty = new SchemaLoader();
    empty.load(byId(before, "S"));
    empty.load(byId(after, "S"));
    expectError(
      "CAPNP_SCHEMA",
      () => empty.load(byId(after, "Item")),
      "v.capnp:Item",
      "used by v.capnp:S",
      '"v"',
      "Int32",
    );
  });

  it("is one with a method of other parameters or results", () => {
    const before = "interface I { m @0 (a :Int32) -> (b :Int32); } struct P {}";
    const [params, results] = [
      "interface I { m @0 P -> (b :Int32); } struct P {}",
      "interface I { m @0 (a :Int32) -> P; } struct P {}",
    ];
    expectError("CAPNP_SCHEMA", () => load("I", before, params as string), '"m"', "parameters", "to P");
    expectError("CAPNP_SCHEMA", () => load("I", before, results as string), '"m"', "results", "to P");
  });

  it("is none where a pointer became Data or an AnyPointer", () => {
    for (const [before, after] of [
      ["Text", "Data"],
      ["List(UInt8)", "Data"],
      ["List(Text)", "AnyPointer"],
    ]) {
      const loader = load("S", `struct S { a @0 :${before}; }`, `struct S { a @0 :${after}; }`);
      expect(loader.getStruct(idOf(parse("struct S {}"), "S")).field("a").type.which).to.equal(
        after === "Data" ? "data" : "anyPointer",
      );
    }
  });

  it("leaves the one that is loaded as it was", () => {
    const before = parse("struct S { a @0 :Int32; }");
    const loader = loaderOf(before);
    const schema = loader.get(idOf(before, "S"));
    expectError("CAPNP_SCHEMA", () => loader.loadAll(parse("struct S { a @0 :Text; b @1 :Text; }")));
    expect(loader.get(idOf(before, "S"))).to.equal(schema);
  });
});

describe("a loader that is told where to find nodes", () => {
  const nodes = parse("struct A { b @0 :B; } struct B { c @0 :C; } struct C { text @0 :Text; }");

  it("asks for each that is needed, once", () => {
    const asked: bigint[] = [];
    const loader = new SchemaLoader({
      findNode: (id) => {
        asked.push(id);
        return nodes.find((node) => node.id === id);
      },
    });
    const made: Loose = loader.getStruct(idOf(nodes, "A")).structClass.newMessage();
    expect(asked).to.deep.equal([idOf(nodes, "A")]);
    made.init("b").init("c").text = "found";
    expect(made.toObject()).to.deep.equal({ b: { c: { text: "found" } } });
    expect(asked).to.deep.equal(["A", "B", "C"].map((name) => idOf(nodes, name)));
  });

  it("may be given several at a time, or none", () => {
    const loader = new SchemaLoader({ findNode: (id) => (id === 1n ? undefined : nodes) });
    expect(loader.tryGet(1n)).to.equal(undefined);
    expectError("CAPNP_SCHEMA_NOT_FOUND", () => loader.get(1n), "0x1");
    expect(loader.get(idOf(nodes, "C")).name).to.equal("C");
    expect(loader.nodes()).to.have.lengthOf(nodes.length);
  });
});
