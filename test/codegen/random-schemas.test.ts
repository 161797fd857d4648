import { join } from "node:path";
import { expect } from "chai";
import { seedOfRun } from "../compiler/random-schema-check.ts";
import { generated, run, strictConfig, tool, tryCompile, writeBelow } from "../support/generated.ts";
import { randomSchema } from "../support/random-schema/random-schema.ts";
import { textOf } from "../support/random-schema/statement.ts";
import { repositoryRoot } from "../support/repository.ts";

const folder = "dist/generated-random";
const count = 60;

describe("generated code of random schemas", () => {
  it("passes tsc in its strictest mode", function () {
    this.timeout(60_000);
    const firstSeed = seedOfRun();
    const files = Array.from({ length: count }, (_, i) => firstSeed + i).flatMap((seed) => {
      const { files: sources, embedded } = randomSchema(seed, `s${seed}`);
      const texts = Object.fromEntries(sources.map((source) => [source.path, textOf(source)]));
      const schema = tryCompile(Object.keys(texts), { ...texts, ...embedded });
      return schema === undefined ? [] : generated(schema);
    });
    expect(files.length).to.be.greaterThan(count / 4);
    writeBelow(join(repositoryRoot, folder), [...files, strictConfig(".")]);
    expect(run(tool("tsc"), ["-p", folder]), `CAPSTAN_SEED=${firstSeed}`).to.equal("");
  });
});
