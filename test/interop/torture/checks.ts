import * as capnp from "capstan";
import { expect } from "chai";
import { type Counters, TortureImpl } from "./peer.ts";
import { Torture } from "./torture.capnp.ts";

/** A promise, and what settles it. */
const deferred = <T>() => {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
};

/** What one side does to the other; each check leaves nothing behind. `keep` has a thing released when the check is over. */
export type Check = (world: World) => Promise<void>;

export interface World {
  readonly peer: Torture.Client;
  readonly vat: Pick<capnp.TwoPartyClient, "restore">;
  /** Of our own objects that the peer is given. */
  readonly own: Counters;
  readonly keep: <T extends object>(held: T) => T;
}

/** Runs a check, then releases what it kept. */
export const runCheck = async (check: Check, world: Omit<World, "keep">): Promise<void> => {
  const kept: object[] = [];
  try {
    await check({
      ...world,
      keep: (held) => {
        kept.push(held);
        return held;
      },
    });
  } finally {
    for (const one of kept.reverse()) {
      if (Symbol.dispose in one) (one as Disposable)[Symbol.dispose]();
      else capnp.release(one);
    }
  }
};

const fresh = ({ peer, keep }: World): Torture.Client => keep(peer.next()).next;

const local = ({ own, keep }: World): Torture.Client => keep(new Torture.Client(new TortureImpl(own, 1)));

const numbers = async (calls: readonly PromiseLike<{ readonly n: number }>[]): Promise<number[]> =>
  (await Promise.all(calls)).map(({ n }) => n);

const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

const failure = (promise: PromiseLike<unknown>): Promise<capnp.CapnpError> =>
  Promise.resolve(promise).then(
    () => expect.fail("this should have failed"),
    (error: capnp.CapnpError) => error,
  );

/** Releases and cancellations travel on their own: they may take a few more round trips. */
const until = async ({ peer }: World, what: string, holds: () => boolean | Promise<boolean>): Promise<void> => {
  for (let i = 0; i < 1000; i++) {
    if (await holds()) return;
    await peer.canceled();
  }
  expect.fail(`did not come about: ${what}`);
};

const canceledBy = async ({ peer }: World): Promise<number> => (await peer.canceled()).count;

