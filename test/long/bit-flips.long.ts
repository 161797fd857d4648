import { expect } from "chai";
import { checkMutations, noFlips } from "../interop/bit-flip-check.ts";
import { coarser, corpus, corpusNodes, singleBits } from "../interop/bit-flip-corpus.ts";
import { type MessageOracle, messageOracle } from "../interop/message-oracle.ts";
import { Random } from "../support/random-schema/random.ts";

/** CAPSTAN_RUNS is how many mutated messages there are. CAPSTAN_SEED is for those that are not flips of a single bit. */
const count = Number(process.env.CAPSTAN_RUNS ?? 457_000);
const seed = Number(process.env.CAPSTAN_SEED ?? 20261121);

describe("valid messages with each bit flipped, two bits flipped, or words replaced", function () {
  this.timeout(1_800_000);
  let oracle: MessageOracle | undefined;
  before(async function () {
    oracle = await messageOracle.call(this);
  });
  after(() => oracle?.stop());

  it("read as they do in C++ or fail with a CapnpError", async () => {
    const counts = noFlips();
    const random = new Random(seed);
    const schemas = await (oracle as MessageOracle).load(corpusNodes);
    const messages = corpus();
    const flips = messages.map(singleBits);
    const others = Math.max(0, count - flips.reduce((sum, one) => sum + one.length, 0));
    for (const [i, message] of messages.entries()) {
      const share = Math.ceil(others / messages.length);
      const mutations = [...(flips[i] ?? []), ...coarser(message, share, random)];
      await checkMutations(oracle as MessageOracle, schemas, message, mutations, counts);
    }
    const { mutations, read, refused, seconds, same } = counts;
    console.log(
      `      ${mutations} mutated messages of ${messages.length} (CAPSTAN_SEED=${seed}): ${read} read, ${refused} refused`,
    );
    console.log(
      `      ${seconds.toFixed(1)} s of processor time to read them here in 5 ways; ${same} results as in C++, and these not:`,
    );
    for (const [why, times] of counts.explained) console.log(`        ${times} ${why}`);
    expect(mutations).to.be.at.least(count);
  });
});
