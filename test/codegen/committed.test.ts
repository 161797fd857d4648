import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect } from "chai";
import type { GeneratedFile } from "../../lib/codegen/generate.ts";
import { schemaTexts } from "../../lib/std/schema-texts.ts";
import { compileBelow, compileStandard, generated, schemasBelow } from "../support/generated.ts";
import { repositoryRoot } from "../support/repository.ts";

const committed = (folder: string): GeneratedFile[] =>
  schemasBelow(folder).flatMap((file) =>
    generated(compileBelow(folder, [file])).map(({ path, text }) => ({ path: `${folder}/${path}`, text })),
  );

const standard = (): GeneratedFile[] =>
  Object.keys(schemaTexts).flatMap((path) => {
    const up = "../".repeat(path.split("/").length - 2);
    return generated(compileStandard(path), { runtime: `${up}v1.ts`, importExtension: ".ts" }).map((file) => ({
      path: `lib/generated/${file.path}`,
      text: file.text,
    }));
  });

const folders: Readonly<Record<string, () => GeneratedFile[]>> = {
  "the examples": () => [...committed("servers/addressbook"), ...committed("servers/calculator")],
  "the fixtures of the type tests": () => committed("test/fixtures/generated"),
  "the standard schemas": standard,
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
