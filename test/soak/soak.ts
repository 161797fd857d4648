import { randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { connect } from "../../lib/connect.ts";
import { listen } from "../../lib/listen.ts";
import { type Loose, loadLoosely } from "../support/loose.ts";
import { emptyTables, Servers, tablesOf } from "../support/vats.ts";

const { Node } = loadLoosely("test/fixtures/rpc-test.capnp");

/** Bytes that are in use once all garbage is gone, in the heap and in buffers outside of it. */
const bytesInUse = async (): Promise<number> => {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 4; i++) {
    // Finalizers run between turns, and what they release is garbage of the next collection.
    (globalThis as { gc?: () => void }).gc?.();
    await new Promise((resolve) => setTimeout(resolve, 5));
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    least = Math.min(least, heapUsed + arrayBuffers);
  }
  return least;
};

/** Runs a step so many times, and proves that what is in use does not grow with them: but for half a megabyte of noise and half a byte a step. */
const expectFlat = async (steps: number, step: () => Promise<void>): Promise<void> => {
  const samples: number[] = [];
  const rounds = 10;
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < steps / rounds; i++) await step();
    samples.push(await bytesInUse());
  }
  // The first rounds make code, pools and caches. From then on a leak of a few bytes a step would show.
  const growth = Math.min(...samples.slice(-3)) - Math.min(...samples.slice(2, 5));
  const text = samples.map((bytes) => `${(bytes / 1048576).toFixed(2)} MiB`).join(", ");
  console.log(`        in use after each tenth: ${text}`);
  expect(growth, text).to.be.below(512 * 1024 + 0.5 * steps);
};

describe("soak", function () {
  this.timeout(0);
  let address: string;
  let path: string;

  beforeEach(() => {
    path = join(tmpdir(), `capstan-soak-${randomUUID()}`);
    address = `unix:${path}`;
  });

  afterEach(() => rmSync(path, { force: true }));

  it("a million calls on one connection leave nothing behind", async () => {
    const servers = new Servers();
    const server = await listen(address, { bootstrap: servers.make({ add: ({ a, b }: Loose) => (a + b) | 0 }, Node) });
    const client = await connect(address);
    const node: Loose = client.bootstrap(Node as never);
    const inFlight = 100;
    await expectFlat(1_000_000 / inFlight, async () => {
      const calls = Array.from({ length: inFlight }, (_, i) => node.add(i, 1));
      const sums = await Promise.all(calls);
      if (sums.some(({ sum }, i) => sum !== i + 1)) throw new Error("a sum is wrong");
    });
    node.release();
    expect(tablesOf(client.stats())).to.deep.equal(emptyTables);
    await client.close();
    await server.close();
    servers.expectDisposed();
  });

  it("a million capabilities that are made, called and released leave nothing behind", async () => {
    let alive = 0;
    const make = (): Loose => {
      alive++;
      const made = new (class extends Node.Server {})() as Loose;
      made.order = ({ n }: Loose) => n;
      made[Symbol.dispose] = () => {
        alive--;
      };
      return made;
    };
    const bootstrap = new (class extends Node.Server {})() as Loose;
    bootstrap.make = () => make();
    const server = await listen(address, { bootstrap });
    const client = await connect(address);
    const node: Loose = client.bootstrap(Node as never);
    const inFlight = 50;
    await expectFlat(1_000_000 / inFlight, async () => {
      const made = Array.from({ length: inFlight }, () => node.make("one"));
      const orders = await Promise.all(made.map((one, n) => one.node.order(n)));
      if (orders.some(({ n }, i) => n !== i)) throw new Error("an answer is wrong");
      for (const one of made) one[Symbol.dispose]();
    });
    await node.order(0).then(undefined, () => undefined);
    expect(alive).to.equal(0);
    node.release();
    expect(tablesOf(client.stats())).to.deep.equal(emptyTables);
    await client.close();
    await server.close();
  });

  it("a hundred thousand connections, one after the other, leave nothing behind", async () => {
    const servers = new Servers();
    const server = await listen(address, { bootstrap: servers.make({ add: ({ a, b }: Loose) => (a + b) | 0 }, Node) });
    await expectFlat(100_000, async () => {
      const client = await connect(address);
      const node: Loose = client.bootstrap(Node as never);
      const { sum } = await node.add(20, 22);
      if (sum !== 42) throw new Error("a sum is wrong");
      node.release();
      await client.close();
    });
    await server.close();
    servers.expectDisposed();
  });
});
