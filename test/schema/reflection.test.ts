import { expect } from "chai";
import { SchemaParser } from "../../lib/load.ts";
import type { FieldSchema, InterfaceSchema, SchemaType, StructSchema } from "../../lib/schema/schema.ts";
import { listOf } from "../../lib/schema/type-argument.ts";
import { encodeNode } from "../../lib/schema/node-codec.ts";
import { type CapnpTool, capnpTool } from "../support/capnp-tool.ts";
import { expectError } from "../support/errors.ts";
import type { Loose } from "../support/loose.ts";

const fileId = 0xd3d3d3d3d3d3d3d3n;
const parser = new SchemaParser();
const file: Loose = parser.parse(`@0x${fileId.toString(16)};
# Everything that has a reflection.
$onFile("TestFile");

annotation onFile @0xd3d3d3d3d3d3d301 (file) :Text;
annotation onStruct @0xd3d3d3d3d3d3d302 (struct) :Marks;
annotation onAny @0xd3d3d3d3d3d3d303 (*) :Void;
annotation numbers @0xd3d3d3d3d3d3d304 (struct, field, enumerant, method) :List(UInt16);
annotation marks @0xd3d3d3d3d3d3d305 (struct) :List(Marks);
annotation color @0xd3d3d3d3d3d3d306 (struct) :Color;
annotation boxed @0xd3d3d3d3d3d3d307 (struct) :Box(Text);

struct Marks { test @0 :UInt32; }
struct Box(T) { value @0 :T; }
enum Color { red @0; green @1 $numbers([1, 2]); # The best one.
  blue @2; }

struct Person $onStruct(test = 100) $onAny $marks([(test = 100), (test = 101)]) $color(green) $boxed((value = "text")) {
  # A human being.
  # Of some age.
  id @0 :UInt32;
  name @1 :Text = "nobody" $numbers([200, 201]); # As others say it.
  phones @2 :List(Phone);
  struct Phone { number @0 :Text; }
  employment :union { # What a person does.
    unemployed @3 :Void;
    school @4 :Text;
  }
  union { left @5 :Void; right @6 :List(List(Color)); }
}

interface Base { first @0 (); }
interface Second { second @0 (); }
interface Calls extends(Base, Second) {
  # What can be asked.
  call @0 (person :Person) -> (found :Bool) $numbers([7]); # Asks.
  third @1 [T] (value :T) -> stream;
}
interface Lookup(K) extends(Store(K)) {}
interface Store(V) { get @0 () -> (value :V); }
`);

const person: StructSchema = file.Person.schema;
const calls: InterfaceSchema = file.Calls.schema;
const names = (fields: readonly FieldSchema[]): string[] => fields.map(({ name }) => name);

