import { expect } from "chai";
import { Backoff } from "../../lib/client/backoff.ts";
import { IdempotentMethods } from "../../lib/client/idempotent.ts";
import { RetryBudget } from "../../lib/client/retry-budget.ts";
import { RetryingClient } from "../../lib/client/retrying-client.ts";
import { connect, type ConnectOptions, type RpcClient } from "../../lib/index.ts";
import { toHook } from "../../lib/rpc/capability/client.ts";
import type { ClientHook } from "../../lib/rpc/capability/client-hook.ts";
import { systemClock } from "../../lib/rpc/clock.ts";
import type { RpcServer } from "../../lib/rpc-server.ts";
import { clientOf } from "../../lib/schema/interface-client.ts";
import { FaultyProxy } from "../support/faulty-proxy.ts";
import { Book, Ledger } from "../support/ledger.ts";
import type { Loose } from "../support/loose.ts";
import { deferred } from "../support/nodes.ts";
import { testSchema } from "../support/rpc-messages.ts";
import { ScriptedPeer } from "../support/scripted-peer.ts";
import { rejection } from "../support/vats.ts";

describe("a retry budget", () => {
  it("is taken from by retries and filled by calls that return, up to its size", () => {
    const budget = new RetryBudget(2, 0.5);
    expect([budget.take(), budget.take(), budget.take()]).to.deep.equal([true, true, false]);
    budget.refill();
    expect(budget.take()).to.equal(false);
    budget.refill();
    expect(budget.take()).to.equal(true);
    for (let i = 0; i < 10; i++) budget.refill();
    expect(budget.tokens).to.equal(2);
  });
});

describe("a call that was lost with its connection", () => {
  let book: Book;
  let server: RpcServer;
  let proxy: FaultyProxy;
  const clients: RpcClient[] = [];

  beforeEach(async () => {
    book = new Book();
    server = await book.listen();
    proxy = await FaultyProxy.listen(() => server.port as number);
  });

  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    await proxy.close();
    await server.close();
  });

  const open = async (options: ConnectOptions = {}): Promise<Loose> => {
    const client = await connect(proxy.address, { reconnect: { minDelay: 1, maxDelay: 10 }, ...options });
    clients.push(client as RpcClient);
    return client.bootstrap(Ledger as never);
  };

  /** The next answer to the client is cut off: the call was made, and nobody hears of it. */
  const loseAnswer = async (ledger: Loose): Promise<void> => {
    await ledger.add({ call: 0 });
    proxy.fault = { kind: "cutAnswers", after: 12 };
  };

  it("is made again where the schema says that this does no harm, and its results are as good as any", async () => {
    const ledger = await open();
    await loseAnswer(ledger);
    expect((await ledger.look({ call: 1 })).made).to.equal(2);
    await loseAnswer(ledger);
    const promise = ledger.entry({ call: 2 });
    const { entry } = await promise;
    expect(book.count(2)).to.equal(2);
    expect((await entry.read()).call).to.equal(2);
    // What was pipelined leads to the attempt that returned, too.
    expect((await promise.entry.read()).call).to.equal(2);
  });

  it("was sent for its pipeline only: what is called on that goes on", async () => {
    const ledger = await open();
    await ledger.add({ call: 0 });
    const request = ledger.entryRequest();
    request.call = 3;
    const pipeline = request.sendForPipeline();
    expect((await pipeline.entry.read()).call).to.equal(3);
    pipeline[Symbol.dispose]();
    expect(book.count(3)).to.equal(1);
  });

  it("is not made again otherwise", async () => {
    const ledger = await open();
    await loseAnswer(ledger);
    expect(await rejection(ledger.add({ call: 1 }))).to.include({ kind: "disconnected" });
    expect((await ledger.add({ call: 2 })).made).to.equal(1);
    expect(book.count(1)).to.equal(1);
  });

  it("is made again where a list says so, and not where retries are off", async () => {
    const listed = await open({ retry: { methods: [[Ledger, ["add"]]] as never } });
    await loseAnswer(listed);
    expect((await listed.add({ call: 1 })).made).to.equal(2);
    await clients[0]?.close();
    const off = await open({ retry: false });
    await loseAnswer(off);
    expect(await rejection(off.look({ call: 2 }))).to.include({ kind: "disconnected" });
    const wrong = rejection(open({ retry: { methods: [[Ledger, ["substract"]]] as never } }));
    expect(await wrong).to.include({ code: "CAPNP_TYPE" });
    expect((await wrong).message).to.include("substract");
  });

  it("is made as often as `attempts` says, and as the budget of the client allows", async () => {
    const once = await open({ retry: { attempts: 1 } });
    await loseAnswer(once);
    expect(await rejection(once.look({ call: 1 }))).to.include({ kind: "disconnected" });
    await clients[0]?.close();
    const frugal = await open({ retry: { budget: 1, refill: 0 } });
    await loseAnswer(frugal);
    expect((await frugal.look({ call: 2 })).made).to.equal(2);
    await loseAnswer(frugal);
    expect(await rejection(frugal.look({ call: 3 }))).to.include({ kind: "disconnected" });
    expect(book.count(3)).to.equal(1);
  });

  it("does not come back when it was canceled in between", async () => {
    const ledger = await open({ reconnect: { minDelay: 1_000, maxDelay: 1_000, random: () => 0.99 } });
    await loseAnswer(ledger);
    const promise = ledger.look({ call: 1 });
    const failed = rejection(promise);
    await clients[0]?.session?.closed;
    promise.cancel();
    expect(await failed).to.include({ code: "CAPNP_CANCELED" });
    expect(book.count(1)).to.equal(1);
  });

  it("holds nothing when it is over", async () => {
    const ledger = await open();
    await loseAnswer(ledger);
    {
      using promise = ledger.entry({ call: 1 });
      await promise;
      expect((await promise.entry.read()).call).to.equal(1);
    }
    ledger.release();
    const [client] = clients;
    while (client?.isIdle !== true) await new Promise((resolve) => setTimeout(resolve, 2));
    expect(client.stats()).to.include({ questions: 0, exports: 0, imports: 0 });
  });
});

describe("a capability in the results of a call that may be made again", () => {
  it("stays with who holds it, where two Disembargoes waited for it and the first ended their connection", async () => {
    const { Node } = testSchema;
    const policy = {
      methods: new IdempotentMethods([[Node, ["make"]]]),
      attempts: 2,
      budget: new RetryBudget(1, 1),
      clock: systemClock,
      newBackoff: () => new Backoff(1, 1, Math.random),
    };
    let held: Loose;
    const peer = ScriptedPeer.ofNode({ make: () => ({ node: held }) });
    const returned = deferred();
    const object = peer.servers.make({ order: ({ n }: Loose) => n });
    const maker = peer.servers.make({ make: () => returned.promise });
    const retrying: Loose = clientOf(Node, new RetryingClient(toHook(maker) as ClientHook, policy));
    const call = retrying.make("x");
    held = call.node;
    await peer.bootstrap().heard();
    peer.call(1, { importedCap: 0 }, "make");
    const [ret] = await peer.heard();
    const target = { importedCap: ret.return.results.capTable[0].senderPromise };
    for (const senderLoopback of [7, 8]) peer.send({ disembargo: { target, context: { senderLoopback } } });
    await peer.settle();
    returned.resolve({ node: object });
    (await call).node.release();
    expect((await peer.lines()).at(-1)).to.equal("abort");
    expect(peer.servers.isDisposed(object)).to.equal(false);
    expect((await held.order(3)).n).to.equal(3);
    held.release();
    retrying.release();
    await peer.expectEmptyAfterClose();
  });
});
