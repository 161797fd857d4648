import { expect } from "chai";
import { compile } from "../../lib/compiler/compiler.ts";
import { formatDiagnostic } from "../../lib/compiler/diagnostics.ts";
import { compileText, errorsOf } from "./golden.ts";

const id = "@0xdbb9ad1f14bf0b36;\n";

describe("compile", () => {
  it("takes sources as text and as bytes", () => {
    const text = `${id}struct A {}`;
    const fromText = compile(["a.capnp"], { readSource: () => text });
    const fromBytes = compile(["a.capnp"], { readSource: () => Buffer.from(text) });
    expect(fromText).to.deep.equal(fromBytes);
  });

  it("reads each file once, however often it is imported", () => {
    const reads: string[] = [];
    const files: Record<string, string> = {
      "a.capnp": `${id}using B = import "b.capnp"; struct S { b @0 :B.T; c @1 :import "./x/../b.capnp".T; }`,
      "b.capnp": '@0xdbb9ad1f14bf0b37; using A = import "a.capnp"; struct T { s @0 :A.S; }',
    };
    const readSource = (path: string): string | undefined => {
      reads.push(path);
      return files[path];
    };
    const { diagnostics } = compile(["a.capnp"], { readSource });
    expect(diagnostics).to.deep.equal([]);
    expect(reads).to.deep.equal(["a.capnp", "b.capnp"]);
  });

  it("looks absolute imports up along the import path, and names what it finds from there", () => {
    const files: Record<string, string> = {
      "a.capnp": `${id}struct S { b @0 :import "/lib/b.capnp".T; }`,
      "second/lib/b.capnp": '@0xdbb9ad1f14bf0b37; struct T { c @0 :import "c.capnp".U; }',
      "second/lib/c.capnp": "@0xdbb9ad1f14bf0b38; struct U {}",
    };
    const importPath = ["first", "second"];
    const { schema, diagnostics } = compile(["a.capnp"], { readSource: (path) => files[path], importPath });
    expect(diagnostics).to.deep.equal([]);
    const names = schema.nodes.map(({ displayName }) => displayName);
    expect(names).to.include.members(["a.capnp:S", "lib/b.capnp:T", "lib/c.capnp:U"]);
  });

  it("names nodes as the input says, and diagnostics by path", () => {
    const input = { path: "/somewhere/a.capnp", displayName: "a.capnp" };
    const { schema, diagnostics } = compile([input], { readSource: () => `${id}struct a {}` });
    expect(schema.requestedFiles[0]?.filename).to.equal("a.capnp");
    expect(diagnostics.map(formatDiagnostic)).to.deep.equal([
      "/somewhere/a.capnp:2:8-9: error: Type names must begin with a capital letter.",
    ]);
  });

  it("compiles several files into one request, with shared nodes in it once", () => {
    const files: Record<string, string> = {
      "a.capnp": `${id}struct S { b @0 :import "b.capnp".T; }`,
      "b.capnp": "@0xdbb9ad1f14bf0b37; struct T {}",
    };
    const { schema } = compile(["a.capnp", "b.capnp"], { readSource: (path) => files[path] });
    expect(schema.requestedFiles.map(({ filename }) => filename)).to.deep.equal(["a.capnp", "b.capnp"]);
    expect(schema.nodes.map(({ displayName }) => displayName).sort()).to.deep.equal([
      "a.capnp",
      "a.capnp:S",
      "b.capnp",
      "b.capnp:T",
    ]);
  });

  it("reports a file that is not there", () => {
    const { diagnostics } = compile(["nope.capnp"], { readSource: () => undefined });
    expect(diagnostics.map(formatDiagnostic)).to.deep.equal(["nope.capnp:1:1: error: No such file."]);
  });

  it("says that streaming needs stream.capnp where that is not on the import path", () => {
    expect(errorsOf("interface I { m @0 () -> stream; }")).to.deep.equal([
      "a.capnp:2:26-32: error: A method declaration uses streaming, but '/capnp/stream.capnp' is not found in the import " +
        "path. This is a standard file that should always be installed with the Cap'n Proto compiler.",
    ]);
  });

  it("says that stream.capnp must be the real one", () => {
    const { diagnostics } = compileText({
      "a.capnp": `${id}interface I { m @0 () -> stream; }`,
      "/capnp/stream.capnp": "@0x86c366a91393f3f8;",
    });
    expect(diagnostics.map(({ message }) => message).join()).to.include(
      "it is missing the declaration of StreamResult",
    );
  });

  it("refuses two params or results of one name, which C++ calls a bug of its compiler", () => {
    expect(errorsOf("interface I { m @0 (a :Int8, A :Int8, a :Text) -> (a :Int8, a :Int8); }")).to.deep.equal([
      "a.capnp:2:39-40: error: 'a' is already defined in this scope.",
      "a.capnp:2:21-22: error: 'a' previously defined here.",
      "a.capnp:2:61-62: error: 'a' is already defined in this scope.",
      "a.capnp:2:52-53: error: 'a' previously defined here.",
    ]);
  });

  it("refuses a layout on which old and new versions of Cap'n Proto disagree", () => {
    const errors = errorsOf("struct A { u :union { a @0 :Void; v :union { b @1 :Int8; c @2 :Int16; } d @3 :Int64; } }");
    expect(errors).to.have.lengthOf(1);
    expect(errors[0]).to.match(/^a\.capnp:2:58-\d+: error: 'c' makes the union around it grow/);
  });

  it("refuses a field whose ordinal lies between those of a retroactive union", () => {
    const errors = errorsOf("struct A { u @2! :union { a @0 :Int8; b @3 :Int8; } c @1 :Int8; }");
    expect(errors).to.deep.equal([
      "a.capnp:2:56-57: error: Fields between a union's first member and its ordinal @2 must be in the union.",
    ]);
  });

  it("invents an id with the top bit set for a file that has none", () => {
    const { schema, diagnostics } = compile(["a.capnp"], { readSource: () => "struct A {}" });
    const invented = schema.requestedFiles[0]?.id ?? 0n;
    expect(invented >> 63n).to.equal(1n);
    expect(diagnostics[0]?.message).to.include(`@0x${invented.toString(16)};`);
  });

  it("counts positions from the start of the file in bytes, and lines and columns from 1", () => {
    const { diagnostics } = compileText({ "a.capnp": `${id}const a :Text = "\u4e16"; const b :Int8 = nope;` });
    const start = id.length + Buffer.byteLength('const a :Text = "\u4e16"; const b :Int8 = ');
    expect(diagnostics[0]?.start).to.deep.equal({ offset: start, line: 2, column: start - id.length + 1 });
    expect(diagnostics[0]?.end.offset).to.equal(start + 4);
  });
});
