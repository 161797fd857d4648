import { expect } from "chai";
import { SchemaLoader } from "../../lib/schema/loader.ts";
import { toBytes } from "../../lib/schema/message-io.ts";
import { decodeCompiledSchema, encodeCompiledSchema } from "../../lib/schema/node-codec.ts";
import type { Loose } from "../support/loose.ts";
import { compileText, errorsOf } from "./golden.ts";

const many = 100_000;
const id = (n: number): string => `@0x${(0x9000000000000000n + BigInt(n)).toString(16)};`;
const lines = (count: number, line: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => line(i)).join("\n");

describe("a schema that nests without end is refused, not recursed into", () => {
  const tooDeep = /a\.capnp:2:\d+-\d+: error: Brackets nest deeper than 256 levels/;
  for (const [what, text] of [
    ["parentheses", `const a :Int8 = ${"(".repeat(many)}1${")".repeat(many)};`],
    ["parentheses that are never closed", `const a :Int8 = ${"(".repeat(many)}`],
    ["brackets", `const a :Int8 = ${"[".repeat(many)}${"]".repeat(many)};`],
    ["blocks", "struct A {".repeat(many) + "}".repeat(many)],
    ["lists of lists", `struct A { a @0 :${"List(".repeat(many)}Int8${")".repeat(many)}; }`],
  ] as const) {
    it(what, () => {
      const errors = errorsOf(text);
      expect(errors).to.have.lengthOf(1);
      expect(errors[0]).to.match(tooDeep);
    });
  }

  it("members of members", () => {
    expect(errorsOf(`using A = B${".C".repeat(many)};`)[0]).to.include("Expressions nest deeper than 500 levels");
  });

  it("types applied to types", () => {
    expect(errorsOf(`using A = B${"(C)".repeat(many)};`)[0]).to.include("Expressions nest deeper than 500 levels");
  });

  it("but 250 levels compile", () => {
    expect(errorsOf(`struct A { a @0 :${"List(".repeat(250)}Int8${")".repeat(250)}; }`)).to.deep.equal([]);
    const box = `struct B(T) { x @0 :T; } struct A { a @0 :${"B(".repeat(250)}Text${")".repeat(250)}; }`;
    expect(errorsOf(box)).to.deep.equal([]);
    expect(errorsOf(`${"struct A {".repeat(250)}${"}".repeat(250)}`)).to.deep.equal([]);
  });
});

describe("a long chain of declarations does not exhaust the stack", () => {
  const tooFar = "Too many steps: this leads through more than 500 other declarations or levels.";

  it("of aliases", () => {
    expect(errorsOf(lines(5000, (i) => `using A${i} = A${i + 1};`)).join()).to.include(tooFar);
  });

  it("of constants", () => {
    expect(errorsOf(lines(5000, (i) => `const a${i} :Int8 = .a${i + 1};`)).join()).to.include(tooFar);
  });

  it("of constants deep inside lists", () => {
    const list = (i: number): string => `const a${i} :${"List(".repeat(200)}Int8${")".repeat(200)}`;
    const errors = errorsOf(lines(100, (i) => `${list(i)} = ${"[".repeat(199)}.a${i + 1}${"]".repeat(199)};`));
    expect(errors.join()).to.include(tooFar);
  });

  it("of constants in each other, of which 512 levels are no problem for anybody", () => {
    // Each constant is finished when the next one is made of it.
    const nested = (levels: readonly number[]): string =>
      levels.reduce(
        (text, level, i) => `${text}const c${i + 1} :S = ${"(s = ".repeat(level)}.c${i}${")".repeat(level)};\n`,
        "struct S { s @0 :S; }\nconst c0 :S = ();\n",
      );
    expect(errorsOf(nested([250, 250, 12]))).to.deep.equal([
      "a.capnp:6:15-90: error: Values nest deeper than 512 levels; keep deep data outside of schemas.",
    ]);
    expect(errorsOf(nested(Array.from({ length: 2000 }, () => 100))).length).to.be.greaterThan(300);

    const { schema, diagnostics } = compileText({ "a.capnp": `${id(0)}${nested([250, 250, 11])}` });
    expect(diagnostics).to.deep.equal([]);
    const loader = new SchemaLoader();
    loader.loadAll(decodeCompiledSchema(encodeCompiledSchema(schema)));
    const { c3 } = loader.declare(loader.get(0x9000000000000000n)) as Loose;
    expect(c3.toText()).to.equal(`${"(s = ".repeat(511)}()${")".repeat(511)}`);
    expect(toBytes(c3)).to.have.lengthOf(8 + 8 * 513);
  });

  it("of annotations on annotations", () => {
    expect(errorsOf(lines(5000, (i) => `annotation a${i}(*) :Void $a${i + 1};`)).join()).to.include(tooFar);
  });

  it("of imports", () => {
    const files: Record<string, string> = {};
    for (let i = 0; i < 5000; i++) files[`${i}.capnp`] = `${id(i)} using N = import "${i + 1}.capnp".N;`;
    const { diagnostics } = compileText(files);
    expect(diagnostics.map(({ message }) => message)).to.include(tooFar);
  });

  it("of structs, which is allowed at any length", () => {
    const chain = lines(20_000, (i) => `struct S${i} { f @0 :S${i + 1}; }`);
    expect(errorsOf(`${chain}\nstruct S20000 {}`)).to.deep.equal([]);
  });
});

