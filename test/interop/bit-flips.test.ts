import { expect } from "chai";
import { Random } from "../support/random-schema/random.ts";
import { checkMutations, noFlips } from "./bit-flip-check.ts";
import { coarser, corpus, corpusNodes, singleBits } from "./bit-flip-corpus.ts";
import { type MessageOracle, messageOracle } from "./message-oracle.ts";

describe("valid messages with some bits flipped", function () {
  this.timeout(60_000);
  let oracle: MessageOracle | undefined;
  before(async function () {
    oracle = await messageOracle.call(this);
  });
  after(() => oracle?.stop());

  it("read as they do in C++ or fail with a CapnpError: a sample of them", async () => {
    const counts = noFlips();
    const random = new Random(Number(process.env.CAPSTAN_SEED ?? 20261121));
    const schemas = await (oracle as MessageOracle).load(corpusNodes);
    for (const message of corpus()) {
      const flips = random.shuffled(singleBits(message)).slice(0, 15);
      await checkMutations(
        oracle as MessageOracle,
        schemas,
        message,
        [...flips, ...coarser(message, 15, random)],
        counts,
      );
    }
    expect(counts.mutations).to.be.greaterThan(1000);
    expect(counts.read).to.be.greaterThan(200);
    expect(counts.refused).to.be.greaterThan(200);
    expect(counts.same).to.be.greaterThan(0.95 * 5 * counts.mutations);
  });
});
