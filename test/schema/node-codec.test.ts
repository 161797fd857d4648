import { expect } from "chai";
import { CapnpError } from "../../lib/errors.ts";
import { decodeCompiledSchema, decodeNode, encodeCompiledSchema, encodeNode } from "../../lib/schema/node-codec.ts";
import { compileIn, schemaFolder, schemasIn, standardFolder } from "../compiler/golden.ts";
import { type CapnpTool, capnpTool } from "../support/capnp-tool.ts";

const compiled = (file: string) => compileIn(schemaFolder, file).schema;

/** Decodes or throws a CapnpError: anything else is a bug. */
function survives(bytes: Uint8Array): void {
  try {
    decodeCompiledSchema(bytes);
  } catch (error) {
    if (!(error instanceof CapnpError)) throw error;
  }
}

describe("a compiled schema", () => {
  it("comes back from its encoding as it was", () => {
    for (const file of schemasIn(schemaFolder)) {
      const schema = compiled(file);
      expect(decodeCompiledSchema(encodeCompiledSchema(schema)), file).to.deep.equal(schema);
    }
  });

  it("comes back node by node too", () => {
    for (const node of compiled("annotations.capnp").nodes) {
      expect(decodeNode(encodeNode(node))).to.deep.equal(node);
    }
  });

  it("is encoded as one segment, however large", () => {
    const bytes = encodeCompiledSchema(compileIn(standardFolder, "capnp/rpc.capnp").schema);
    expect(bytes.length).to.be.greaterThan(4096);
    expect(new DataView(bytes.buffer).getUint32(0, true)).to.equal(0);
    expect(new DataView(bytes.buffer).getUint32(4, true) * 8 + 8).to.equal(bytes.length);
  });

  it("of no nodes at all has an encoding", () => {
    const empty = { nodes: [], sourceInfo: [], requestedFiles: [] };
    expect(decodeCompiledSchema(encodeCompiledSchema(empty))).to.deep.equal(empty);
  });
});

describe("decoding a schema from a stranger", () => {
  const bytes = encodeCompiledSchema(compiled("generic-values.capnp"));

  it("refuses a message cut off anywhere", () => {
    for (let length = 0; length < bytes.length; length += 8) {
      expect(() => decodeCompiledSchema(bytes.subarray(0, length))).to.throw(CapnpError);
    }
  });

  it("survives any byte being wrong", () => {
    for (let at = 0; at < bytes.length; at++) {
      for (const value of [0, 1, 0x7f, 0x80, 0xff]) {
        const damaged = bytes.slice();
        damaged[at] = value;
        survives(damaged);
      }
    }
  });

  it("refuses a union member that it does not know, by its number", () => {
    const node = compiled("empty.capnp").nodes[0]!;
    const damaged = encodeNode(node);
    // the frame header and the root pointer are a word each; the tag is the seventh 16 bits of the struct
    damaged[16 + 12] = 77;
    expect(() => decodeNode(damaged))
      .to.throw(CapnpError, "has the tag 77")
      .with.property("code", "CAPNP_SCHEMA");
  });

  it("keeps to the nesting limit that it is given", () => {
    const list = encodeCompiledSchema(compiled("lists-of-everything.capnp"));
    expect(() => decodeCompiledSchema(list, { nestingLimit: 4 }))
      .to.throw(CapnpError)
      .with.property("code", "CAPNP_NESTING_LIMIT");
  });
});

describe("the encoding of a compiled schema", () => {
  let capnp: CapnpTool;
  before(async function () {
    capnp = await capnpTool.call(this);
  });

  it("reads in C++ as a CodeGeneratorRequest", () => {
    const request = encodeCompiledSchema(compileIn(standardFolder, "capnp/rpc.capnp").schema);
    const text = String(capnp(["decode", "--short", "lib/std/capnp/schema.capnp", "CodeGeneratorRequest"], request));
    expect(text).to.include('displayName = "capnp/rpc.capnp:Message"');
    expect(text).to.include('filename = "capnp/rpc.capnp"');
  });
});
