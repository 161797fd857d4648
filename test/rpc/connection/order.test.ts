import { expect } from "chai";
import fc from "fast-check";
import type { Loose } from "../../support/loose.ts";
import { testSchema } from "../../support/rpc-messages.ts";
import { bootstrapOf, emptyTables, Servers, settle, tablesOf, turn, Vats } from "../../support/vats.ts";

const { Node } = testSchema;

/** A promise of a vat's that the test resolves, and what it was resolved to. */
interface Promised {
  readonly vat: number;
  resolve: ((target: Loose) => void) | undefined;
  to: ReadonlySet<Promised>;
}

/** A reference to a capability, as one vat holds it. */
interface Reference {
  readonly id: number;
  readonly client: Loose;
  /** Promises that it may lead to. */
  readonly through: ReadonlySet<Promised>;
  calls: number;
  release(): void;
}

/** All promises that calls on a reference may have to pass, now or later. */
const reachable = (through: ReadonlySet<Promised>): Set<Promised> => {
  const all = new Set<Promised>();
  const visit = (promised: Promised): void => {
    if (all.has(promised)) return;
    all.add(promised);
    for (const next of promised.to) visit(next);
  };
  for (const promised of through) visit(promised);
  return all;
};

/**
 * Vats that are all connected with each other, pass capabilities around, make promises of some and resolve them, and call
 * whatever they have; messages move in between as chance has it.
 */
class World {
  readonly servers = new Servers();
  readonly connections: Vats[] = [];
  readonly #held: Reference[][];
  /** hubs[a][b]: what a calls when it wants to pass something to b. */
  readonly #hubs: Loose[][] = [];
  readonly #all: Reference[] = [];
  readonly #promises: Promised[] = [];
  /** The calls that have arrived anywhere, by the reference on which they were made. */
  readonly #arrived = new Map<number, number[]>();
  readonly #outcomes: Promise<unknown>[] = [];
  /** Whence a reference came, for the one who receives it. */
  readonly #passed = new Map<number, ReadonlySet<Promised>>();
  #references = 0;
  #passings = 0;

  readonly #random: () => number;

