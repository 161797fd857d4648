import { expect } from "chai";
import { toHook } from "../../../lib/rpc/capability/client.ts";
import { type ClientHook, innermost } from "../../../lib/rpc/capability/client-hook.ts";
import { Payload } from "../../../lib/rpc/capability/payload.ts";
import { QueuedClient } from "../../../lib/rpc/capability/queued-client.ts";
import type { ConnectionState } from "../../../lib/rpc/connection/connection-state.ts";
import { PresetPipeline } from "../../../lib/rpc/connection/preset-pipeline.ts";
import { MessageBuilder } from "../../../lib/serialization/message.ts";
import { setCapability } from "../../../lib/serialization/pointer-builder.ts";
import type { Loose } from "../../support/loose.ts";
import { deferred, pending, recorder } from "../../support/nodes.ts";
import { ScriptedPeer } from "../../support/scripted-peer.ts";
import { rejection, Servers, Vats } from "../../support/vats.ts";

const finish = (questionId: number) => ({
  finish: { questionId, releaseResultCaps: true, requireEarlyCancellationWorkaround: false },
});
const made = (questionId: number) => ({
  promisedAnswer: { questionId, transform: [{ getPointerField: 0 }] },
});

describe("a pipeline that a method has set", () => {
  it("answers what is pipelined though the call itself never returns", async () => {
    const calls: number[] = [];
    const { vats, node } = Vats.withNode({
      make_context(context: Loose) {
        context.setPipeline({ node: inner });
        return new Promise((resolve) => context.signal.addEventListener("abort", resolve));
      },
    });
    const inner = vats.server(recorder(calls));
    const making = node.make("x");
    const ordered = making.node.order(1);
    await vats.settle();
    expect((await ordered).n).to.equal(1);
    expect(vats.messages("return", "b").map(({ answerId }) => answerId)).to.not.include(1);
    making.cancel();
    await rejection(making);
    making[Symbol.dispose]();
    node.release();
    await vats.expectEmpty();
  });

  /** The peer's question 1 is a call whose pipeline is set to a promise, before `inner` or what `result` gives is returned. */
  const preset = async (result: (inner: Loose, servers: Servers) => Loose = (inner) => inner) => {
    const calls: number[] = [];
    const announced = deferred();
    const make = pending((context) => {
      context.results.node = result(inner, peer.servers);
    });
    const peer = ScriptedPeer.ofNode({
      make_context(context: Loose) {
        context.setPipeline({ node: announced.promise });
        return make.method(context);
      },
    });
    const inner = peer.servers.make(recorder(calls));
    await peer.bootstrap().heard();
    const order = (questionId: number, n: number) =>
      peer.call(questionId, made(1), "order", (params) => {
        params.n = n;
      });
    peer.call(1, { importedCap: 0 }, "make");
    order(2, 0);
    await peer.settle();
    make.ends[0]?.();
    expect(await peer.lines()).to.deep.equal(["return 1 results"]);
    return { peer, calls, announced, inner, order };
  };

  it("holds back what comes after the Return until what came before has gone on its way", async () => {
    const { peer, calls, announced, inner, order } = await preset();
    order(3, 1);
    expect(await peer.lines()).to.deep.equal([]);
    announced.resolve(inner);
    expect(await peer.lines()).to.deep.equal(["return 2 results", "return 3 results"]);
    order(4, 2);
    expect(await peer.lines()).to.deep.equal(["return 4 results"]);
    expect(calls).to.deep.equal([0, 1, 2]);
    for (const id of [1, 0]) peer.send(finish(id));
    await peer.expectEmpty();
  });

  it("waits for the returned capability, too, where that is a promise", async () => {
    const returned = deferred();
    const { peer, calls, announced, inner, order } = await preset(() => returned.promise);
    order(3, 1);
    announced.resolve(inner);
    expect(await peer.lines()).to.deep.equal(["return 2 results"]);
    returned.resolve(inner);
    expect(await peer.lines()).to.deep.equal(["resolve 1 senderHosted 2", "return 3 results"]);
    expect(calls).to.deep.equal([0, 1]);
    peer.send({ release: { id: 2, referenceCount: 1 } });
    for (const id of [1, 0]) peer.send(finish(id));
    await peer.expectEmpty();
  });

  it("breaks what is pipelined after a Return with another capability: between two, no order can be kept", async () => {
    const { peer, announced, inner, order } = await preset((_inner, servers) => servers.make());
    announced.resolve(inner);
    await peer.settle();
    await peer.heard();
    order(3, 1);
    const [ret] = await peer.heard();
    expect(ret.return.exception.reason).to.include("setPipeline");
    for (const id of [3, 1, 0]) peer.send(finish(id));
    await peer.expectEmpty();
  });

  it("gives the error of a promise that breaks to what comes later as well", async () => {
    const { peer, announced, order } = await preset();
    announced.reject(new Error("never was"));
    const [early] = await peer.heard();
    expect(early.return.exception.reason).to.equal("never was");
    order(3, 1);
    const [late] = await peer.heard();
    expect(late.return.exception.reason).to.equal("never was");
    for (const id of [2, 3, 1, 0]) peer.send(finish(id));
    await peer.expectEmpty();
  });

  it("keeps one thing waiting for a promise, however often the peer mentions its place", () => {
    const atClose = new Set<object>();
    const servers = new Servers();
    const object = toHook(servers.make()) as ClientHook;
    const announced = new QueuedClient();
    const message = new MessageBuilder();
    setCapability(message.rootSegment, 0, object.addRef());
    const pipeline = new PresetPipeline(
      { atClose } as unknown as ConnectionState,
      { pipelined: () => announced.addRef() },
      new Payload(message.rootSegment, 0, 64),
      message.capTable,
    );
    for (let i = 0; i < 100; i++) pipeline.pipelined([]).release();
    expect(atClose.size).to.equal(1);
    const waiting = pipeline.pipelined([]);
    announced.resolve(object.addRef());
    expect(atClose.size).to.equal(0);
    expect(innermost(waiting)).to.equal(object);
    expect(pipeline.pipelined([])).to.equal(object);
    for (const hook of [waiting, announced, object, object]) hook.release();
    message.capTable.release();
    servers.expectDisposed();
  });

  it("lets go of what waits for it when the connection ends", async () => {
    const { peer, announced, inner, order } = await preset();
    order(3, 1);
    await peer.settle();
    await peer.expectEmptyAfterClose();
    announced.resolve(inner);
    await peer.settle();
  });

  it("holds for the results of a tail call, which takes the detour for it", async () => {
    const calls: number[] = [];
    const held: Loose = {};
    const { vats, node } = Vats.withNode({
      hold({ cap }: Loose) {
        held.cap = cap;
      },
      make_context(context: Loose) {
        context.setPipeline({ node: held.cap });
        context.tailCall(held.cap.makeRequest());
      },
    });
    const mine = vats.server({ ...recorder(calls), make: () => mine });
    const holding = node.hold(mine);
    await vats.settle();
    await holding;
    const making = node.make("x");
    const results = [making.node.order(1)];
    await vats.settle();
    results.push(making.node.order(2));
    await vats.settle();
    await Promise.all(results);
    expect(calls).to.deep.equal([1, 2]);
    expect(vats.messages("call", "b").map((call) => call.sendResultsTo.which())).to.deep.equal(["yourself", "caller"]);
    for (const client of [making.node, held.cap, node]) client.release();
    making[Symbol.dispose]();
    await vats.expectEmpty();
  });

  it("that turns out to be wrong breaks what is pipelined, and never the connection", async () => {
    for (const wrong of ["another", "broken"]) {
      const held: Loose = {};
      const { vats, node } = Vats.withNode({
        async make_context(context: Loose) {
          const announced = wrong === "another" ? vats.server() : Promise.reject(new Error("never was"));
          context.setPipeline({ node: announced });
          await Promise.resolve();
          context.results.node = held.cap;
        },
        hold({ cap }: Loose) {
          held.cap = cap;
        },
      });
      const holding = node.hold(vats.server({ order: ({ n }: Loose) => n }));
      await vats.settle();
      await holding;
      // The peer finds its own capability in the results, and asks for its older calls to be sent back first.
      const making = node.make("x");
      const early = Promise.resolve(making.node.order(1)).catch((error) => error);
      await vats.settle();
      await early;
      const late = making.node.order(2);
      await vats.settle();
      expect((await late).n).to.equal(2);
      expect(vats.messages("disembargo").map(({ context }) => context.which())).to.deep.equal([
        "senderLoopback",
        "receiverLoopback",
      ]);
      for (const client of [making.node, held.cap, node]) client.release();
      making[Symbol.dispose]();
      await vats.expectEmpty();
    }
  });
});