export const checks: Readonly<Record<string, Check>> = {
  "a chain of 50 pipelined calls": async ({ peer, keep }) => {
    let last = peer;
    for (let i = 0; i < 49; i++) last = keep(last.next()).next;
    expect(keep(await last.next()).depth).to.equal(50);
  },

  "calls arrive in the order in which they were made": async (world) => {
    const target = fresh(world);
    expect(await numbers(upTo(100).map(() => target.order()))).to.deep.equal(upTo(100));
  },

  "calls through a promise that turns out to be ours stay in order": async (world) => {
    const echo = world.keep(world.peer.echo({ cap: local(world) }));
    const promised = echo.cap;
    const calls = upTo(10).map(() => promised.order());
    const cap = world.keep((await echo).cap!);
    calls.push(...upTo(10).map(() => promised.order()));
    // Another reference: its calls are only in order with older ones that have come, as far as other implementations go.
    const first = await numbers(calls);
    expect([...first, ...(await numbers([cap.order()]))]).to.deep.equal(upTo(21));
  },

  "a promise of the peer resolves to an object of the peer": async (world) => {
    const { cap, resolver } = world.keep(world.peer.promise());
    const calls = upTo(5).map(() => cap.order());
    await resolver.resolve({ cap: fresh(world) });
    calls.push(...upTo(5).map(() => cap.order()));
    expect(await numbers(calls)).to.deep.equal(upTo(10));
  },

  "a promise of the peer resolves to an object of ours": async (world) => {
    const { cap, resolver } = world.keep(world.peer.promise());
    const calls = upTo(5).map(() => cap.order());
    await resolver.resolve({ cap: local(world) });
    calls.push(...upTo(5).map(() => cap.order()));
    // By then the promise is known to be resolved.
    await world.peer.canceled();
    calls.push(...upTo(5).map(() => cap.order()));
    expect(await numbers(calls)).to.deep.equal(upTo(15));
  },

  "a promise of the peer breaks": async ({ peer, keep }) => {
    const { cap, resolver } = keep(peer.promise());
    const early = failure(cap.order());
    await resolver.reject({ text: "as told" });
    for (const error of [await early, await failure(cap.order())]) {
      expect(error).to.include({ kind: "failed" });
      expect(error.message).to.include("as told");
    }
  },

  "a promise of ours resolves to an object of the peer": async (world) => {
    const { peer } = world;
    const promise = deferred<Torture.Client>();
    await peer.hold({ cap: promise.promise });
    const calls = [peer.callHeld(), peer.callHeld()];
    promise.resolve(fresh(world));
    expect(await numbers(calls)).to.deep.equal([0, 1]);
    expect(await numbers([peer.callHeld()])).to.deep.equal([2]);
    await peer.letGo();
  },

  "a promise of ours resolves to an object of ours": async (world) => {
    const { peer } = world;
    const promise = deferred<Torture.Client>();
    await peer.hold({ cap: promise.promise });
    const early = peer.callHeld();
    promise.resolve(local(world));
    expect(await numbers([early, peer.callHeld()])).to.deep.equal([0, 1]);
    await peer.letGo();
  },

  "a promise of ours breaks": async ({ peer }) => {
    const promise = deferred<Torture.Client>();
    await peer.hold({ cap: promise.promise });
    const call = failure(peer.callHeld());
    promise.reject(new capnp.CapnpError("CAPNP_CALL", "too much here", { kind: "overloaded" }));
    const error = await call;
    expect(error).to.include({ kind: "overloaded" });
    expect(error.message).to.include("too much here");
    await peer.letGo();
  },

  "tail calls to an object of the peer": async (world) => {
    const callee = fresh(world);
    expect(await numbers(upTo(3).map(() => world.peer.tailOrder({ callee })))).to.deep.equal([0, 1, 2]);
  },

  "tail calls to an object of ours": async (world) => {
    const callee = local(world);
    expect(await numbers(upTo(3).map(() => world.peer.tailOrder({ callee })))).to.deep.equal([0, 1, 2]);
  },

  "a call on the results of a tail call to an object of ours": async (world) => {
    const promise = world.keep(world.peer.tailNext({ callee: local(world) }));
    const { next } = promise;
    const early = next.order();
    const results = await promise;
    expect(results.depth).to.equal(2);
    expect(await numbers([early])).to.deep.equal([0]);
    expect(await numbers([world.keep(results.next!).order()])).to.deep.equal([1]);
    expect(await numbers([next.order()])).to.deep.equal([2]);
  },

  "a call that is given up": async (world) => {
    const { peer, own } = world;
    const before = await canceledBy(world);
    const abort = new AbortController();
    const mine = new Torture.Client(new TortureImpl(own, 1));
    const call = failure(peer.never({ cap: mine }, { signal: abort.signal }));
    mine.release();
    // The peer has it before it is canceled.
    await peer.canceled();
    expect(own.alive).to.equal(1);
    abort.abort();
    await call;
    await until(world, "canceled", async () => (await canceledBy(world)) === before + 1);
    await until(world, "our object is released", () => own.alive === 0);
  },

  "one capability, sent many times": async (world) => {
    const { peer, keep } = world;
    const mine = local(world);
    for (let i = 0; i < 20; i++) await peer.hold({ cap: mine });
    expect(await numbers([keep(peer.held()).cap.order()])).to.deep.equal([0]);
    await peer.letGo();
    expect(await numbers([mine.order()])).to.deep.equal([1]);
  },

  "a stream of 200 writes, and an ordinary call after it": async (world) => {
    const target = fresh(world);
    for (let i = 0; i < 200; i++) await target.write({ data: new Uint8Array(4000).fill(7) });
    const { bytes, calls } = await target.written();
    expect({ bytes, calls }).to.deep.equal({ bytes: 800_000n, calls: 200 });
  },

  "a stream that fails": async (world) => {
    const target = fresh(world);
    let failed = false;
    const write = (length: number) =>
      target.write({ data: new Uint8Array(length) }).catch(() => {
        failed = true;
      });
    await write(0);
    // The failure comes with this write or with a later one.
    for (let i = 0; i < 100 && !failed; i++) {
      await target.alive().catch(() => undefined);
      await write(10);
    }
    expect(failed).to.equal(true);
  },

  "exceptions of every kind": async ({ peer }) => {
    const texts = { failed: "a failure", overloaded: "too much", disconnected: "gone", unimplemented: "not known" };
    for (const [kind, text] of Object.entries(texts)) {
      const error = await failure(peer.throw({ kind: kind as capnp.ErrorKind, text }));
      expect(error).to.include({ kind });
      expect(error.message).to.include(text);
    }
  },

  "a null capability": async ({ peer, keep }) => {
    const promise = keep(peer.null());
    const early = failure(promise.cap.order());
    expect((await promise).cap).to.equal(null);
    expect(await early).to.include({ kind: "failed" });
  },

  "a broken capability": async ({ peer, keep }) => {
    const promise = keep(peer.broken());
    const early = failure(promise.cap.order());
    const cap = keep((await promise).cap!);
    for (const error of [await early, await failure(cap.order())]) expect(error.message).to.include("broken as asked");
  },

  "an object restored by its name": async ({ vat, keep }) => {
    const restored = keep(keep(vat.restore("torture")).castAs(Torture));
    expect(keep(await restored.next()).depth).to.equal(1);
  },

  "nothing is left on either side": async (world) => {
    await until(world, "objects of the peer are gone", async () => (await world.peer.alive()).objects === 0);
    await until(world, "objects of ours are gone", () => world.own.alive === 0);
  },
};
