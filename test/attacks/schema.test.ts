import { expect } from "chai";
import { compile } from "../../lib/compiler/compiler.ts";
import { fromJSON } from "../../lib/schema/from-json.ts";
import { fromText } from "../../lib/schema/from-text.ts";
import { SchemaLoader } from "../../lib/schema/loader.ts";
import { toBytes } from "../../lib/schema/message-io.ts";
import type { ConstBody, InterfaceBody, Node, StructBody } from "../../lib/schema/node.ts";
import { toObject } from "../../lib/schema/plain-object.ts";
import { toText } from "../../lib/schema/text.ts";
import { toJSON } from "../../lib/schema/to-json.ts";
import { withinBudget } from "../support/budget.ts";
import { expectError } from "../support/errors.ts";
import { type Loose, parseLoosely } from "../support/loose.ts";
import { words } from "../support/messages.ts";
import { expectRefusal } from "./hostile-messages.ts";

/** Names that a schema may use and that mean something to JavaScript. */
const names = [
  "constructor",
  "prototype",
  "toString",
  "valueOf",
  "hasOwnProperty",
  "isPrototypeOf",
  "toJSON",
  "toLocaleString",
  "then",
  "catch",
  "finally",
  "inspect",
  "arguments",
  "caller",
  "callee",
  "await",
  "async",
  "yield",
  "default",
  "delete",
  "class",
  "function",
  "eval",
  "length",
  "name",
  "apply",
  "call",
  "bind",
  "static",
  "enum",
  "null",
  "undefined",
  "symbol",
  "asyncIterator",
  "dispose",
  "close",
];

const parse = (text: string): readonly Node[] => {
  const { schema, diagnostics } = compile(["a.capnp"], {
    readSource: () => `@0xc9c9c9c9c9c9c9c9;\n${text}`,
    importPath: [],
  });
  expect(diagnostics).to.deep.equal([]);
  return schema.nodes;
};

// protobufjs CVE-2026-44292, -44294, GHSA-f38q-mgvj-vph7; capnweb 0.10.0. For __proto__, which no source may spell, see
// test/schema/frozen-prototypes.test.ts.
describe("a schema whose names mean something to JavaScript", () => {
  const list = (line: (name: string, i: number) => string): string => names.map(line).join(" ");
  const capital = (name: string): string => `${(name[0] as string).toUpperCase()}${name.slice(1)}`;
  const file: Loose = parseLoosely(`
    struct Fields { ${list((name, i) => `${name} @${i} :Text;`)} }
    struct Choice { union { ${list((name, i) => `${name} @${i} :UInt8;`)} } }
    enum Names { ${list((name, i) => `${name} @${i};`)} }
    struct OfEnum { one @0 :Names; all @1 :List(Names); }
    interface Calls { ${list((name, i) => `${name} @${i} (${name} :Text) -> (${name} :Text);`)} }
    ${list((name, i) => `struct ${capital(name)} { a${i} @0 :Text; }`)}
    ${list((name, i) => `const c${i} :Text = "${name}";`)}
  `);
  const all = Object.fromEntries(names.map((name) => [name, `value of ${name}`]));

  it("reads what it wrote, as fields, plain objects, JSON and text", () => {
    const reader = file.Fields.fromBytes(toBytes(file.Fields.newMessage(all)));
    for (const name of names) expect(reader[name]).to.equal(all[name]);
    expect(toObject(reader)).to.deep.equal(all);
    expect(toObject(fromJSON(file.Fields, JSON.stringify(toJSON(reader))))).to.deep.equal(all);
    expect(toObject(fromText(file.Fields, toText(reader)))).to.deep.equal(all);
  });

  it("takes any of them for a member of a union, an enumerant and a class", () => {
    for (const [i, name] of names.entries()) {
      const choice = file.Choice.newMessage({ [name]: 7 });
      expect(choice[name]).to.equal(7);
      expect(file.Choice.schema.unionFields[i].name).to.equal(name);
      const enums = file.OfEnum.newMessage({ one: name, all: [name, names[0]] });
      expect([enums.one, ...enums.all]).to.deep.equal([name, name, names[0]]);
      expect(file[capital(name)].newMessage({ [`a${i}`]: "x" })[`a${i}`]).to.equal("x");
      expect(file[`c${i}`]).to.equal(name);
    }
  });

  it("makes nothing a promise by accident", async () => {
    const { Fields, Calls } = file;
    for (const value of [Fields, Fields.newMessage({}), Calls, Calls.Client, file.Names, file.Then]) {
      expect(await Promise.resolve(value).then((same) => same === value)).to.equal(true);
    }
    expect(typeof Calls.Client.prototype.then).to.equal("undefined");
  });
});

