import { expect } from "chai";
import { Keepalive } from "../../lib/client/keepalive.ts";
import { steppedClock } from "../support/stepped-clock.ts";

/** A peer that lives as long as the test says, watched with 20 s of silence and 10 s for an answer. */
class Peer {
  readonly clock = steppedClock();
  readonly start = this.clock.now();
  signs = 0;
  probes = 0;
  isAnswering = true;
  diedAt: number | undefined;
  readonly keepalive: Keepalive;
  readonly #open: (() => void)[] = [];

  constructor(times = { idle: 20_000, timeout: 10_000 }) {
    this.keepalive = new Keepalive(
      {
        signs: () => this.signs,
        probe: () => {
          this.probes++;
          return new Promise<void>((resolve) => {
            this.#open.push(resolve);
            if (this.isAnswering) this.answer();
          });
        },
        dead: () => {
          this.diedAt = this.clock.now() - this.start;
        },
      },
      times,
      this.clock,
    );
  }

  answer(): void {
    this.signs++;
    for (const resolve of this.#open.splice(0)) resolve();
  }

  /** Lets time pass a tenth of a second at a time. */
  async pass(milliseconds: number): Promise<void> {
    for (let passed = 0; passed < milliseconds; passed += 100) {
      this.clock.pass(100);
      await Promise.resolve();
    }
  }
}

describe("a keepalive", () => {
  it("does not ask a peer that is heard of", async () => {
    const peer = new Peer();
    for (let second = 0; second < 120; second += 10) {
      peer.signs++;
      await peer.pass(10_000);
    }
    expect(peer.probes).to.equal(0);
    expect(peer.diedAt).to.equal(undefined);
  });

  it("asks a silent one once for each silence, and lets it live when it answers", async () => {
    const peer = new Peer();
    await peer.pass(20_000);
    expect(peer.probes).to.equal(1);
    await peer.pass(200_000);
    expect(peer.probes).to.be.within(5, 11);
    expect(peer.diedAt).to.equal(undefined);
  });

  it("finds a dead one within the sum of its times after the last sign, whenever that came", async () => {
    for (const last of [0, 100, 2_400, 4_900, 5_000, 5_100, 17_300, 39_900]) {
      const peer = new Peer();
      peer.isAnswering = false;
      for (let passed = 0; passed < last; passed += 100) {
        peer.signs++;
        await peer.pass(100);
      }
      await peer.pass(31_000);
      expect(peer.diedAt, `last sign after ${last} ms`).to.be.within(last + 25_000, last + 30_100);
      expect(peer.clock.timers).to.equal(0);
    }
  });

  it("finds one as soon that died right after an answer", async () => {
    const peer = new Peer();
    await peer.pass(20_000);
    expect([peer.probes, peer.signs]).to.deep.equal([1, 1]);
    peer.isAnswering = false;
    await peer.pass(31_000);
    expect(peer.diedAt).to.be.within(20_000 + 25_000, 20_000 + 30_100);
  });

  it("takes whatever comes for a sign of life, not only the answer", async () => {
    const peer = new Peer();
    peer.isAnswering = false;
    await peer.pass(25_000);
    expect(peer.probes).to.equal(1);
    peer.signs++;
    await peer.pass(25_000);
    expect(peer.diedAt).to.equal(undefined);
    // The first question is still open: there is no sense in a second one.
    expect(peer.probes).to.equal(1);
  });

  it("asks nothing where it is off, and declares nobody dead without a limit for the answer", async () => {
    const off = new Peer({ idle: Infinity, timeout: 10_000 });
    expect(off.clock.timers).to.equal(0);
    const patient = new Peer({ idle: 20_000, timeout: Infinity });
    patient.isAnswering = false;
    await patient.pass(500_000);
    expect(patient.probes).to.equal(1);
    expect(patient.diedAt).to.equal(undefined);
    patient.keepalive.stop();
    expect(patient.clock.timers).to.equal(0);
  });

  it("gives an answer that came while the process was held up the chance to be read", async () => {
    const peer = new Peer();
    peer.isAnswering = false;
    await peer.pass(20_000);
    // Nothing runs for a minute; then the timer comes first, and after it the socket.
    peer.clock.pass(60_000);
    peer.answer();
    await peer.pass(1_000);
    expect(peer.diedAt).to.equal(undefined);
  });
});
