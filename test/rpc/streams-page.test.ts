import { expect } from "chai";
import { readDocument, Workplace } from "../support/document.ts";

describe("docs/streams.md", () => {
  it("shows what happens", async function () {
    this.timeout(30_000);
    const place = await Workplace.make();
    let sessions = 0;
    try {
      for (const part of await readDocument("docs/streams.md")) {
        if ("name" in part) await place.write(part.name, part.code);
        else {
          sessions++;
          expect(await place.session(part.steps)).to.deep.equal(part.steps);
        }
      }
    } finally {
      await place.remove();
    }
    expect(sessions).to.equal(3);
  });
});
