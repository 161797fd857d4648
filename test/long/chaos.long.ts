import { expect } from "chai";
import { chaosRun } from "../chaos/run.ts";

const first = Number(process.env.SEED ?? 1_000);
const runs = process.env.SEED === undefined ? 500 : 1;

describe("a client that reconnects, over a network that does its worst", () => {
  it(`keeps its promises in ${runs} runs from seed ${first} on (SEED=n runs one again)`, async function () {
    this.timeout(0);
    let returned = 0;
    let lost = 0;
    // Several at a time: they wait more than they work.
    const lanes = Array.from({ length: 4 }, async (_, lane) => {
      for (let run = lane; run < runs; run += 4) {
        const seed = first + run;
        try {
          const calls = await chaosRun(seed);
          returned += calls.returned;
          lost += calls.lost;
        } catch (error) {
          throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
        }
      }
    });
    await Promise.all(lanes);
    expect(returned, "calls that returned").to.be.greaterThan(0);
    expect(lost, "calls that were lost").to.be.greaterThan(runs === 1 ? -1 : 0);
  });
});
