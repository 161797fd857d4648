import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect } from "chai";
import type { GeneratedFile, GenerateOptions } from "../../lib/codegen/generate.ts";
import { embedNodes } from "../../lib/schema/embedded-nodes.ts";
import { schemaTexts } from "../../lib/std/schema-texts.ts";
import { compileBelow, compileStandard, generated, schemasBelow } from "../support/generated.ts";
import { repositoryRoot } from "../support/repository.ts";

const committed = (folder: string, options: Partial<GenerateOptions> = {}): GeneratedFile[] =>
  schemasBelow(folder).flatMap((file) =>
    generated(compileBelow(folder, [file]), options).map(({ path, text }) => ({ path: `${folder}/${path}`, text })),
  );

const examples = ["addressbook", "calculator", "chat", "thread"].map((name) => `servers/${name}`);

const standard = (): GeneratedFile[] =>
  Object.keys(schemaTexts).flatMap((path) => {
    const up = "../".repeat(path.split("/").length - 2);
    return generated(compileStandard(path), { runtime: `${up}v1.ts`, importExtension: ".ts" }).map((file) => ({
      path: `lib/generated/${file.path}`,
      text: file.text,
    }));
  });

/** The nodes of standard schemas that the library itself uses where somebody asks for it; as text, which costs nothing to load. */
const lateSchemas = (): GeneratedFile[] => {
  const paths = { byteStreamNodes: "/capnp/compat/byte-stream.capnp", observableNodes: "/capstan/observable.capnp" };
  const constants = Object.entries(paths).map(([name, path]) => {
    const chunks = embedNodes(compileStandard(path).nodes).match(/.{1,118}/g) ?? [];
    return `\n/** What \`${path}\` declares, and what that needs. */\nexport const ${name} = \`\n${chunks.join("\n")}\n\`;\n`;
  });
  const head =
    "// Made from the .capnp files in this folder by test/codegen/committed.test.ts, which holds the two equal.\n";
  return [{ path: "lib/std/late-nodes.ts", text: head + constants.join("") }];
};

const folders: Readonly<Record<string, () => GeneratedFile[]>> = {
  "the examples": () => [
    ...examples.flatMap((folder) => committed(folder)),
    // Its schema imports those of others.
    ...committed("servers/browser", { importExtension: ".ts" }),
  ],
  "the torture tests": () => committed("test/interop/torture"),
  "the fixtures of the type tests": () => committed("test/fixtures/generated"),
  "the standard schemas": standard,
  "the schemas that are loaded late": lateSchemas,
};

describe("committed generated code (CAPSTAN_UPDATE=1 rewrites it)", () => {
  for (const [name, files] of Object.entries(folders)) {
    it(`of ${name} is what the generator makes`, () => {
      for (const { path, text } of files()) {
        const target = join(repositoryRoot, path);
        if (process.env.CAPSTAN_UPDATE === "1") {
          mkdirSync(dirname(target), { recursive: true });
          writeFileSync(target, text);
        }
        expect(readFileSync(target, "utf8"), path).to.equal(text);
      }
    });
  }
});
