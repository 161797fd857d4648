import { expect } from "chai";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { compile } from "../../lib/compiler/compiler.ts";
import { schemaTexts } from "../../lib/std/schema-texts.ts";
import { schemasIn, standardFolder } from "./golden.ts";
import { standardSchemaModule } from "./standard-schema-module.ts";

describe("the standard schemas", () => {
  it("are embedded as they are in their files", () => {
    expect(readFileSync(join(standardFolder, "schema-texts.ts"), "utf8")).to.equal(standardSchemaModule());
    for (const file of schemasIn(standardFolder)) {
      expect(schemaTexts[`/${file}`]).to.equal(readFileSync(join(standardFolder, file), "utf8"));
    }
  });

  it("compile from the embedded texts alone, with the ids that the protocol fixes", () => {
    const ids: Record<string, bigint> = {
      "/capnp/c++.capnp": 0xbdf87d7bb8304e81n,
      "/capnp/compat/byte-stream.capnp": 0x8f5d14e1c273738dn,
      "/capnp/compat/json.capnp": 0x8ef99297a43a5e34n,
      "/capnp/persistent.capnp": 0xb8630836983feed7n,
      "/capnp/rpc-twoparty.capnp": 0xa184c7885cdaf2a1n,
      "/capnp/rpc.capnp": 0xb312981b2552a250n,
      "/capnp/schema.capnp": 0xa93fc509624c72d9n,
      "/capnp/stream.capnp": 0x86c366a91393f3f8n,
      "/capstan/observable.capnp": 0xe0c5634ff5344b7cn,
      "/capstan/rpc.capnp": 0xc9d3f7a1b2e4586dn,
      "/capstan/typescript.capnp": 0xfa6ec0a3031ab862n,
    };
    expect(Object.keys(schemaTexts).sort()).to.deep.equal(Object.keys(ids));
    for (const [path, id] of Object.entries(ids)) {
      const { schema, diagnostics } = compile([path], { readSource: (one) => schemaTexts[one], importPath: ["/"] });
      expect(diagnostics).to.deep.equal([]);
      expect(schema.requestedFiles[0]?.id).to.equal(id);
    }
  });
});
