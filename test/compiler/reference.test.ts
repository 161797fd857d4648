import { expect } from "chai";
import { readFileSync } from "node:fs";
import { formatDiagnostic } from "../../lib/compiler/diagnostics.ts";
import { decodeCompiledSchema } from "../../lib/schema/node-codec.ts";
import type { CompiledSchema } from "../../lib/schema/node.ts";
import { capnpTool } from "../support/capnp-tool.ts";
import {
  compileIn,
  compileWithCpp,
  goldenOf,
  schemaFolder,
  schemasIn,
  standardFolder,
  withoutInventedId,
  wrongSchemaFolder,
} from "./golden.ts";

const byId = (schema: CompiledSchema) => new Map(schema.sourceInfo.map((info) => [info.id, info]));

for (const [name, folder] of [
  ["of every construct", schemaFolder],
  ["that comes with the library", standardFolder],
] as const) {
  describe(`a schema ${name} compiles to the nodes of the C++ compiler`, () => {
    before(capnpTool);

    for (const file of schemasIn(folder)) {
      it(file, () => {
        const { schema, diagnostics } = compileIn(folder, file);
        expect(diagnostics.map(formatDiagnostic)).to.deep.equal([]);
        const reference = decodeCompiledSchema(compileWithCpp(folder, file).stdout);
        expect(schema.nodes).to.deep.equal(reference.nodes);
        expect(schema.requestedFiles).to.deep.equal(reference.requestedFiles);
        // C++ writes it in the order of a hash table
        expect(byId(schema)).to.deep.equal(byId(reference));
      });
    }
  });
}

describe("a wrong schema gives the diagnostics of the C++ compiler", () => {
  for (const file of schemasIn(wrongSchemaFolder)) {
    it(file, () => {
      const lines = compileIn(wrongSchemaFolder, file).diagnostics.map((one) => `${formatDiagnostic(one)}\n`);
      expect(withoutInventedId(lines.join(""))).to.equal(readFileSync(goldenOf(file), "utf8"));
    });
  }
});

describe("the goldens of wrong schemas", () => {
  before(capnpTool);

  it("are what the C++ compiler says today", () => {
    for (const file of schemasIn(wrongSchemaFolder)) {
      const { stderr } = compileWithCpp(wrongSchemaFolder, file);
      expect(withoutInventedId(stderr), file).to.equal(readFileSync(goldenOf(file), "utf8"));
    }
  });
});
