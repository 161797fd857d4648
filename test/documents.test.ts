import { expect } from "chai";
import * as capnp from "../lib/index.ts";
import { readDocument, Workplace } from "./support/document.ts";
import { readSource } from "./support/module-graph.ts";
import { isInstalled } from "./support/processes.ts";

describe("the documents", () => {
  const documents = [
    "browser",
    "capabilities",
    "command-line",
    "import-hook",
    "quickstart",
    "reconnecting",
    "rpc",
    "serialization",
    "serving",
    "transports",
  ];
  for (const path of documents.map((name) => `docs/${name}.md`)) {
    it(`${path} shows what happens`, async function () {
      this.timeout(30_000);
      const hasCapnp = await isInstalled("capnp");
      const place = await Workplace.make();
      let sessions = 0;
      try {
        for (const part of await readDocument(path)) {
          if ("name" in part) {
            await place.write(part.name, part.code);
          } else if (hasCapnp || !part.steps.some(({ command }) => command.startsWith("capnp "))) {
            sessions++;
            expect(await place.session(part.steps)).to.deep.equal(part.steps);
          }
        }
      } finally {
        await place.remove();
      }
      expect(sessions).to.be.greaterThan(3);
    });
  }

  it("docs/coming-from-pycapnp.md names only what there is", () => {
    const page = readSource("docs/coming-from-pycapnp.md");
    const ours = page.split("\n").flatMap((line) => (line.startsWith("|") ? [line.split("|")[2]!] : []));
    const named = ours.flatMap((cell) => [...cell.matchAll(/(?<![.\w])capnp\.(\w+)/g)].map(([, name]) => name!));
    expect(named.length).to.be.greaterThan(20);
    expect(named.filter((name) => !(name in capnp))).to.deep.equal([]);
  });
});
