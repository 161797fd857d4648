import { expect } from "chai";
import { TokenBucket } from "../../../lib/rpc/connection/token-bucket.ts";
import { steppedClock } from "../../support/stepped-clock.ts";

const takeAll = (bucket: TokenBucket): number => {
  let taken = 0;
  while (taken < 1_000_000 && bucket.take()) taken++;
  return taken;
};

describe("a token bucket", () => {
  it("allows its burst at once, then its rate, and never more than its burst", () => {
    const clock = steppedClock();
    const bucket = new TokenBucket(10, 4, clock);
    expect(takeAll(bucket)).to.equal(10);
    clock.pass(249);
    expect(takeAll(bucket)).to.equal(0);
    clock.pass(1);
    expect(takeAll(bucket)).to.equal(1);
    clock.pass(3_600_000);
    expect(takeAll(bucket)).to.equal(10);
  });

  it("of rate 0 is not filled again, and one of infinite rate or burst is never empty", () => {
    const clock = steppedClock();
    const none = new TokenBucket(3, 0, clock);
    expect(takeAll(none)).to.equal(3);
    clock.pass(1e9);
    expect(takeAll(none)).to.equal(0);
    expect(takeAll(new TokenBucket(1, Infinity, clock))).to.equal(1_000_000);
    expect(takeAll(new TokenBucket(Infinity, 0, clock))).to.equal(1_000_000);
  });

  it("gives nothing for a clock that goes back", () => {
    const clock = steppedClock();
    const bucket = new TokenBucket(1, 1000, clock);
    expect(takeAll(bucket)).to.equal(1);
    clock.pass(-5000);
    expect(takeAll(bucket)).to.equal(0);
  });
});
