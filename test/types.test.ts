import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { repositoryRoot } from "./support/repository.ts";

// The build compiles test/types: a case that compiles and should not, or the other way round, fails it.
describe("the type tests", () => {
  const folder = join(repositoryRoot, "test", "types");
  const lines = readdirSync(folder)
    .filter((file) => file.endsWith(".ts"))
    .flatMap((file) => readFileSync(join(folder, file), "utf8").split("\n"));

  it("say of each mistake why TypeScript must not compile it", () => {
    const mistakes = lines.filter((line) => /^ *\/\/ @ts-expect-error/.test(line));
    expect(mistakes.length).to.be.at.least(120);
    expect(mistakes.filter((line) => !/@ts-expect-error: \w/.test(line))).to.deep.equal([]);
  });

  it("name the exact type of most of what they read", () => {
    expect(lines.filter((line) => line.includes("exactly<")).length).to.be.at.least(120);
  });
});
