import { expect } from "chai";
import type { Loose } from "../../support/loose.ts";
import { pending } from "../../support/nodes.ts";
import { ScriptedPeer, setIndex } from "../../support/scripted-peer.ts";
import { testSchema } from "../../support/rpc-messages.ts";
import { bootstrapOf, rejection, Servers, turn } from "../../support/vats.ts";

const finish = (questionId: number) => ({
  finish: { questionId, releaseResultCaps: true, requireEarlyCancellationWorkaround: false },
});

describe("results that the peer wants to keep for another call (sendResultsTo.yourself)", () => {
  const yourself = (call: Loose): void => {
    call.sendResultsTo.yourself = null;
  };
  const take = (answerId: number, takeFromOtherQuestion: number) => ({
    return: { answerId, releaseParamCaps: false, takeFromOtherQuestion },
  });

  /** A vat whose node has these methods, and which has been given export 9 of its peer: the first of `clients`. */
  const withClient = async (methods: Loose, clients: Loose[], servers: Servers): Promise<ScriptedPeer> => {
    const bootstrap = servers.make({
      hold({ cap }: Loose) {
        clients.push(cap);
      },
      ...methods,
    });
    const peer = new ScriptedPeer({ bootstrap }, servers);
    await peer.bootstrap().heard();
    peer.call(
      1,
      { importedCap: 0 },
      "hold",
      (params) => setIndex(params, 0, 0),
      (call) => {
        call.params.capTable = [{ senderHosted: 9 }];
      },
    );
    await peer.heard();
    return peer;
  };

  /** Our question 0 asks `make` of the peer's export 9; the peer calls `make` of our export 0 as its question 1. */
  const tailCall = async (methods: Loose) => {
    const clients: Loose[] = [];
    const servers = new Servers();
    const peer = await withClient(methods, clients, servers);
    const making = clients[0].make("x");
    expect(await peer.lines()).to.deep.equal(["call 0 to import 9"]);
    const end = async (): Promise<void> => {
      clients[0].release();
      peer.send(finish(0));
      await peer.expectEmpty();
    };
    return { peer, making, end };
  };

  const orderly = (calls: number[]) => ({
    order({ n }: Loose) {
      calls.push(n);
      return n;
    },
  });

  it("are taken when the call returns after the Return that names it", async () => {
    const calls: number[] = [];
    const make = pending((context) => {
      context.results.node = inner;
    });
    const { peer, making, end } = await tailCall({ make_context: make.method });
    const inner = peer.servers.make(orderly(calls));
    peer.call(1, { importedCap: 0 }, "make", undefined, yourself).send(take(0, 1));
    expect(await peer.lines(), "no Finish: the peer would give the call up").to.deep.equal([]);
    make.ends[0]?.();
    expect(await peer.lines()).to.deep.equal(["return 1 resultsSentElsewhere", "finish 0"]);
    const { node } = await making;
    await node.order(7);
    expect(calls).to.deep.equal([7]);
    node.release();
    peer.send(finish(1));
    await end();
  });

  it("are taken when the call has returned before the Return that names it", async () => {
    const { peer, making, end } = await tailCall({ make: () => inner });
    const inner = peer.servers.make();
    peer.call(1, { importedCap: 0 }, "make", undefined, yourself);
    expect(await peer.lines()).to.deep.equal([]);
    peer.send(take(0, 1));
    expect(await peer.lines()).to.deep.equal(["return 1 resultsSentElsewhere", "finish 0"]);
    (await making).node.release();
    peer.send(finish(1));
    await end();
  });

  it("are an error where the call fails, in either order", async () => {
    for (const early of [true, false]) {
      const { peer, making, end } = await tailCall({ make: () => Promise.reject(new Error("no")) });
      peer.call(1, { importedCap: 0 }, "make", undefined, yourself);
      if (early) await peer.settle();
      peer.send(take(0, 1));
      expect(await peer.lines()).to.deep.equal(["return 1 resultsSentElsewhere", "finish 0"]);
      expect((await rejection(making)).message).to.equal("no");
      peer.send(finish(1));
      await end();
    }
  });

  it("come through although the peer finishes the call first", async () => {
    const make = pending((context) => {
      context.results.node = inner;
    });
    const { peer, making, end } = await tailCall({ make_context: make.method });
    const inner = peer.servers.make();
    peer.call(1, { importedCap: 0 }, "make", undefined, yourself).send(take(0, 1)).send(finish(1));
    expect(await peer.lines()).to.deep.equal(["return 1 resultsSentElsewhere"]);
    expect(make.aborted).to.deep.equal([]);
    make.ends[0]?.();
    expect(await peer.lines()).to.deep.equal(["finish 0"]);
    (await making).node.release();
    await end();
  });

  it("keep the order of calls that were pipelined before", async () => {
    const calls: number[] = [];
    const make = pending((context) => {
      context.results.node = inner;
    });
    const { peer, making, end } = await tailCall({ make_context: make.method });
    const inner = peer.servers.make(orderly(calls));
    const first = making.node.order(0);
    expect(await peer.lines()).to.deep.equal(["call 1 to answer 0[0]"]);
    peer.call(1, { importedCap: 0 }, "make", undefined, yourself).send(take(0, 1));
    expect(await peer.lines()).to.deep.equal(["disembargo senderLoopback to answer 0[0]"]);
    const second = making.node.order(1);
    make.ends[0]?.();
    expect(await peer.lines()).to.deep.equal(["return 1 resultsSentElsewhere", "finish 0"]);
    // The owner of the results may be done with them while the pipelined call is still on its way.
    const { node } = await making;
    const third = node.order(2);
    await turn();
    expect(calls).to.deep.equal([]);
    node.release();
    const path = { promisedAnswer: { questionId: 1, transform: [{ getPointerField: 0 }] } };
    peer.call(2, path, "order", undefined, yourself).send(take(1, 2));
    peer.send({ disembargo: { target: path, context: { receiverLoopback: 0 } } });
    expect(await peer.lines()).to.deep.equal(["return 2 resultsSentElsewhere", "finish 1"]);
    await Promise.all([first, second, third]);
    expect(calls).to.deep.equal([0, 1, 2]);
    peer.send(finish(2)).send(finish(1));
    making[Symbol.dispose]();
    await end();
  });

  it("keep that order for calls that ask for the capability anew, by a call that was passed on within the vat", async () => {
    const calls: number[] = [];
    const clients: Loose[] = [];
    const servers = new Servers();
    const relay = new testSchema.Node.Client(
      servers.make({ make_context: (context: Loose) => context.tailCall(clients[0].makeRequest("x")) }),
    );
    const make = pending((context) => {
      context.results.node = servers.make(orderly(calls));
    });
    const make_context = (context: Loose) =>
      context.params.name === "relay" ? context.tailCall(relay.makeRequest("x")) : make.method(context);
    const peer = await withClient({ make_context }, clients, servers);
    const nodeOf = (questionId: number) => ({ promisedAnswer: { questionId, transform: [{ getPointerField: 0 }] } });
    const order = (questionId: number, target: object, n: number): ScriptedPeer =>
      peer.call(questionId, target, "order", (params) => {
        params.n = n;
      });

    peer.call(5, { importedCap: 0 }, "make", (params) => {
      params.name = "relay";
    });
    order(6, nodeOf(5), 0);
    expect(await peer.lines()).to.deep.equal([
      "call 0 to import 9",
      "call 1 to answer 0[0]",
      "return 6 takeFromOtherQuestion",
    ]);
    peer.call(1, { importedCap: 0 }, "make", undefined, yourself).send(take(0, 1));
    order(7, nodeOf(5), 1);
    expect(await peer.lines()).to.deep.equal(["disembargo senderLoopback to answer 0[0]"]);
    order(2, nodeOf(1), 0);
    peer.send({ disembargo: { target: nodeOf(1), context: { receiverLoopback: 0 } } });
    order(8, nodeOf(5), 2);
    await peer.settle();
    make.ends[0]?.();
    await peer.settle();
    expect(calls).to.deep.equal([0, 1, 2]);

    peer.send({ return: { answerId: 1, releaseParamCaps: false, resultsSentElsewhere: null } });
    for (const id of [1, 5, 6]) peer.send(finish(id));
    await peer.settle();
    relay.release();
    clients[0].release();
    peer.send(finish(0));
    await peer.expectEmpty();
  });

  it("are given up with the call that they were for: the peer cancels, and is answered", async () => {
    for (const when of ["before the Return", "after it"]) {
      const make = pending();
      const { peer, making, end } = await tailCall({ make_context: make.method });
      peer.call(1, { importedCap: 0 }, "make", undefined, yourself);
      await peer.settle();
      if (when === "after it") {
        peer.send(take(0, 1));
        await peer.settle();
      }
      making.cancel();
      expect((await rejection(making)).code).to.equal("CAPNP_CANCELED");
      expect(await peer.lines()).to.deep.equal(["finish 0"]);
      if (when === "before the Return") {
        peer.send(take(0, 1));
        expect(await peer.lines()).to.deep.equal(["return 1 resultsSentElsewhere"]);
        expect(make.aborted).to.deep.equal([0]);
      }
      peer.send(finish(1));
      expect(await peer.lines()).to.deep.equal(when === "after it" ? ["return 1 resultsSentElsewhere"] : []);
      expect(make.aborted).to.deep.equal([0]);
      make.ends[0]?.();
      await end();
    }
  });

  it("that nobody took are released with Finish", async () => {
    const { peer, making, end } = await tailCall({ make: () => inner });
    const inner = peer.servers.make();
    peer.call(1, { importedCap: 0 }, "make", undefined, yourself);
    await peer.settle();
    peer.send(finish(1));
    expect(await peer.lines()).to.deep.equal(["return 1 resultsSentElsewhere"]);
    expect(peer.servers.isDisposed(inner)).to.equal(true);
    peer.return(0, "make");
    await peer.settle();
    await making;
    await end();
  });

  it("can be taken once, and only from a call that keeps them", async () => {
    const twice = await tailCall({ make: () => undefined });
    const again = rejection(bootstrapOf(twice.peer.vat).make("y"));
    await twice.peer.heard();
    twice.peer.call(1, { importedCap: 0 }, "make", undefined, yourself).send(take(0, 1));
    await twice.peer.settle();
    await twice.making;
    twice.peer.send(take(1, 1));
    await twice.peer.settle();
    expect((await again).kind).to.equal("disconnected");
    await twice.peer.expectAbort("takeFromOtherQuestion names 1");
    const never = await tailCall({ never: () => new Promise(() => undefined) });
    never.peer.call(1, { importedCap: 0 }, "never").send(take(0, 1));
    await never.peer.settle();
    await rejection(never.making);
    const heard = await never.peer.heard();
    expect(heard.at(-1).abort.reason).to.include("takeFromOtherQuestion names 1");
  });

  it("end with the connection", async () => {
    const make = pending();
    const { peer, making } = await tailCall({ make_context: make.method });
    peer.call(1, { importedCap: 0 }, "make", undefined, yourself).send(take(0, 1));
    await peer.settle();
    peer.pair.b.destroy();
    await peer.settle();
    expect((await rejection(making)).kind).to.equal("disconnected");
    expect(make.aborted).to.deep.equal([0]);
    make.ends[0]?.();
    await turn();
    await peer.expectEmptyAfterClose();
  });
});
