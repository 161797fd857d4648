import { expect } from "chai";
import { readDocument, Workplace } from "./support/document.ts";
import { isInstalled } from "./support/processes.ts";

describe("the documents", () => {
  for (const path of ["docs/capabilities.md", "docs/command-line.md", "docs/import-hook.md"]) {
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
});
