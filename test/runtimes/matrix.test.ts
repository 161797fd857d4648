import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { repositoryRoot } from "../support/repository.ts";
import { runtimesOf } from "./runtimes.ts";

const read = (path: string): string => readFileSync(join(repositoryRoot, path), "utf8");

describe("the matrix of docs/runtimes.md", () => {
  it("has a row without failures for each runtime, in the version that the lock file names", () => {
    const { packages } = JSON.parse(read("test/runtimes/package-lock.json")) as {
      packages: Record<string, { version?: string }>;
    };
    const rows = [...read("docs/runtimes.md").matchAll(/^\| (\w+(?: \d+)?) +\| ([\d.]+) +\| +(\d+) \| +(\d+) \|/gm)];
    const expected = runtimesOf("linux-x64").map(({ title, command }) => {
      const [, name] = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(command.split("dist/runtimes/")[1]!)!;
      return [title, packages[`node_modules/${name}`]!.version];
    });
    expect(rows.map(([, title, version]) => [title, version])).to.deep.equal(expected);
    for (const [row, , , passed, failed] of rows) {
      expect(Number(passed), row).to.be.greaterThan(2000);
      expect(failed, row).to.equal("0");
    }
  });
});
