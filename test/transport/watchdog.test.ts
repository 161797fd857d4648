import { setTimeout as delay } from "node:timers/promises";
import { expect } from "chai";
import { Watchdog } from "../../lib/transport/watchdog.ts";

/** Resolves when the dog barks. What must not happen is shown by a second dog, started later, that barks first. */
function watchdog(limit: number): { dog: Watchdog; barked: Promise<void>; barks: () => number } {
  let count = 0;
  let resolve!: () => void;
  const barked = new Promise<void>((done) => {
    resolve = done;
  });
  const dog = new Watchdog(limit, () => {
    count++;
    resolve();
  });
  return { dog, barked, barks: () => count };
}

describe("watchdog", () => {
  // Its timers do not keep the process alive, so the tests must.
  let alive: ReturnType<typeof setInterval>;
  before(() => {
    alive = setInterval(() => undefined, 1000);
  });
  after(() => clearInterval(alive));

  it("runs out once after it was started, however often", async () => {
    const { dog, barked, barks } = watchdog(5);
    dog.start();
    dog.start();
    await barked;
    await delay(20);
    expect(barks()).to.equal(1);
  });

  it("does not run out when stopped, disposed or without a limit", async () => {
    const [stopped, disposed, unlimited, off] = [
      watchdog(5),
      watchdog(5),
      watchdog(Number.POSITIVE_INFINITY),
      watchdog(0),
    ];
    for (const { dog } of [stopped, disposed, unlimited, off]) dog.start();
    stopped.dog.stop();
    disposed.dog.dispose();
    const later = watchdog(30);
    later.dog.start();
    await later.barked;
    expect([stopped, disposed, unlimited, off].map(({ barks }) => barks())).to.deep.equal([0, 0, 0, 0]);
  });

  it("runs out again when it is started again after a stop", async () => {
    const { dog, barked } = watchdog(5);
    dog.start();
    dog.stop();
    await delay(10);
    dog.restart();
    await barked;
  });

  it("takes a limit longer than any timer for what it is", async () => {
    const { dog, barks } = watchdog(2 ** 40);
    dog.start();
    await delay(10);
    expect(barks()).to.equal(0);
    dog.dispose();
  });
});
