import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { repositoryRoot } from "../support/repository.ts";

const examples = ["servers", "clients"].flatMap((side) =>
  readdirSync(join(repositoryRoot, side), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `${side}/${name}`),
);

describe("the examples' READMEs", () => {
  for (const folder of examples) {
    it(`${folder} has one, whose links lead somewhere`, () => {
      const text = readFileSync(join(repositoryRoot, folder, "README.md"), "utf8");
      expect(text).to.match(/^# /);
      const links = [...text.matchAll(/\]\(([^)#:]+)[^)]*\)/g)].map(([, path = ""]) => path);
      for (const path of links) expect(existsSync(join(repositoryRoot, folder, path)), path).to.equal(true);
    });
  }

  it("are in the list of the README", () => {
    const text = readFileSync(join(repositoryRoot, "README.md"), "utf8");
    const names = new Set(examples.map((folder) => folder.replace(/^.*\//, "")));
    for (const name of names) expect(text, name).to.match(new RegExp(`(servers|clients)/${name}\\b`));
  });
});
