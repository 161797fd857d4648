import { expect } from "chai";
import { run, type RunOptions } from "../fuzz/rpc-model/run.ts";

/** Plays so many seeds; a failure names its seed, for `npm run fuzz:rpc -- --runs 1 --seed N`. */
const play = async (runs: number, options: RunOptions): Promise<void> => {
  const start = Number(process.env.CAPSTAN_SEED ?? Math.floor(Math.random() * 2 ** 31));
  const end = process.env.CAPSTAN_SEED === undefined ? start + runs : start + 1;
  for (let seed = start; seed < end; seed++) {
    try {
      await run(seed, options);
    } catch (error) {
      expect.fail(`CAPSTAN_SEED=${seed} (${JSON.stringify(options)}): ${(error as Error).message}`);
    }
  }
};

describe("vats that do random things", function () {
  this.timeout(60_000);

  it("keep the order of calls, hold exactly what somebody leads to, and end with empty tables", () => play(150, {}));

  it("break nothing among each other where one of them is malicious, and hold little for that one", () =>
    play(40, { malicious: true }));
});
