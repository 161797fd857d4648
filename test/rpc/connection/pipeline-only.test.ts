import { expect } from "chai";
import { send } from "../../../lib/schema/method-call.ts";
import type { Loose } from "../../support/loose.ts";
import { deferred, pending, recorder } from "../../support/nodes.ts";
import { testSchema } from "../../support/rpc-messages.ts";
import { ScriptedPeer, setIndex } from "../../support/scripted-peer.ts";
import { bootstrapOf, rejection, Servers, turn, Vats } from "../../support/vats.ts";

const { Node } = testSchema;

const first = 2 ** 31;

describe("a request that is sent for its pipeline", () => {
  it("asks for no results, has an id of its own kind, and gets none", async () => {
    const calls: number[] = [];
    const { vats, node } = Vats.withNode({ make: () => inner });
    const inner = vats.server(recorder(calls));
    const request = node.makeRequest();
    request.name = "x";
    const pipeline = request.sendForPipeline();
    const ordered = pipeline.node.order(1);
    await vats.settle();
    expect((await ordered).n).to.equal(1);
    const [call] = vats.messages("call", "a");
    expect(call.onlyPromisePipeline).to.equal(true);
    expect(call.questionId).to.equal(first);
    expect(vats.messages("return", "b").map(({ answerId }) => answerId)).to.not.include(first);
    const { node: client } = pipeline;
    pipeline[Symbol.dispose]();
    await vats.settle();
    expect(vats.messages("finish", "a").map(({ questionId }) => questionId)).to.include(first);
    expect(() => client.order(2)).to.throw("released");
    node.release();
    await vats.expectEmpty();
  });

  it("goes on for as long as one of the capabilities is held elsewhere", async () => {
    const calls: number[] = [];
    const { vats, node } = Vats.withNode({ make: () => inner });
    const inner = vats.server(recorder(calls));
    const pipeline = node.makeRequest().sendForPipeline();
    const kept = pipeline.node.castAs(Node);
    pipeline[Symbol.dispose]();
    const ordered = kept.order(5);
    await vats.settle();
    await ordered;
    expect(calls).to.deep.equal([5]);
    for (const client of [kept, node]) client.release();
    await vats.expectEmpty();
  });

  it("that nobody calls anything on is canceled when it is disposed", async () => {
    const never = pending();
    const { vats, node } = Vats.withNode({ make_context: never.method });
    const pipeline = node.makeRequest().sendForPipeline();
    await vats.settle();
    pipeline[Symbol.dispose]();
    pipeline[Symbol.dispose]();
    await vats.settle();
    expect(never.aborted).to.deep.equal([0]);
    never.ends[0]?.();
    node.release();
    await vats.expectEmpty();
  });

  it("is ended when its pipeline is collected", async function () {
    if (globalThis.gc === undefined) this.skip();
    const never = pending();
    const { vats, node } = Vats.withNode({ make_context: never.method });
    (() => node.makeRequest().sendForPipeline())();
    await vats.settle();
    for (let i = 0; i < 50 && never.aborted.length === 0; i++) {
      globalThis.gc();
      await turn();
      await vats.settle();
    }
    expect(never.aborted).to.deep.equal([0]);
    never.ends[0]?.();
    node.release();
    await vats.expectEmpty();
  });

  it("tells of its failure through what is pipelined on it", async () => {
    const { vats, node } = Vats.withNode({ make: () => Promise.reject(new Error("no luck")) });
    const pipeline = node.makeRequest().sendForPipeline();
    const early = rejection(pipeline.node.order(1));
    await vats.settle();
    expect((await early).message).to.equal("remote exception: no luck");
    pipeline[Symbol.dispose]();
    node.release();
    await vats.expectEmpty();
  });

  it("is no promise, and is sent once", async () => {
    const { vats, node } = Vats.withNode({ make: () => null });
    const request = node.makeRequest();
    const pipeline = request.sendForPipeline();
    expect(await pipeline).to.equal(pipeline);
    expect(() => request.sendForPipeline()).to.throw("sent already");
    expect(() => send(request)).to.throw("sent already");
    pipeline[Symbol.dispose]();
    node.release();
    await vats.expectEmpty();
  });

  it("works within the vat: the results live until the pipeline is disposed", async () => {
    const calls: number[] = [];
    const vats = new Vats();
    const inner = vats.server(recorder(calls));
    const node = new Node.Client(vats.server({ make: () => inner }));
    const pipeline = node.makeRequest().sendForPipeline();
    await pipeline.node.order(1);
    await pipeline.node.order(2);
    expect(calls).to.deep.equal([1, 2]);
    expect(vats.servers.isDisposed(inner)).to.equal(false);
    pipeline[Symbol.dispose]();
    expect(vats.servers.isDisposed(inner)).to.equal(true);
    const never = pending();
    const waiting = new Node.Client(vats.server({ make_context: never.method }));
    const unused = waiting.makeRequest().sendForPipeline();
    await turn();
    unused[Symbol.dispose]();
    await turn();
    expect(never.aborted).to.deep.equal([0]);
    never.ends[0]?.();
    for (const client of [node, waiting]) client.release();
    await vats.expectEmpty();
  });

  it("on a promise that has resolved in the meantime goes where that leads", async () => {
    const calls: number[] = [];
    const { vats, node } = Vats.withNode({ make: () => done.promise });
    const done = deferred();
    const making = node.make("x");
    const request = making.node.makeRequest();
    const target = vats.server({ make: () => vats.server(recorder(calls)) });
    done.resolve({ node: target });
    await vats.settle();
    const pipeline = request.sendForPipeline();
    const ordered = pipeline.node.order(3);
    await vats.settle();
    await ordered;
    expect(calls).to.deep.equal([3]);
    pipeline[Symbol.dispose]();
    for (const client of [making.node, node]) client.release();
    making[Symbol.dispose]();
    await vats.expectEmpty();
  });

  it("fails as a whole where its params do not fit into a message, or the connection is gone", async () => {
    const servers = new Servers();
    const bootstrap = servers.make();
    const vats = new Vats({ servers, a: { limits: { maxMessageBytes: 4096 } }, b: { bootstrap } });
    const node = bootstrapOf(vats.a);
    const request = node.makeRequest();
    request.name = "x".repeat(5000);
    const pipeline = request.sendForPipeline();
    expect((await rejection(pipeline.node.order(1))).code).to.equal("CAPNP_FRAME_TOO_LARGE");
    await vats.settle();
    const open = node.makeRequest().sendForPipeline();
    const called = rejection(open.node.order(1));
    const late = node.makeRequest();
    vats.pair.a.destroy();
    await vats.settle();
    expect((await called).kind).to.equal("disconnected");
    const gone = late.sendForPipeline();
    expect((await rejection(gone.node.order(1))).kind).to.equal("disconnected");
    for (const one of [pipeline, open, gone]) one[Symbol.dispose]();
    node.release();
    await vats.expectEmptyAfterClose();
  });

  it("is passed on as one, by a tail call too", async () => {
    const calls: number[] = [];
    const held: Loose = {};
    const { vats, node } = Vats.withNode({
      hold({ cap }: Loose) {
        held.cap = cap;
      },
      make_context(context: Loose) {
        context.tailCall(held.cap.makeRequest());
      },
    });
    const inner = vats.server(recorder(calls));
    const holding = node.hold(vats.server({ make: () => inner }));
    await vats.settle();
    await holding;
    const pipeline = node.makeRequest().sendForPipeline();
    const ordered = pipeline.node.order(9);
    await vats.settle();
    await ordered;
    expect(calls).to.deep.equal([9]);
    const [passed] = vats.messages("call", "b");
    expect(passed.onlyPromisePipeline).to.equal(true);
    expect(passed.sendResultsTo.which()).to.equal("caller");
    pipeline[Symbol.dispose]();
    for (const client of [held.cap, node]) client.release();
    await vats.expectEmpty();
  });
});

