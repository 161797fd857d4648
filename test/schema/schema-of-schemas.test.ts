import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { compile } from "../../lib/compiler/compiler.ts";
import { SchemaLoader } from "../../lib/schema/loader.ts";
import { encodeCompiledSchema } from "../../lib/schema/node-codec.ts";
import { nodeTypeId, requestTypeId, schemaOfSchemas } from "../../lib/schema/schema-of-schemas.ts";
import { pack } from "../../lib/serialization/packed.ts";
import { schemaTexts } from "../../lib/std/schema-texts.ts";
import { repositoryRoot } from "../support/repository.ts";

/** What lib/schema/schema-of-schemas-text.ts must say. */
const embedded = (): string => {
  const { schema } = compile(["/capnp/schema.capnp"], { readSource: (path) => schemaTexts[path], importPath: ["/"] });
  const nodes = schema.nodes.map((node) => ({ ...node, annotations: [] }));
  const bytes = pack(encodeCompiledSchema({ nodes, sourceInfo: [], requestedFiles: [] }));
  const lines =
    Buffer.from(bytes)
      .toString("base64")
      .match(/.{1,118}/g) ?? [];
  return `// Made from lib/std/capnp/schema.capnp by \`CAPSTAN_UPDATE=1 npm test\`; a test holds the two equal.

/** The compiled nodes of schema.capnp: a CodeGeneratorRequest, packed, in base64. White space means nothing. */
export const schemaOfSchemasText = \`
${lines.join("\n")}
\`;
`;
};

describe("the embedded nodes of schema.capnp", () => {
  it("are those of lib/std/capnp/schema.capnp (CAPSTAN_UPDATE=1 rewrites them)", () => {
    const path = join(repositoryRoot, "lib/schema/schema-of-schemas-text.ts");
    if (process.env.CAPSTAN_UPDATE === "1") writeFileSync(path, embedded());
    expect(readFileSync(path, "utf8")).to.equal(embedded());
  });

  it("have the structs that nodes travel in", () => {
    const loader = new SchemaLoader();
    loader.loadAll(schemaOfSchemas());
    expect(loader.getStruct(nodeTypeId).path).to.equal("Node");
    expect(loader.getStruct(requestTypeId).path).to.equal("CodeGeneratorRequest");
  });
});