describe("an enum may have 65,536 enumerants, as many as there are ordinals", () => {
  it("for the compiler and the loader", () => {
    const { schema, diagnostics } = compileText({
      "a.capnp": `${id(0)} enum E { ${lines(65_536, (i) => `e${i} @${i};`)} }`,
    });
    expect(diagnostics).to.deep.equal([]);
    const loader = new SchemaLoader();
    loader.loadAll(decodeCompiledSchema(encodeCompiledSchema(schema)));
    const { E } = loader.declare(loader.get(0x9000000000000000n)) as Loose;
    expect(E.e65535).to.equal("e65535");
  });
});

describe("a few lines cannot ask for endless memory", () => {
  it("by aliases that double a type at each step", () => {
    const pairs = lines(60, (i) => `using A${i + 1} = Pair(A${i}, A${i});`);
    const errors = errorsOf(
      `struct Pair(A, B) { a @0 :A; b @1 :B; } using A0 = Text; ${pairs} struct S { x @0 :A60; }`,
    );
    expect(errors[0]).to.include("This type consists of more than 4096 parts.");
  });

  it("by members of generic types that double a type at each step", () => {
    let type = "Text";
    for (let i = 0; i < 60; i++) type = `G(${type}).P`;
    const errors = errorsOf(`struct Pair(A, B) {} struct G(T) { using P = Pair(T, T); } struct S { x @0 :${type}; }`);
    expect(errors[0]).to.include("This type consists of more than 4096 parts.");
  });

  it("by constants that double at each step", () => {
    const doubled = lines(60, (i) => `const c${i + 1} :S = (l = [.c${i}, .c${i}]);`);
    const errors = errorsOf(`struct S { l @0 :List(S); } const c0 :S = (); ${doubled}`);
    expect(errors[0]).to.include("more than 4194304 words (32 MiB)");
  });

  it("by lists of large structs", () => {
    const fields = lines(20_000, (i) => `f${i} @${i} :UInt64;`);
    const errors = errorsOf(`struct Large { ${fields} } const c :List(Large) = [${"(),".repeat(1000)}];`);
    expect(errors.join()).to.include("more than 4194304 words (32 MiB)");
  });

  it("by a struct larger than a pointer can say", () => {
    const fields = lines(65_536, (i) => `f${i} @${i} :Text;`);
    expect(errorsOf(`struct A { ${fields} }`).join()).to.include("0 words of data and 65536 pointers");
  });
});

describe("whatever a file contains, the compiler answers with diagnostics", () => {
  const sample =
    'struct A(T) $b("x") { a @0 :List(T) = [1, (x = 2)]; u @2! :union { c @1 :Int8; d @3 :A(Text); } g :group { e @4 :E; } }\n' +
    "enum E { x @0; } interface I extends(J) { m @0 [U] (p :U = null) -> stream; } annotation b(*) :Text; const k :E = x;";

  it("cut off anywhere", () => {
    for (let length = 0; length < sample.length; length++)
      expect(() => errorsOf(sample.slice(0, length))).not.to.throw();
  });

  it("with any character replaced", () => {
    for (let at = 0; at < sample.length; at++) {
      for (const character of ";{}()[]@$:=.\"'#0a\0\\\u00e9") {
        expect(() => errorsOf(sample.slice(0, at) + character + sample.slice(at + 1))).not.to.throw();
      }
    }
  });

  it("even where nothing of it is text", () => {
    for (let seed = 0; seed < 200; seed++) {
      const bytes = Uint8Array.from(
        { length: 300 },
        (_, i) => (Math.imul(seed * 300 + i + 1, 2654435761) >>> 24) & 0xff,
      );
      expect(compileText({ "a.capnp": String.fromCharCode(...bytes) }).diagnostics).not.to.have.lengthOf(0);
    }
  });
});