describe("a question for its pipeline only, to a peer that does not know the hint", () => {
  /** A vat that has asked `make` of the peer's export 5 for its pipeline, with a capability in the params. */
  const asked = async () => {
    const held: Loose[] = [];
    const peer = ScriptedPeer.ofNode({
      hold({ cap }: Loose) {
        held.push(cap);
      },
    });
    await peer.bootstrap().heard();
    peer.call(
      1,
      { importedCap: 0 },
      "hold",
      (params) => setIndex(params, 0, 0),
      (call) => {
        call.params.capTable = [{ senderHosted: 5 }];
      },
    );
    await peer.heard();
    const ask = () => {
      const request = held[0].echoRequest();
      request.cap = peer.servers.make();
      return request.sendForPipeline();
    };
    const end = async (): Promise<void> => {
      held[0].release();
      peer.send({ finish: { questionId: 0, releaseResultCaps: true } });
      await peer.expectEmpty();
    };
    return { peer, ask, end };
  };

  it("does not read its Return; the capabilities in it are the peer's to release, those of the params are given back", async () => {
    const { peer, ask, end } = await asked();
    const pipeline = ask();
    const [call] = await peer.heard();
    expect(call.call.params.capTable[0].senderHosted).to.equal(1);
    peer.return(
      first,
      "echo",
      (results, ret) => {
        setIndex(results, 0, 0);
        ret.results.capTable = [{ senderHosted: 7 }];
      },
      { releaseParamCaps: true },
    );
    expect(await peer.lines()).to.deep.equal([]);
    expect(peer.vat.stats().imports).to.equal(1);
    expect(peer.vat.stats().exports).to.equal(1);
    pipeline[Symbol.dispose]();
    const [finish] = await peer.heard();
    expect(finish.finish.questionId).to.equal(first);
    expect(finish.finish.releaseResultCaps).to.equal(true);
    await end();
  });

  it("asks in the ordinary way from then on, and keeps the results for the pipeline", async () => {
    const { peer, ask, end } = await asked();
    const early = ask();
    await peer.settle();
    peer.return(first, "echo", undefined, { releaseParamCaps: true });
    await peer.heard();
    const later = ask();
    const [call] = await peer.heard();
    expect(call.call.onlyPromisePipeline).to.equal(false);
    expect(call.call.questionId).to.equal(0);
    const piped = later.cap.order(1);
    expect(await peer.lines()).to.deep.equal(["call 1 to answer 0[0]"]);
    peer.return(
      0,
      "echo",
      (results, ret) => {
        setIndex(results, 0, 0);
        ret.results.capTable = [{ senderHosted: 7 }];
      },
      { releaseParamCaps: true },
    );
    peer.return(1, "order");
    await peer.settle();
    await piped;
    await peer.heard();
    const more = later.cap.order(2);
    const [direct] = await peer.heard();
    expect(direct.call.target.importedCap).to.equal(7);
    peer.return(direct.call.questionId, "order");
    await peer.settle();
    await more;
    for (const one of [early, later]) one[Symbol.dispose]();
    expect(await peer.lines()).to.include("release 7 x1");
    // One that is dropped before it has returned is finished as any other, and its results are not read.
    const dropped = ask();
    dropped[Symbol.dispose]();
    const [, finish] = await peer.heard();
    expect(finish.finish.releaseResultCaps).to.equal(true);
    peer.return(finish.finish.questionId, "echo", undefined, { releaseParamCaps: true });
    await end();
  });

  it("is as if it had failed where the peer does not implement it", async () => {
    const { peer, ask, end } = await asked();
    const pipeline = ask();
    await peer.heard();
    const piped = rejection(pipeline.cap.order(1));
    await peer.heard();
    peer.send({ unimplemented: { call: { questionId: first } } });
    peer.send({ unimplemented: { call: { questionId: 0 } } });
    await peer.settle();
    expect((await piped).kind).to.equal("unimplemented");
    expect((await rejection(pipeline.cap.order(2))).kind).to.equal("unimplemented");
    pipeline[Symbol.dispose]();
    expect(await peer.lines()).to.deep.equal([]);
    // One that is gone is nobody's.
    peer.send({ unimplemented: { call: { questionId: first } } });
    await end();
  });

  it("must not be returned where none was asked", async () => {
    const peer = ScriptedPeer.ofNode();
    await peer.send({ return: { answerId: first, canceled: null } }).expectAbort("unknown question");
  });
});