describe("the schema of a struct", () => {
  it("has fields, of the union and not, by name and in order", () => {
    expect(person.fieldNames).to.deep.equal(["id", "name", "phones", "employment", "left", "right"]);
    expect(names(person.fields)).to.deep.equal(person.fieldNames);
    expect(names(person.unionFields)).to.deep.equal(["left", "right"]);
    expect(names(person.nonUnionFields)).to.deep.equal(["id", "name", "phones", "employment"]);
    expect(person.fieldsByName.get("name")).to.equal(person.field("name"));
    expectError("CAPNP_NO_SUCH_FIELD", () => person.field("nmae"), '"name"');
  });

  it("tells the type, place and default value of a field", () => {
    const [name, phones, employment] = ["name", "phones", "employment"].map((one) => person.field(one)) as [
      FieldSchema,
      FieldSchema,
      FieldSchema,
    ];
    expect([name.type.which, name.offset, name.defaultValue]).to.deep.equal([
      "text",
      0,
      { which: "text", value: "nobody" },
    ]);
    expect([name.hadExplicitDefault, phones.hadExplicitDefault]).to.deep.equal([true, false]);
    const phone = (phones.type as { readonly elementType: SchemaType }).elementType;
    expect(phone.which === "struct" && phone.schema).to.equal(file.Person.Phone.schema);
    expect([employment.isGroup, employment.offset, employment.type.which]).to.deep.equal([true, undefined, "struct"]);
    const group = employment.type as { readonly schema: StructSchema };
    expect([group.schema.isGroup, names(group.schema.unionFields)]).to.deep.equal([true, ["unemployed", "school"]]);
    expect([person.field("left").discriminantValue, person.field("right").discriminantValue]).to.deep.equal([0, 1]);
  });

  it("is the same for all that has the type, and another for another type", () => {
    expect(file.Person.newMessage().schema ?? person).to.equal(person);
    expect(parser.loader.get(person.id)).to.equal(person);
    expect(person.equals(file.Marks.schema)).to.equal(false);
    expect(file.Box.of(file.Person).schema).to.equal(file.Box.of(file.Person).schema);
    expect(file.Box.of(file.Person).schema.equals(file.Box.schema)).to.equal(false);
  });

  it("equals that of another loader where both are of the same version", () => {
    const text = "struct A { a @0 :Text; } struct Box(T) { v @0 :T; }";
    const load = (source: string): Loose => new SchemaParser().parse(`@0xd3d3d3d3d3d3d3d3;\n${source}`);
    const [one, same, newer] = [load(text), load(text), load(text.replace("Text;", "Text; b @1 :Text;"))];
    expect(one.A.schema).to.not.equal(same.A.schema);
    expect(one.A.schema.equals(same.A.schema)).to.equal(true);
    expect(one.A.schema.equals(newer.A.schema)).to.equal(false);
    expect(one.Box.of(one.A).schema.equals(same.Box.of(same.A).schema)).to.equal(true);
    expect(one.Box.of(one.A).schema.equals(newer.Box.of(newer.A).schema)).to.equal(false);
    expect(one.Box.of("Text").schema.equals(same.Box.of("Data").schema)).to.equal(false);
  });
});

describe("the schema of an interface", () => {
  it("has methods, its own and inherited ones", () => {
    expect(calls.methodNames).to.deep.equal(["call", "third"]);
    expect([...calls.allMethods.keys()]).to.deep.equal(["call", "third", "first", "second"]);
    expect(calls.methods.map(({ ordinal, isStreaming }) => [ordinal, isStreaming])).to.deep.equal([
      [0, false],
      [1, true],
    ]);
    expect(calls.methods[0]?.params.fieldNames).to.deep.equal(["person"]);
    expect(calls.methods[0]?.results.fieldNames).to.deep.equal(["found"]);
    expect(calls.allMethods.get("second")?.interface.name).to.equal("Second");
  });

  it("has superclasses, with their type parameters bound", () => {
    expect(calls.superclasses.map(({ name }) => name)).to.deep.equal(["Base", "Second"]);
    expect([calls.extends(file.Base.schema), file.Base.schema.extends(calls)]).to.deep.equal([true, false]);
    expect(calls.findSuperclass(file.Second.schema.id)).to.equal(file.Second.schema);
    expect(calls.findSuperclass(1n)).to.equal(undefined);
    const lookup: InterfaceSchema = (file.Lookup.schema as InterfaceSchema).of([{ which: "struct", schema: person }]);
    const value = lookup.allMethods.get("get")?.results.field("value").type;
    expect(value?.which === "struct" && value.schema).to.equal(person);
  });
});

describe("a list type", () => {
  it("knows what its elements are", () => {
    const people = person.field("right").type as Loose;
    expect([people.which, people.elementType.which, people.elementType.elementType.which]).to.deep.equal([
      "list",
      "list",
      "enum",
    ]);
    expect(listOf("Int8").elementType).to.deep.equal({ which: "int8" });
    expect((listOf(file.Person).elementType as Loose).schema).to.equal(person);
    expect((listOf(listOf(file.Color)).elementType as Loose).elementType.schema.names).to.deep.equal([
      "red",
      "green",
      "blue",
    ]);
  });
});

