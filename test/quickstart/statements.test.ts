import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { readSource } from "../support/module-graph.ts";
import { repositoryRoot } from "../support/repository.ts";

/**
 * The tests beside this one take pycapnp's quickstart statement by statement. Their titles end with the section that a statement
 * is from: of the old document (pycapnp 0.5), the new one (pycapnp 1), or both.
 */
const folder = "test/quickstart";

const titles = readdirSync(join(repositoryRoot, folder))
  .filter((name) => name.endsWith(".test.ts"))
  .flatMap((name) =>
    [...readSource(`${folder}/${name}`).matchAll(/\bit\(\s*"((?:[^"\\]|\\.)*\((?:old|new|both): [^"]+\))"/g)].map(
      ([, title]) => ({ name, title: title! }),
    ),
  );

const rows = readSource("test/parity/quickstart.md")
  .split("\n")
  .filter((line) => line.startsWith("| "))
  .slice(2);

describe("quickstart: the statements of the documents", () => {
  it("are all in the table that maps them to their tests, and the table's tests are all here", () => {
    const table = rows.join("\n");
    const missing = titles.filter(({ name, title }) => !table.includes(`\`${folder}/${name}\`: ${title}`));
    expect(missing.map(({ title }) => title)).to.deep.equal([]);
    const skipped = rows.filter((row) => row.includes("does not apply: "));
    expect(skipped.length, "rows that are skipped with a reason").to.be.at.most(1);
    console.log(
      `      ${rows.length - skipped.length} statements and features of the documents, in ${titles.length} tests`,
    );
  });
});
