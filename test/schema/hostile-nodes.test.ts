import { expect } from "chai";
import fc from "fast-check";
import { compile } from "../../lib/compiler/compiler.ts";
import { SchemaLoader } from "../../lib/schema/loader.ts";
import type { Brand, Field, Node, StructBody, Type } from "../../lib/schema/node.ts";
import { noDiscriminant } from "../../lib/schema/node.ts";
import { decodeCompiledSchema, encodeCompiledSchema } from "../../lib/schema/node-codec.ts";
import { compileIn, schemaFolder, standardFolder } from "../compiler/golden.ts";
import { expectError } from "../support/errors.ts";
import type { Loose } from "../support/loose.ts";
import { attempt, useSchemas } from "../support/use-schemas.ts";

/** CAPSTAN_LONG=1 makes it a search of minutes. CAPSTAN_SEED is the seed. */
const isLong = process.env.CAPSTAN_LONG === "1";
const parameters = {
  seed: Number(process.env.CAPSTAN_SEED ?? 20261121),
  numRuns: isLong ? 4000 : 60,
  endOnFailure: true,
};

/** Files that have everything in them that a node can say. */
const files = [
  "annotations.capnp",
  "const-structs.capnp",
  "generics.capnp",
  "generic-methods.capnp",
  "groups.capnp",
  "inheritance.capnp",
  "layout-unions.capnp",
  "lists-of-everything.capnp",
  "scalar-defaults.capnp",
  "struct-defaults.capnp",
];
const encoded = files.map((file) => encodeCompiledSchema(compileIn(schemaFolder, file).schema));

/** What to damage: a word, a byte of it, and how: any value, one near to what it was, or another word of the message. */
const damage = fc.record({
  at: fc.nat(),
  how: fc.constantFrom("byte", "near", "copy"),
  value: fc.nat(),
});

const damaged = (bytes: Uint8Array, changes: readonly { at: number; how: string; value: number }[]): Uint8Array => {
  const copy = bytes.slice();
  // The segment table stays: a frame that is none has its own tests.
  const words = copy.length / 8 - 1;
  for (const { at, how, value } of changes) {
    const word = 8 + (at % words) * 8;
    const byte = word + (value % 8);
    if (how === "byte") copy[byte] = value >>> 3;
    else if (how === "near") copy[byte] = (copy[byte] as number) + ((value >>> 3) % 3) - 1;
    else copy.copyWithin(word, 8 + (value % words) * 8, 16 + (value % words) * 8);
  }
  return copy;
};

describe("a compiled schema from an enemy", () => {
  it("gives classes that work or a CapnpError, however it is damaged", () => {
    let [loaded, refused] = [0, 0];
    const property = fc.property(
      fc.constantFrom(...encoded),
      fc.array(damage, { minLength: 1, maxLength: 8 }),
      (bytes, changes) => {
        const loader = new SchemaLoader();
        if (attempt(() => loader.loadAll(damaged(bytes, changes)))) loaded++;
        else refused++;
        useSchemas(loader);
      },
    );
    fc.assert(property, parameters);
    expect(Math.min(loaded, refused)).to.be.greaterThan(parameters.numRuns / 10);
  }).timeout(isLong ? 600_000 : 30_000);

  it("gives classes that work or a CapnpError, whichever of its nodes are missing", () => {
    const nodes = decodeCompiledSchema(encodeCompiledSchema(compileIn(standardFolder, "capnp/rpc.capnp").schema)).nodes;
    fc.assert(
      fc.property(fc.shuffledSubarray([...nodes]), (some) => {
        const loader = new SchemaLoader();
        loader.loadAll(some);
        expect(loader.nodes()).to.have.lengthOf(some.length);
        useSchemas(loader);
      }),
      { ...parameters, numRuns: 10 },
    );
  }).timeout(30_000);
});

const parse = (text: string): readonly Node[] =>
  compile(["a.capnp"], { readSource: () => `@0xc9c9c9c9c9c9c9c9;\n${text}`, importPath: [] }).schema.nodes;

const loaderOf = (nodes: readonly Node[]): SchemaLoader => {
  const loader = new SchemaLoader();
  loader.loadAll(nodes);
  return loader;
};

const byName = (nodes: readonly Node[], name: string): Node =>
  nodes.find(({ displayName }) => displayName.endsWith(`:${name}`)) as Node;

/** The same nodes with another body under one name. */
const withBody = <B extends Node["body"]>(nodes: readonly Node[], name: string, change: (body: B) => B): Node[] =>
  nodes.map((node) => (node === byName(nodes, name) ? { ...node, body: change(node.body as B) } : node));