// capnproto #2608 and the rollup: limits of the parser, offsets, discriminants
describe("a schema from an enemy", () => {
  it("is parsed in time that grows with its length, whatever it repeats", () => {
    const pieces = [
      " ",
      "#",
      "# a\n",
      "a",
      "a.",
      "1",
      "1e9",
      '"',
      '"a',
      "0x",
      "\\",
      "(",
      ")",
      "[",
      "{",
      "}",
      ";",
      ",",
      ":",
      "@",
      "@0",
      "$a",
      "=",
      "-",
      "struct A {",
      "using A=",
      "import",
      "é",
      "\0",
      '0x"00',
      "const a :Int8 = 1;\n",
      "struct S {} ",
    ];
    for (const piece of pieces) {
      const text = `@0xc9c9c9c9c9c9c9c9;\n${piece.repeat(Math.ceil(20_000 / piece.length))}`;
      withinBudget(() => compile(["a.capnp"], { readSource: () => text, importPath: [] }), {
        cpuMs: 1000,
        heapBytes: 256 << 20,
        bufferBytes: 32 << 20,
      });
    }
  });

  // capnweb #184: time that grows with the square of a number's length; and calls that take each of its digits as an argument
  it("may have numbers, texts and names of hundreds of thousands of characters, at no more than their length's cost", () => {
    const many = (piece: string): string => piece.repeat(300_000 / piece.length);
    const literals: Readonly<Record<string, string>> = {
      "an integer, which wraps as in C++": `const a :UInt64 = ${many("1")};`,
      "an integer that is out of range": `const a :Int8 = 0x${many("1")};`,
      "an octal integer": `const a :UInt64 = 0${many("7")};`,
      "a float": `const a :Float64 = 1.${many("1")}e5;`,
      "an exponent": `const a :Float64 = 1e${many("1")};`,
      "an ordinal": `struct A { a @${many("1")} :Int8; }`,
      "a text": `const a :Text = "${many("a")}";`,
      "a text of escapes": `const a :Text = "${many("\\x41")}";`,
      data: `const a :Data = 0x"${many("41")}";`,
      "a name": `const ${many("a")} :Int8 = 1;`,
      "a type": `const a :${many("A")} = 1;`,
      "a comment": `const a :Int8 = 1; # ${many("a")}`,
      "a list": `const a :List(Int8) = [${many("1,")}];`,
      "a path": `const a :Int8 = ${many(".a")};`,
    };
    for (const [what, text] of Object.entries(literals)) {
      withinBudget(
        () => {
          const readSource = () => `@0xc9c9c9c9c9c9c9c9;\n${text}`;
          const { diagnostics } = compile(["a.capnp"], { readSource, importPath: [] });
          for (const { message } of diagnostics) expect(message.length, what).to.be.below(310_000);
        },
        { cpuMs: 1000, heapBytes: 256 << 20, bufferBytes: 64 << 20 },
      );
    }
  });

  const changed = (nodes: readonly Node[], name: string, value: Uint8Array): Node[] =>
    nodes.map((node) => {
      if (!node.displayName.endsWith(`:${name}`)) return node;
      const body = node.body as ConstBody;
      return { ...node, body: { ...body, value: { ...body.value, value } } } as Node;
    });

  // capnp (Rust) constant::Reader, StructSchema before 0.24.0: words of a schema that nobody had checked
  it("has its constants read through the same checks as any message", () => {
    const nodes = parse(
      'struct S { a @0 :Text; s @1 :S; l @2 :List(S); } const c :S = (a = "x"); const l :List(Text) = ["a"];',
    );
    const pointer = (low: number, high: number) => [low, high] as const;
    const evil: Readonly<Record<string, Uint8Array>> = {
      "a struct behind the end": words(pointer(100 << 2, 1)),
      "a struct before the beginning": words(pointer(-100 << 2, 1)),
      "a struct of 2^17 words": words(pointer(0, 0xffffffff)),
      "a far pointer to another segment": words(pointer(2, 1)),
      "a text without NUL": words(
        pointer(0, 3 << 16),
        pointer((2 << 2) | 1, 2 | (8 << 3)),
        pointer(0, 0),
        pointer(0, 0),
        pointer(0x41414141, 0x41414141),
      ),
      "a list of 2^29 structs of nothing": words(
        pointer(0, 3 << 16),
        pointer(0, 0),
        pointer(0, 0),
        pointer(1, 7),
        pointer(0x1fffffff << 2, 0),
      ),
      "a struct in a circle": words(pointer(0, 3 << 16), pointer(0, 0), pointer(-2 << 2, 3 << 16), pointer(0, 0)),
      "a capability": words(pointer(0, 3 << 16), pointer(3, 0), pointer(0, 0), pointer(0, 0)),
      "half a word": new Uint8Array(4),
    };
    for (const value of Object.values(evil)) {
      withinBudget(
        () => {
          expectRefusal(
            () => {
              const loader = new SchemaLoader();
              loader.loadAll(changed(nodes, "c", value));
              const file = loader.declare(loader.get(0xc9c9c9c9c9c9c9c9n)) as Loose;
              const walked = file.c;
              toText(walked);
            },
            "CAPNP_SCHEMA",
            "CAPNP_OUT_OF_BOUNDS",
            "CAPNP_POINTER_KIND",
            "CAPNP_TEXT",
            "CAPNP_NESTING_LIMIT",
            "CAPNP_TRAVERSAL_LIMIT",
          );
        },
        { heapBytes: 8 << 20 },
      );
    }
  });

  it("may extend one interface hundreds of thousands of times: it is one", () => {
    const nodes = parse("interface A { a @0 (); } interface B extends(A) { b @0 (); }");
    const many = nodes.map((node) => {
      if (node.body.which !== "interface" || node.body.superclasses.length === 0) return node;
      const [superclass] = node.body.superclasses as [InterfaceBody["superclasses"][number]];
      return { ...node, body: { ...node.body, superclasses: Array(200_000).fill(superclass) } } as Node;
    });
    const loader = new SchemaLoader();
    loader.loadAll(many);
    const { id } = many.find(({ displayName }) => displayName.endsWith(":B")) as Node;
    expect(loader.getInterface(id).ancestry.map(({ name }) => name)).to.deep.equal(["B", "A"]);
    expect(loader.getInterface(id).interfaceClass.Client.name).to.equal("B.Client");
  });

  it("cannot have two members of a union with one tag, a tag out of range, or members without a union", () => {
    const nodes = parse("struct S { union { a @0 :Text; b @1 :UInt8; } c @2 :UInt8; }");
    const withTags = (tags: readonly number[], change: Partial<StructBody> = {}) =>
      nodes.map((node) => {
        if (node.body.which !== "struct") return node;
        const body = node.body as StructBody;
        const fields = body.fields.map((field, i) => ({
          ...field,
          discriminantValue: tags[i] ?? field.discriminantValue,
        }));
        return { ...node, body: { ...body, ...change, fields } };
      });
    for (const [tags, change] of [
      [[0, 0], {}],
      [[0, 2], {}],
      [[0, 65534], {}],
      [[0, 1], { discriminantCount: 1 }],
      [[0, 1], { discriminantCount: 65535 }],
      [[0, 1], { discriminantCount: 0 }],
      [[0, 1], { discriminantOffset: 1000 }],
      [[0, 1], { discriminantOffset: 0xffffffff }],
      [[0, 1], { discriminantOffset: 0x7fffffff }],
    ] as const) {
      expectError("CAPNP_SCHEMA", () => {
        const loader = new SchemaLoader();
        loader.loadAll(withTags(tags, change));
      });
    }
    const loader = new SchemaLoader();
    loader.loadAll(withTags([0, 1]));
    expect(loader.nodes()).to.have.lengthOf(nodes.length);
  });
});