  constructor(size: number, random: () => number) {
    this.#random = random;
    this.#held = Array.from({ length: size }, () => []);
    const hubs = this.#held.map((_, vat) => this.#server(vat));
    for (let a = 0; a < size; a++) this.#hubs.push([]);
    for (let a = 0; a < size; a++) {
      for (let b = a + 1; b < size; b++) {
        const vats = new Vats({ servers: this.servers, a: { bootstrap: hubs[a] }, b: { bootstrap: hubs[b] } });
        this.connections.push(vats);
        (this.#hubs[a] as Loose[])[b] = bootstrapOf(vats.a);
        (this.#hubs[b] as Loose[])[a] = bootstrapOf(vats.b);
      }
    }
  }

  #server(vat: number): Loose {
    return this.servers.make({
      order: ({ n }: Loose) => {
        const reference = Math.floor(n / 1000);
        const arrived = this.#arrived.get(reference);
        if (arrived === undefined) this.#arrived.set(reference, [n % 1000]);
        else arrived.push(n % 1000);
        return n;
      },
      echo_context: ({ params, results }: Loose) => {
        const { cap } = params;
        results.cap = cap;
        cap.release();
      },
      // The same by a tail call to another vat, ...
      never_context: (context: Loose) => {
        const request = this.#peerOf(vat).echoRequest();
        const { cap } = context.params;
        request.cap = cap;
        cap.release();
        context.tailCall(request);
      },
      // ... and with the result known before the call is done.
      two_context: async (context: Loose) => {
        const { first } = context.params;
        context.setPipeline({ first });
        await turn();
        context.results.first = first;
        first.release();
      },
      // The number of the passing is all that a capability cannot tell of itself.
      pack: ({ pack }: Loose) => {
        const { cap } = pack;
        this.#hold(vat, cap, this.#passed.get(pack.number) as ReadonlySet<Promised>, () => cap.release());
      },
    });
  }

  #hold(vat: number, client: Loose, through: ReadonlySet<Promised>, release: () => void): void {
    const reference = { id: this.#references++, client, through, calls: 0, release };
    this.#held[vat]?.push(reference);
    this.#all.push(reference);
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  /** One of those that a vat holds, rather a new one than an old one. */
  #choose(held: readonly Reference[]): Reference {
    return held[held.length - 1 - Math.floor(this.#random() ** 3 * held.length)] as Reference;
  }

  /** Something that happens. */
  async act(): Promise<void> {
    const vat = this.#below(this.#held.length);
    const held = this.#held[vat] as Reference[];
    const what = this.#random();
    if (held.length === 0 || what < 0.02) {
      const client = new Node.Client(this.#server(vat));
      this.#hold(vat, client, new Set(), () => client.release());
    } else if (what < 0.45) this.#call(this.#choose(held));
    else if (what < 0.7) await this.#step();
    else if (what < 0.78) this.#pass(vat, this.#choose(held));
    else if (what < 0.86) this.#echo(vat, this.#choose(held), undefined);
    else if (what < 0.9) this.#echo(vat, this.#choose(held), this.#choose(held));
    else if (what < 0.94) this.#promise(vat);
    else if (what < 0.95) this.#drop(held);
    else this.#resolve(vat, this.#choose(held));
  }

  #peerOf(vat: number): Loose {
    const peer = (vat + 1 + this.#below(this.#held.length - 1)) % this.#held.length;
    return (this.#hubs[vat] as Loose[])[peer];
  }

  #call(reference: Reference): void {
    this.#outcomes.push(Promise.resolve(reference.client.order(reference.id * 1000 + reference.calls++)));
  }

  #pass(vat: number, { client, through }: Reference): void {
    const number = this.#passings++;
    this.#passed.set(number, through);
    this.#outcomes.push(Promise.resolve(this.#peerOf(vat).pack({ pack: { number, cap: client } })));
  }

  /** A reference that leads through a call of a peer, or of any capability at all. */
  #echo(vat: number, { client, through }: Reference, by: Reference | undefined): void {
    const callee = by?.client ?? this.#peerOf(vat);
    const kind = this.#below(4);
    const echo = kind === 0 ? callee.never(client) : kind === 1 ? callee.two(client, null) : callee.echo(client);
    const both = new Set([...through, ...(by?.through ?? [])]);
    this.#hold(vat, kind === 1 ? echo.first : echo.cap, both, () => echo[Symbol.dispose]());
  }

  /** Nobody uses a reference any more; the calls on it go on. */
  #drop(held: Reference[]): void {
    const [dropped] = held.splice(this.#below(held.length), 1);
    dropped?.client.release();
  }

  #promise(vat: number): void {
    const promised: Promised = { vat, resolve: undefined, to: new Set() };
    const client = new Node.Client(
      new Promise((resolve) => {
        promised.resolve = resolve;
      }),
    );
    this.#promises.push(promised);
    this.#hold(vat, client, new Set([promised]), () => client.release());
  }

  /** Resolves a promise of a vat's, if that does not make it wait for itself. */
  #resolve(vat: number, { client, through }: Reference): void {
    const waiting = this.#promises.filter((one) => one.vat === vat && one.resolve !== undefined);
    const promised = waiting[this.#below(waiting.length)];
    if (promised?.resolve === undefined || reachable(through).has(promised)) return;
    promised.resolve(client);
    promised.resolve = undefined;
    promised.to = through;
  }

  async #step(): Promise<void> {
    const vats = this.connections[this.#below(this.connections.length)] as Vats;
    (this.#random() < 0.5 ? vats.pair.a : vats.pair.b).deliver(1 + this.#below(3));
    if (this.#random() < 0.7) await turn();
  }

  async settle(): Promise<void> {
    for (let moved = true; moved; ) {
      moved = false;
      for (const { pair } of this.connections) {
        if (pair.deliverAll() > 0) moved = true;
        await turn();
        if (pair.a.held.length + pair.b.held.length > 0) moved = true;
      }
    }
    for (const vats of this.connections) vats.expectConsistent();
  }

  /** Resolves what is a promise still, and expects that every call has arrived, in the order of each reference. */
  async end(): Promise<void> {
    await this.settle();
    for (const promised of this.#promises) {
      const client = new Node.Client(this.#server(0));
      promised.resolve?.(client);
      await turn();
      client.release();
      await this.settle();
    }
    await this.settle();
    await Promise.all(this.#outcomes);
    for (const reference of this.#all) {
      const arrived = this.#arrived.get(reference.id) ?? [];
      expect(arrived, `calls on reference ${reference.id}`).to.deep.equal([...new Array(reference.calls).keys()]);
    }
    for (const reference of this.#all) reference.release();
    for (const hub of this.#hubs.flat()) hub?.release();
    await this.settle();
    await this.settle();
    for (const vats of this.connections) {
      expect(tablesOf(vats.a.stats()), "tables").to.deep.equal(emptyTables);
      expect(tablesOf(vats.b.stats()), "tables").to.deep.equal(emptyTables);
      expect(vats.messages("abort")).to.have.lengthOf(0);
      const closed = Promise.all([vats.a.close(), vats.b.close()]);
      await settle(vats.pair);
      await closed;
    }
    this.servers.expectDisposed();
  }
}

/** The same numbers between 0 and 1 for the same seed (a linear congruential generator). */
const numbers = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
};

describe("the order of calls", () => {
  const rounds = process.env.CAPSTAN_LONG === undefined ? 50 : 2000;
  const keepsOrder = (size: number): Promise<void> =>
    fc.assert(
      fc.asyncProperty(fc.noBias(fc.nat()), fc.integer({ min: 1, max: 150 }), async (seed, actions) => {
        const world = new World(size, numbers(seed));
        for (let i = 0; i < actions; i++) await world.act();
        await world.end();
      }),
      { numRuns: rounds },
    );

  it("on each reference is kept among 2 vats, whatever they do, and nothing is left of it", async function () {
    this.timeout(rounds * 1000);
    await keepsOrder(2);
  });

  it("on each reference is kept among 3 vats, whatever they do, and nothing is left of it", async function () {
    this.timeout(rounds * 1000);
    await keepsOrder(3);
  });
});
