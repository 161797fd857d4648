import { expect } from "chai";
import { checkRandomSchemas, seedOfRun } from "../compiler/random-schema-check.ts";
import { capnpTool } from "../support/capnp-tool.ts";

describe("random valid schemas of all constructs, many of them", () => {
  before(capnpTool);

  it("compile to the nodes of the C++ compiler", function () {
    this.timeout(0);
    const count = Number(process.env.CAPSTAN_RUNS ?? 2000);
    const seed = seedOfRun();
    console.log(`      ${count} schemas from CAPSTAN_SEED=${seed}`);
    const counts = checkRandomSchemas(seed, count, 20);
    console.log(
      `      C++ accepts ${counts.accepts}, refuses ${counts.refuses} as we do, crashes on ${counts.crashes}; 0 different`,
    );
    expect(counts.accepts).to.be.at.least(0.9 * count);
  });
});
