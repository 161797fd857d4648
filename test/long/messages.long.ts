import { expect } from "chai";
import { seedOfRun } from "../compiler/random-schema-check.ts";
import { checkMessages } from "../interop/message-check.ts";
import { type MessageOracle, messageOracle } from "../interop/message-oracle.ts";

describe("random messages of random schemas, many of them", function () {
  this.timeout(900_000);
  let oracle: MessageOracle | undefined;
  before(async function () {
    oracle = await messageOracle.call(this);
  });
  after(() => oracle?.stop());

  it("are the same here and in C++, whoever wrote them and in whatever encoding", async () => {
    const schemas = Number(process.env.CAPSTAN_RUNS ?? 625);
    const seed = seedOfRun();
    console.log(`      ${schemas} schemas with 8 messages each from CAPSTAN_SEED=${seed}`);
    const counts = await checkMessages(oracle as MessageOracle, seed, schemas, 8);
    console.log(`      ${JSON.stringify(counts)}`);
    expect(counts.messages).to.equal(8 * schemas);
    expect(counts.oursScattered).to.be.greaterThan(schemas);
    expect(counts.theirsScattered).to.be.greaterThan(schemas);
  });
});
