import fc from "fast-check";
import { run } from "../../fuzz/rpc-model/run.ts";

describe("the order of calls", () => {
  const rounds = process.env.CAPSTAN_LONG === undefined ? 50 : 2000;
  const keepsOrder = (vats: number): Promise<void> =>
    fc.assert(
      fc.asyncProperty(fc.noBias(fc.nat()), (seed) => run(seed, { vats, calm: true })),
      { numRuns: rounds },
    );

  for (const vats of [2, 3]) {
    it(`on each reference is kept among ${vats} vats, whatever they do, and nothing is left of it`, async function () {
      this.timeout(rounds * 1000);
      await keepsOrder(vats);
    });
  }
});
