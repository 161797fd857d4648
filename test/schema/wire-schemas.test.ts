import { expect } from "chai";
import { compile } from "../../lib/compiler/compiler.ts";
import { SchemaLoader } from "../../lib/schema/loader.ts";
import type { CompiledSchema, Node } from "../../lib/schema/node.ts";
import { encodeCompiledSchema, encodeNode } from "../../lib/schema/node-codec.ts";
import { type CapnpTool, capnpTool } from "../support/capnp-tool.ts";
import { expectError } from "../support/errors.ts";
import { type Loose, loadLoosely } from "../support/loose.ts";
import { readAs, segmentsOf } from "../support/messages.ts";

const { schema }: { readonly schema: CompiledSchema } = compile(["wire.capnp"], {
  readSource: () => `@0xd5d5d5d5d5d5d5d5;
struct Baz { text @0 :Text; qux @1 :Qux; } # A struct.
struct Qux { id @0 :UInt64; }
`,
  importPath: [],
});
const node = (name: string): Node => schema.nodes.find((one) => one.displayName.endsWith(`:${name}`)) as Node;
const { id } = node("Baz");

/** As another program would have it: schema.capnp, loaded by itself. */
const { CodeGeneratorRequest, Node: NodeType, Type } = loadLoosely("lib/std/capnp/schema.capnp");

const expectBaz = (loader: SchemaLoader): void => {
  const baz = loader.getStruct(id);
  expect(baz.fieldNames).to.deep.equal(["text", "qux"]);
  const made: Loose = baz.structClass.newMessage({ text: "t", qux: { id: 5n } });
  expect(readAs(baz.structClass, segmentsOf(made)).toObject()).to.deep.equal({ text: "t", qux: { id: 5n } });
};

describe("a schema that arrives in a message", () => {
  const request = readAs(CodeGeneratorRequest, [encodeCompiledSchema(schema).subarray(8)]);

  it("is loaded node by node, from readers", () => {
    const loader = new SchemaLoader();
    for (const reader of request.nodes) expect(loader.load(reader).id).to.equal(reader.id);
    expectBaz(loader);
  });

  it("is loaded from builders", () => {
    const loader = new SchemaLoader();
    for (const reader of request.nodes) loader.load(reader.copy());
    expectBaz(loader);
    const built = NodeType.newMessage({ id: 0x1234n, displayName: "built:Color", displayNamePrefixLength: 6 });
    built.init("enum").enumerants = [{ name: "red" }, { name: "green", codeOrder: 1 }];
    expect(loader.load(built)).to.deep.include({ which: "enum", names: ["red", "green"] });
  });

  it("is loaded from bytes", () => {
    const loader = new SchemaLoader();
    for (const one of schema.nodes) expect(loader.load(encodeNode(one)).name).to.equal(loader.get(one.id).name);
    expectBaz(loader);
  });

  it("is loaded as a whole, with its comments, from a reader, bytes or a plain object", () => {
    for (const source of [request, encodeCompiledSchema(schema), schema]) {
      const loader = new SchemaLoader();
      loader.loadAll(source);
      expectBaz(loader);
      expect(loader.get(id).docComment).to.equal("A struct.\n");
    }
    const loader = new SchemaLoader();
    loader.loadAll([node("Qux"), encodeNode(node("Baz"))]);
    expectBaz(loader);
  });

  it("may come from another loader's reflection", () => {
    const first = new SchemaLoader();
    first.loadAll(schema);
    const second = new SchemaLoader();
    for (const one of first.nodes()) second.load(first.get(one.id).nodeReader());
    expectBaz(second);
    expect(second.get(id)).to.not.equal(first.get(id));
    expect(second.get(id).equals(first.get(id))).to.equal(true);
  });

  it("is checked as any other", () => {
    const built = NodeType.newMessage({ id: 0x1234n, displayName: "built:Wrong", displayNamePrefixLength: 6 });
    built.init("struct").fields = [
      { name: "far", slot: { offset: 3, type: { bool: null }, defaultValue: { bool: true } } },
    ];
    expectError("CAPNP_SCHEMA", () => new SchemaLoader().load(built), "built:Wrong", '"far"', "offset 3");
    expectError("CAPNP_TYPE", () => new SchemaLoader().load(Type.newMessage()), "Type is not a Node");
    expectError("CAPNP_TYPE", () => new SchemaLoader().loadAll(built), "Node is not a CodeGeneratorRequest");
    expectError("CAPNP_FRAME", () => new SchemaLoader().load(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n      ")));
  });

  describe("from the C++ compiler", () => {
    let capnp: CapnpTool;

    before(async function () {
      capnp = await capnpTool.call(this);
    });

    it("is loaded as our own compiler's is", () => {
      const loader = new SchemaLoader();
      loader.loadAll(new Uint8Array(capnp(["compile", "-o-", "servers/addressbook/addressbook.capnp"], "")));
      const ours = loadLoosely("servers/addressbook/addressbook.capnp");
      const theirs = loader.getStruct(ours.AddressBook.schema.id);
      const book = ours.AddressBook.newMessage({
        people: [{ name: "Alice", phones: [{ number: "5", type: "work" }] }],
      });
      const reader = readAs(theirs.structClass, segmentsOf(book));
      expect(reader.toObject()).to.deep.equal(book.toObject());
      expect(theirs.field("people").type).to.have.property("which", "list");
    });
  });
});