describe("an annotation", () => {
  it("is read by its id, as a JavaScript value of its type", () => {
    expect(parser.loader.get(fileId).annotation(file.onFile)).to.equal("TestFile");
    expect((person.annotation(file.onStruct) as Loose).test).to.equal(100);
    expect(person.annotation(file.onAny)).to.equal(null);
    expect(person.annotation(file.color)).to.equal("green");
    expect((person.annotation(file.boxed) as Loose).value).to.equal("text");
    const marks = person.annotation(file.marks) as Loose;
    expect([marks.length, marks.at(0).test, marks.at(1).test]).to.deep.equal([2, 100, 101]);
    expect(person.annotation(file.onFile)).to.equal(undefined);
  });

  it("is read from members, too", () => {
    expect([...(person.field("name").annotation(file.numbers) as Iterable<number>)]).to.deep.equal([200, 201]);
    expect([...(calls.allMethods.get("call")!.annotation(file.numbers) as Iterable<number>)]).to.deep.equal([7]);
    const { schema: color } = listOf(file.Color).elementType as Loose;
    expect([...color.enumerantAnnotation("green", file.numbers)]).to.deep.equal([1, 2]);
    expect([color.enumerantAnnotation("red", file.numbers), color.enumerantAnnotation("no", 1n)]).to.deep.equal([
      undefined,
      undefined,
    ]);
  });

  it("is there as a plain object, for those who only pass it on", () => {
    expect(person.annotations.map(({ id }) => id)).to.include(file.onAny);
    expect(person.field("name").annotations).to.have.lengthOf(1);
    expect(person.node.annotations).to.equal(person.annotations);
  });
});

describe("a comment in a schema", () => {
  it("is known of declarations and of their members", () => {
    expect(parser.loader.get(fileId).docComment).to.equal("Everything that has a reflection.\n");
    expect(person.docComment).to.equal("A human being.\nOf some age.\n");
    expect(person.field("name").docComment).to.equal("As others say it.\n");
    expect([person.field("id").docComment, file.Marks.schema.docComment]).to.deep.equal(["", ""]);
    expect(person.field("employment").docComment).to.equal("What a person does.\n");
    expect([calls.docComment, calls.methods[0]?.docComment]).to.deep.equal(["What can be asked.\n", "Asks.\n"]);
    const { schema: color } = listOf(file.Color).elementType as Loose;
    expect([color.enumerantComment("green"), color.enumerantComment("red")]).to.deep.equal(["The best one.\n", ""]);
  });
});

describe("a node", () => {
  it("is a plain object", () => {
    expect(person.node.displayName).to.equal("schema.capnp:Person");
    expect(person.node.body.which === "struct" && person.node.body.fields[0]?.name).to.equal("id");
  });

  it("is a reader of schema.capnp's Node, too", () => {
    const node = person.nodeReader() as Loose;
    expect([node.id, node.displayName, node.which()]).to.deep.equal([person.id, "schema.capnp:Person", "struct"]);
    expect(node.struct.fields.map((field: Loose) => field.name)).to.deep.equal(person.fieldNames);
    const [struct, none, list] = node.annotations;
    expect(struct.value.struct.as(file.Marks).test).to.equal(100);
    expect(none.value.which()).to.equal("void");
    expect(list.value.list.as(listOf(file.Marks)).map((one: Loose) => one.test)).to.deep.equal([100, 101]);
    const numbers = node.struct.fields[1].annotations[0].value.list.as(listOf("UInt16"));
    expect([...numbers]).to.deep.equal([200, 201]);
    expect((parser.loader.get(fileId).nodeReader() as Loose).annotations[0].value.text).to.equal("TestFile");
  });

  describe("as C++ prints it", () => {
    let capnp: CapnpTool;

    before(async function () {
      capnp = await capnpTool.call(this);
    });

    it("has the same text as its reader", () => {
      for (const schema of [person, calls, file.Box.schema, parser.loader.get(fileId)]) {
        const args = ["decode", "--short", "lib/std/capnp/schema.capnp", "Node"];
        expect(String(schema.nodeReader())).to.equal(String(capnp(args, encodeNode(schema.node))).trimEnd());
      }
    });
  });
});
