import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import type { GeneratedFile } from "../../lib/codegen/generate.ts";
import { compileBelow, generated, run, schemasBelow, strictConfig, tool, writeBelow } from "../support/generated.ts";
import { repositoryRoot } from "../support/repository.ts";

/** Below `dist`, where the package's own name leads to what was built. */
const folder = "dist/generated-corpus";

const corpora = ["test/fixtures/schemas", "test/fixtures/generated"];

/** All schemas of the repository that compile, each as one module of TypeScript, and as JavaScript with its types. */
const corpus = (): GeneratedFile[] =>
  corpora.flatMap((corpusFolder) =>
    schemasBelow(corpusFolder).flatMap((file) => {
      const schema = compileBelow(corpusFolder, [file]);
      const below = (name: string, files: readonly GeneratedFile[]): GeneratedFile[] =>
        files.map(({ path, text }) => ({ path: `${name}/${corpusFolder}/${path}`, text }));
      return [
        ...below("ts", generated(schema)),
        ...below("js", [...generated(schema, { form: "js" }), ...generated(schema, { form: "dts" })]),
        ...below("hook", generated(schema, { form: "hook" })),
      ];
    }),
  );

describe("generated code of every schema in the corpus", function () {
  this.timeout(60_000);
  let files: readonly GeneratedFile[];

  before(() => {
    files = corpus();
    writeBelow(join(repositoryRoot, folder), [...files, strictConfig("ts", "js", "hook")]);
  });

  it("passes tsc in its strictest mode", () => {
    expect(files.length).to.be.greaterThan(60 * 4);
    expect(run(tool("tsc"), ["-p", folder])).to.equal("");
  });

  it("is formatted as biome formats it", () => {
    const place = mkdtempSync(join(tmpdir(), "capstan-format-"));
    try {
      const config = {
        path: "biome.json",
        text: JSON.stringify({ formatter: { indentStyle: "space", lineWidth: 120 } }),
      };
      writeBelow(place, [...files.filter(({ path }) => path.startsWith("ts/")), config]);
      expect(run(tool("biome"), ["format", "ts"], place)).to.equal("");
    } finally {
      rmSync(place, { recursive: true });
    }
  });

  it("is written alike each time, whatever else is compiled with it", () => {
    const [corpusFolder] = corpora as [string];
    const all = generated(compileBelow(corpusFolder, schemasBelow(corpusFolder)));
    for (const { path, text } of all) {
      const alone = files.find((one) => one.path === `ts/${corpusFolder}/${path}`);
      expect(alone?.text, path).to.equal(text);
    }
  });

  it("is loaded as JavaScript, and has what run-time loading of the same schema has", async () => {
    for (const { path } of files.filter(({ path }) => path.endsWith(".capnp.js"))) {
      const module: object = await import(join(repositoryRoot, folder, path));
      const text = files.find((one) => one.path === path.replace(/\.js$/, ".d.ts"))?.text ?? "";
      for (const name of Object.keys(module)) {
        expect(Reflect.get(module, name), `${path}: ${name}`).to.not.equal(undefined);
        expect(text).to.match(new RegExp(`declare const \\$?${name}\\b|as ${name}\\b`));
      }
    }
  });
});
