import { expect } from "chai";
import { Backoff, pause } from "../../lib/client/backoff.ts";
import { steppedClock } from "../support/stepped-clock.ts";

describe("the delay before another attempt", () => {
  it("is anywhere from nothing to a bound that doubles, up to its limit", () => {
    const highest = new Backoff(100, 1_000, () => 1);
    expect([1, 2, 3, 4, 5, 6].map(() => highest.next())).to.deep.equal([100, 200, 400, 800, 1_000, 1_000]);
    const lowest = new Backoff(100, 1_000, () => 0);
    expect([1, 2, 3].map(() => lowest.next())).to.deep.equal([0, 0, 0]);
    const draws = [0.5, 0.25, 0.75];
    const drawn = new Backoff(100, 1_000, () => draws.shift() as number);
    expect([1, 2, 3].map(() => drawn.next())).to.deep.equal([50, 50, 300]);
  });

  it("begins from the smallest bound again after a success", () => {
    const backoff = new Backoff(100, 1_000, () => 1);
    backoff.next();
    backoff.next();
    expect(backoff.bound).to.equal(400);
    backoff.reset();
    expect(backoff.bound).to.equal(100);
  });

  it("stays within its limit after a thousand failures", () => {
    const backoff = new Backoff(100, 30_000, () => 1);
    for (let i = 0; i < 2_000; i++) expect(backoff.next()).to.be.at.most(30_000);
  });
});

describe("a pause", () => {
  it("ends when its time has passed, or at once when it is called off", async () => {
    const clock = steppedClock();
    const stop = new AbortController();
    const ended: string[] = [];
    const long = pause(clock, 100, stop.signal).then(() => ended.push("called off"));
    const short = pause(clock, 10, stop.signal).then(() => ended.push("short"));
    clock.pass(10);
    await short;
    expect(ended).to.deep.equal(["short"]);
    stop.abort();
    await long;
    expect(ended).to.deep.equal(["short", "called off"]);
    expect(clock.timers).to.equal(0);
    await pause(clock, 100, stop.signal);
    expect(clock.timers).to.equal(0);
  });
});