describe("a node made to do harm", () => {
  it("whose type arguments double at every level costs no more than it says", () => {
    const nodes = parse("struct Pair(A, B) { a @0 :A; } struct Grow(T) { next @0 :Grow(Pair(T, T)); value @1 :T; }");
    const loader = loaderOf(nodes);
    let value: Loose = loader.getStruct(byName(nodes, "Grow").id).structClass.newMessage();
    for (let depth = 0; depth < 200; depth++) value = value.init("next");
    expect(value.$schema.path).to.equal("Grow");
  });

  it("that extends itself, or another that extends it, has an end", () => {
    const nodes = parse("interface A { a @0 (); } interface B extends(A) { b @0 (); }");
    const superclasses = [{ id: byName(nodes, "B").id, brand: { scopes: [] } }];
    const loader = loaderOf(withBody(nodes, "A", (body) => ({ ...body, superclasses }) as typeof body));
    const b = loader.getInterface(byName(nodes, "B").id);
    expect(b.ancestry.map(({ name }) => name)).to.deep.equal(["B", "A"]);
    expect([...b.allMethods.keys()]).to.deep.equal(["b", "a"]);
    expect(b.interfaceClass.Client.name).to.equal("B.Client");
  });

  it("whose scopes lie in a circle has an end", () => {
    const nodes = parse("struct Box(T) { value @0 :T; } struct Holder { box @0 :Box(Text); }");
    const loader = loaderOf(nodes.map((node) => ({ ...node, scopeId: byName(nodes, "Box").id })));
    const holder: Loose = loader.getStruct(byName(nodes, "Holder").id).structClass.newMessage();
    holder.init("box").value = "in the box";
    expect(holder.toObject()).to.deep.equal({ box: { value: "in the box" } });
  });

  it("cannot have a group in two places, which makes an object of exponential size", () => {
    const nodes = parse("struct S { g :group { a @0 :Text; } h :group { b @1 :Text; } }");
    const { id } = byName(nodes, "S.g");
    const shared = (body: StructBody): StructBody => ({
      ...body,
      fields: body.fields.map((field): Field => ({ ...field, body: { which: "group", typeId: id } })),
    });
    expectError("CAPNP_SCHEMA", () => loaderOf(withBody(nodes, "S", shared)), ":S ", '"h"', "used twice");
  });

  it("is compared with another version in bounded time, though its groups lie in a circle", () => {
    const nodes = parse("struct S { g :group { h :group { a @0 :Text; } } }");
    const g = byName(nodes, "S.g");
    const groups = (typeId: bigint) => (body: StructBody) => ({
      ...body,
      fields: body.fields.slice(0, 1).map((field): Field => ({ ...field, body: { which: "group", typeId } })),
    });
    const loader = loaderOf(withBody(nodes, "S.g.h", groups(g.id)));
    const [slot] = parse("struct S { g @0 :Text; }").filter(({ body }) => body.which === "struct");
    expectError("CAPNP_SCHEMA", () => loader.load(slot as Node), "more than 64");
    const made: Loose = loader.getStruct(byName(nodes, "S").id).structClass.newMessage();
    expectError("CAPNP_SCHEMA", () => made.toObject({ defaults: true }), "not a group of this struct");
  });

  it("may nest groups, but not so deep that a walk over them exhausts the stack", () => {
    const depth = 300;
    const outer = parse("struct S { g :group { a @0 :Text; } }");
    const root = byName(outer, "S");
    const chain = Array.from({ length: depth }, (_, i): Node => {
      const group = byName(outer, "S.g");
      const body = group.body as StructBody;
      const [field] = (root.body as StructBody).fields as [Field];
      const inner: Field = { ...field, body: { which: "group", typeId: BigInt(i + 1) } };
      return {
        ...group,
        id: BigInt(i),
        scopeId: BigInt(i - 1),
        body: i === depth - 1 ? body : { ...body, fields: [inner] },
      };
    }).slice(2);
    const field = (root.body as StructBody).fields[0] as Field;
    const top: Node = {
      ...root,
      id: 1n,
      body: { ...(root.body as StructBody), fields: [{ ...field, body: { which: "group", typeId: 2n } }] },
    };
    const loader = loaderOf([top, ...chain]);
    const made: Loose = loader.getStruct(1n).structClass.newMessage();
    expectError("CAPNP_SCHEMA", () => made.toObject({ defaults: true }), "more than 200");
  });

  it("cannot have a default value that is read many times over", () => {
    const nodes = parse("struct S { p @0 :AnyPointer; n @1 :List(Void); }");
    // A struct of two pointers at each of 30 levels, both to the same struct of the next level: 2^30 to visit.
    const levels = 30;
    const words = new BigUint64Array(1 + levels * 2);
    words[0] = 2n << 48n;
    for (let level = 0; level < levels - 1; level++) {
      words[1 + level * 2] = (1n << 2n) | (2n << 48n);
      words[2 + level * 2] = 2n << 48n;
    }
    const many = new BigUint64Array([(0x1fffffffn << 35n) | 1n]);
    for (const [name, value] of [
      ["p", words],
      ["n", many],
    ] as const) {
      const change = (body: StructBody): StructBody => ({
        ...body,
        fields: body.fields.map((field): Field => {
          if (field.name !== name || field.body.which !== "slot") return field;
          const which = field.body.type.which as "list" | "anyPointer";
          return { ...field, body: { ...field.body, defaultValue: { which, value: new Uint8Array(value.buffer) } } };
        }),
      });
      expectError("CAPNP_SCHEMA", () => loaderOf(withBody(nodes, "S", change)), ":S ", `"${name}"`, "limit");
    }
  });

  it("may be nested as deep as a message allows", () => {
    const nodes = parse("struct S { p @0 :List(Text); }");
    let elementType: Type = { which: "text" };
    for (let depth = 0; depth < 1000; depth++) elementType = { which: "list", elementType };
    const change = (body: StructBody): StructBody => ({
      ...body,
      fields: body.fields.map((field): Field => {
        if (field.body.which !== "slot") return field;
        return { ...field, body: { ...field.body, type: { which: "list", elementType } } };
      }),
    });
    const loader = new SchemaLoader();
    loader.loadAll(encodeCompiledSchema({ nodes: withBody(nodes, "S", change), sourceInfo: [], requestedFiles: [] }));
    const made: Loose = loader.getStruct(byName(nodes, "S").id).structClass.newMessage({ p: [[[[]]]] });
    expect(made.p[0][0][0].length).to.equal(0);
  });

  const slotAt = (offset: number, type: Type): Field => ({
    name: "far",
    codeOrder: 1,
    annotations: [],
    discriminantValue: noDiscriminant,
    body: {
      which: "slot",
      offset,
      type,
      defaultValue: type.which === "text" ? { which: "text", value: "" } : { which: "uint64", value: 0n },
      hadExplicitDefault: false,
    },
  });

  it("cannot have a field whose offset overflows any number of bits", () => {
    const nodes = parse("struct S { a @0 :UInt64; }");
    for (const offset of [
      1,
      0x3ffffff,
      0x1fffffff,
      0x20000000,
      0x7fffffff,
      0xffffffff,
      2 ** 53 - 1,
      Number.NaN,
      -1,
      0.5,
    ]) {
      for (const type of [{ which: "uint64" }, { which: "text" }] as const) {
        const change = (body: StructBody): StructBody => ({ ...body, fields: [...body.fields, slotAt(offset, type)] });
        expectError("CAPNP_SCHEMA", () => loaderOf(withBody(nodes, "S", change)), ":S ", '"far"', String(offset));
      }
    }
  });

  it("says which member is wrong, and how", () => {
    const nodes = parse(
      "struct Box(T) { v @0 :T; } enum E { a @0; } struct S { a @0 :Text; b @1 :Box(Text); c @2 :E; }",
    );
    const withField = (name: string, change: (field: Field) => Field) => (body: StructBody) => ({
      ...body,
      fields: body.fields.map((field) => (field.name === name ? change(field) : field)),
    });
    const bound: Brand = {
      scopes: [{ scopeId: 1n, which: "bind", bindings: [{ which: "type", type: { which: "int32" } }] }],
    };
    const withType = (name: string, type: (old: Type) => Type) =>
      withField(name, (field) => {
        if (field.body.which !== "slot") return field;
        return { ...field, body: { ...field.body, type: type(field.body.type) } };
      });
    const wrong: [(body: StructBody) => StructBody, ...string[]][] = [
      [withField("b", (field) => ({ ...field, codeOrder: 0 })), "code order 0", '"b"'],
      [withField("b", (field) => ({ ...field, codeOrder: 3 })), "code order 3", "below 3"],
      [withField("b", (field) => ({ ...field, ordinal: 0 })), "@0", '"b"'],
      [withType("b", (type) => ({ ...type, brand: bound }) as Type), "int32", '"b"'],
      [withType("c", (type) => ({ ...type, typeId: byName(nodes, "Box").id }) as Type), "c is not a enum", "Box"],
    ];
    for (const [change, ...parts] of wrong) {
      expectError("CAPNP_SCHEMA", () => loaderOf(withBody(nodes, "S", change)), ":S ", ...parts);
    }
    const generic = nodes.map((node) => ({ ...node, isGeneric: false }));
    expectError("CAPNP_SCHEMA", () => loaderOf(generic), ":Box ", "type parameters");
  });

  it("changes nothing where it is refused", () => {
    const nodes = parse("struct A { u @0 :Unknown; e @1 :Box; } struct Unknown {} struct Box {} enum E { a @0; }");
    const others = nodes.filter((node) => node !== byName(nodes, "A") && node !== byName(nodes, "Unknown"));
    const loader = loaderOf(
      others.map((node) => (node === byName(nodes, "Box") ? { ...byName(nodes, "E"), id: node.id } : node)),
    );
    expectError("CAPNP_SCHEMA", () => loader.load(byName(nodes, "A")), "type of its field e is not a struct");
    // Had the struct been remembered as something that is expected, this would be refused.
    const asEnum = { ...byName(nodes, "E"), id: byName(nodes, "Unknown").id };
    expect(loader.load(asEnum).which).to.equal("enum");
    expect(loader.has(byName(nodes, "A").id)).to.equal(false);
  });
});
