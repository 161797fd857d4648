import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { follow } from "./newcomer/follow.ts";
import { readGuide } from "./newcomer/guide.ts";
import { Workplace } from "./support/document.ts";
import { readSource } from "./support/module-graph.ts";
import { repositoryRoot } from "./support/repository.ts";

/** The package is there already, as are the commands of its own and of TypeScript. */
const withoutNpm = (line: string) => (line.startsWith("npm ") ? undefined : line);

describe("the guides for newcomers", function () {
  this.timeout(60_000);

  let place: Workplace;
  beforeEach(async () => {
    place = await Workplace.make();
  });
  afterEach(() => place.remove());

  it("the README's server and client pipeline over TLS", async () => {
    const guide = await readGuide("README.md", { from: "## Start", to: "## What works" });
    const seen = await follow(guide, place, { replace: withoutNpm });
    expect(seen).to.deep.equal(["listening on tls://localhost:4000\n", "Hello, world!\n"]);
  });

  it("the quickstart's do so in TypeScript and in CommonJS", async () => {
    const guide = await readGuide("docs/quickstart.md", { from: "## A service over TLS" });
    const seen = await follow(guide, place, { replace: withoutNpm });
    const listening = "listening on tls://localhost:4000\n";
    expect(seen).to.deep.equal([listening, "Hello, TypeScript!\n", listening, "Hello, CommonJS!\n"]);
  });
});

describe("the README", () => {
  const readme = readSource("README.md");
  const links = [...readme.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, path]) => path!);

  it("links to files and folders that there are", () => {
    expect(links.length).to.be.greaterThan(40);
    expect(links.filter((path) => !existsSync(join(repositoryRoot, path)))).to.deep.equal([]);
  });

  it("names for everything that works a test that proves it", () => {
    const table = /\n## What works\n([\s\S]*?)\n## /.exec(readme)?.[1] ?? "";
    const rows = table.split("\n").filter((line) => line.startsWith("|"));
    expect(rows.length).to.be.greaterThan(12);
    const unproven = rows.slice(2).filter((row) => {
      const proofs = [...row.matchAll(/\]\(([^)]+)\)/g)].map(([, path]) => path!);
      return proofs.length === 0 || proofs.some((path) => !/^test\/.*\.ts$/.test(path));
    });
    expect(unproven).to.deep.equal([]);
  });

  it("keeps a server and a client within 45 lines", async () => {
    const guide = await readGuide("README.md", { from: "## Start", to: "## What works" });
    const lines = guide.flatMap((part) =>
      "name" in part && part.name.endsWith(".js") ? part.code.trimEnd().split("\n") : [],
    );
    expect(lines.length).to.be.within(20, 45);
  });
});
