import { expect } from "chai";
import type { Loose } from "../../support/loose.ts";
import { deferred, echoBack, pending, recorder } from "../../support/nodes.ts";
import { testSchema } from "../../support/rpc-messages.ts";
import { ScriptedPeer, setIndex } from "../../support/scripted-peer.ts";
import { bootstrapOf, rejection, Servers, turn, Vats } from "../../support/vats.ts";

const { Node } = testSchema;

const finish = (questionId: number, releaseResultCaps = false) => ({
  finish: { questionId, releaseResultCaps, requireEarlyCancellationWorkaround: false },
});
const sentElsewhere = (answerId: number) => ({
  return: { answerId, releaseParamCaps: false, resultsSentElsewhere: null },
});
const first = (questionId: number) => ({
  promisedAnswer: { questionId, transform: [{ getPointerField: 0 }] },
});

/**
 * Vats of which b passes `echo` on to the capability that it is given, as that one's own `echo`: a tail call to whoever asked,
 * where that is the one who gave it.
 */
const passingOn = (options: object = {}) => {
  const servers = new Servers();
  const bootstrap = servers.make({
    echo_context(context: Loose) {
      const { cap } = context.params;
      const request = cap.echoRequest();
      cap.release();
      context.tailCall(request);
    },
  });
  const vats = new Vats({ servers, b: { bootstrap, ...options } });
  return { vats, node: bootstrapOf(vats.a) };
};

/** Where the results of calls went, by their Returns. */
const returns = (vats: Vats, from: "a" | "b"): string[] => vats.messages("return", from).map((ret) => ret.which());

describe("a tail call to the one who asked", () => {
  it("keeps the results where they are wanted: they are taken from the other question", async () => {
    const { vats, node } = passingOn();
    const inner = vats.server({ add: () => 42 });
    const asked = node.echo(vats.server({ echo: () => inner }));
    await vats.settle();
    const { cap } = await asked;
    expect(vats.messages("call", "b").map((call) => call.sendResultsTo.which())).to.deep.equal(["yourself"]);
    expect(returns(vats, "b")).to.deep.equal(["results", "takeFromOtherQuestion"]);
    expect(returns(vats, "a")).to.deep.equal(["resultsSentElsewhere"]);
    const sent = vats.log.length;
    // What came back is our own object: no message is needed to call it.
    expect((await cap.add(1, 2)).sum).to.equal(42);
    await vats.settle();
    expect(vats.log.slice(sent).filter(({ message }) => message.which() === "call")).to.deep.equal([]);
    for (const client of [cap, node]) client.release();
    await vats.expectEmpty();
  });

  it("keeps the order of calls that are pipelined on its results, before and after they came: 0 to 5", async () => {
    const calls: number[] = [];
    const { vats, node } = passingOn();
    const inner = vats.server(recorder(calls));
    const done = deferred();
    const asked = node.echo(vats.server({ echo: () => done.promise }));
    const results = [asked.cap.order(0), asked.cap.order(1)];
    await vats.settle();
    results.push(asked.cap.order(2));
    done.resolve(inner);
    await vats.settle();
    const { cap } = await asked;
    for (const n of [3, 4]) results.push(cap.order(n));
    results.push(asked.cap.order(5));
    await vats.settle();
    expect((await Promise.all(results)).map(({ n }) => n)).to.deep.equal([0, 1, 2, 3, 4, 5]);
    expect(calls).to.deep.equal([0, 1, 2, 3, 4, 5]);
    for (const client of [cap, asked.cap, node]) client.release();
    asked[Symbol.dispose]();
    await vats.expectEmpty();
  });

  it("fails as the other call does", async () => {
    const { vats, node } = passingOn();
    const asked = rejection(node.echo(vats.server({ echo: () => Promise.reject(new Error("not here")) })));
    await vats.settle();
    expect((await asked).message).to.include("not here");
    expect(returns(vats, "b")).to.deep.equal(["results", "takeFromOtherQuestion"]);
    node.release();
    await vats.expectEmpty();
  });

  it("is canceled with the call: nothing is left of either", async () => {
    const { vats, node } = passingOn();
    const never = pending();
    const asked = node.echo(vats.server({ echo_context: never.method }));
    await vats.settle();
    expect(never.ends).to.have.lengthOf(1);
    asked.cancel();
    await rejection(asked);
    await vats.settle();
    expect(never.aborted).to.deep.equal([0]);
    never.ends[0]?.();
    asked[Symbol.dispose]();
    node.release();
    await vats.expectEmpty();
  });

  it("may be canceled while the Return that names the other question is on its way", async () => {
    for (const hops of [1, 2, 3, 4, 5, 6]) {
      const { vats, node } = passingOn();
      const never = pending();
      const target = vats.server({ echo_context: never.method });
      await vats.settle();
      const asked = node.echo(target);
      // One message at a time, so that the cancellation meets the tail call at every point of its way.
      for (let i = 0; i < hops; i++) {
        vats.pair.step();
        await turn();
      }
      asked.cancel();
      await rejection(asked);
      await vats.settle();
      expect(never.aborted).to.have.lengthOf(never.ends.length);
      for (const end of never.ends) end();
      node.release();
      asked[Symbol.dispose]();
      await vats.expectEmpty();
    }
  });

  it("takes the detour where the option says so", async () => {
    const { vats, node } = passingOn({ tailCalls: false });
    const asked = node.echo(vats.server({ echo_context: echoBack }));
    await vats.settle();
    await asked;
    expect(vats.messages("call", "b").map((call) => call.sendResultsTo.which())).to.deep.equal(["caller"]);
    expect(returns(vats, "b")).to.deep.equal(["results", "results"]);
    node.release();
    await vats.expectEmpty();
  });

  it("is one also where a call is only forwarded to a capability that its caller hosts", async () => {
    const calls: number[] = [];
    const { vats, node } = Vats.withNode({ echo_context: echoBack });
    const asked = node.echo(vats.server(recorder(calls)));
    const called = asked.cap.order(7);
    await vats.settle();
    expect((await called).n).to.equal(7);
    expect(returns(vats, "b")).to.deep.equal(["results", "results", "takeFromOtherQuestion"]);
    for (const client of [asked.cap, node]) client.release();
    asked[Symbol.dispose]();
    await vats.expectEmpty();
  });

  it("to another vat is passed on without a shortcut", async () => {
    const servers = new Servers();
    const far = servers.make({ add: ({ a, b }: Loose) => a + b });
    const behind = new Vats({ servers, b: { bootstrap: far } });
    const third = bootstrapOf(behind.a);
    const { vats, node } = Vats.withNode({
      add_context(context: Loose) {
        const { a, b } = context.params;
        const request = third.addRequest();
        Object.assign(request, { a, b });
        context.tailCall(request);
      },
    });
    const sum = node.add(20, 22);
    for (let i = 0; i < 4; i++) {
      await vats.settle();
      await behind.settle();
    }
    expect((await sum).sum).to.equal(42);
    expect(returns(vats, "b")).to.deep.equal(["results", "results"]);
    for (const client of [third, node]) client.release();
    await vats.expectEmpty();
    await behind.expectEmpty();
  });

  it("on a promise that resolves to the caller's own capability before it is sent is one, too", async () => {
    const held: Loose[] = [];
    const requests: Loose[] = [];
    const { vats, node } = Vats.withNode({
      hold({ cap }: Loose) {
        held.push(cap);
      },
      never_context(context: Loose) {
        requests.push(held[0].neverRequest());
        return wait.promise.then(() => context.tailCall(requests[0]));
      },
    });
    const wait = deferred();
    const promised = deferred();
    const holding = node.hold(promised.promise);
    const asked = node.never(null);
    await vats.settle();
    await holding;
    const server = vats.server({ never: () => null });
    promised.resolve(server);
    await vats.settle();
    wait.resolve(undefined);
    await vats.settle();
    expect((await asked).cap).to.equal(null);
    expect(returns(vats, "b").at(-1)).to.equal("takeFromOtherQuestion");
    for (const client of [held[0], node]) client.release();
    await vats.expectEmpty();
  });

  it("ends with the connection", async () => {
    const { vats, node } = passingOn();
    const never = pending();
    const asked = node.echo(vats.server({ echo_context: never.method }));
    const piped = rejection(asked.cap.order(1));
    await vats.settle();
    vats.pair.a.destroy();
    await vats.settle();
    expect((await rejection(asked)).kind).to.equal("disconnected");
    expect((await piped).kind).to.equal("disconnected");
    never.ends[0]?.();
    for (const client of [asked.cap, node]) client.release();
    await turn();
    await vats.expectEmptyAfterClose();
  });
});

describe("a call of ours whose results stay with the peer", () => {
  /** The peer has called `echo` as question 1 with its export 5, and was told to take the results from our question 0. */
  const passed = async () => {
    const peer = ScriptedPeer.ofNode({
      echo_context(context: Loose) {
        const { cap } = context.params;
        const request = cap.echoRequest();
        cap.release();
        context.tailCall(request);
      },
    });
    await peer.bootstrap().heard();
    const ask = (questionId: number) =>
      peer.call(
        questionId,
        { importedCap: 0 },
        "echo",
        (params) => setIndex(params, 0, 0),
        (call) => {
          call.params.capTable = [{ senderHosted: 5 }];
        },
      );
    ask(1);
    const heard = await peer.heard();
    expect(heard.map((message) => message.which())).to.deep.equal(["call", "release", "return"]);
    expect(heard[0].call.sendResultsTo.which()).to.equal("yourself");
    expect(heard[2].return.takeFromOtherQuestion).to.equal(heard[0].call.questionId);
    const end = async (): Promise<void> => {
      peer.send(finish(0, true));
      await peer.expectEmpty();
    };
    return { peer, ask, end };
  };

  it("is finished when the peer finishes what they were for, and not before", async () => {
    const { peer, end } = await passed();
    peer.send(sentElsewhere(0));
    expect(await peer.lines()).to.deep.equal([]);
    peer.send(finish(1));
    expect(await peer.lines()).to.deep.equal(["finish 0"]);
    await end();
  });

  it("is canceled where the peer finishes first", async () => {
    const { peer, end } = await passed();
    peer.send(finish(1));
    const [message, ...rest] = await peer.heard();
    expect(message.finish.questionId).to.equal(0);
    expect(message.finish.releaseResultCaps, "there may be results on their way").to.equal(true);
    expect(rest).to.deep.equal([]);
    // The id is free again only now.
    expect(peer.vat.stats().questions).to.equal(1);
    peer.send(sentElsewhere(0));
    await end();
  });

  it("is where calls go that are pipelined on the call, and stays open for them", async () => {
    const { peer, end } = await passed();
    peer.call(2, first(1), "order").send(sentElsewhere(0));
    expect(await peer.lines()).to.deep.equal(["call 1 to answer 0[0]", "return 2 takeFromOtherQuestion"]);
    peer.send({ disembargo: { target: first(1), context: { senderLoopback: 3 } } });
    expect(await peer.lines()).to.deep.equal(["disembargo receiverLoopback to answer 0[0]"]);
    peer.send(finish(1)).send(sentElsewhere(1)).send(finish(2));
    expect(await peer.lines()).to.deep.equal(["finish 0", "finish 1"]);
    await end();
  });

  it("must be returned as resultsSentElsewhere, and as nothing else", async () => {
    for (const wrong of [
      { exception: { reason: "x" } },
      { canceled: null },
      { results: {} },
      { takeFromOtherQuestion: 1 },
    ]) {
      const { peer } = await passed();
      peer.send({ return: { answerId: 0, releaseParamCaps: false, ...wrong } });
      await peer.expectAbort("whose results were to stay");
    }
  });

  it("needs no Finish where its Return says so; calls pipelined later are broken", async () => {
    const { peer, end } = await passed();
    peer.send({ return: { ...sentElsewhere(0).return, noFinishNeeded: true } });
    peer.call(2, first(1), "order");
    const [ret] = await peer.heard();
    expect(ret.return.exception.reason).to.include("Pipeline call on a request");
    peer.send(finish(1)).send(finish(2));
    expect(await peer.lines()).to.deep.equal([]);
    await end();
  });

  it("is not made again to a peer that does not implement it: later calls take the detour", async () => {
    const { peer, ask, end } = await passed();
    peer.send((message) => {
      const call = message.init("unimplemented").init("call");
      call.questionId = 0;
      call.sendResultsTo.yourself = null;
    });
    expect(await peer.lines()).to.deep.equal([]);
    ask(2);
    const [call, release] = await peer.heard();
    expect(call.call.sendResultsTo.which()).to.equal("caller");
    expect(release.which()).to.equal("release");
    peer.return(call.call.questionId, "echo");
    expect(await peer.lines()).to.deep.equal(["finish 0", "return 2 results"]);
    peer.send(finish(1)).send(finish(2));
    await end();
  });

  it("gets the call an exception where the peer does not know takeFromOtherQuestion", async () => {
    const { peer, ask, end } = await passed();
    peer.send({ unimplemented: { return: { answerId: 1, takeFromOtherQuestion: 0 } } });
    const [ret, cancel] = await peer.heard();
    expect(ret.return.exception.type).to.equal("unimplemented");
    expect(cancel.finish.questionId).to.equal(0);
    peer.send(sentElsewhere(0));
    ask(2);
    const [call] = await peer.heard();
    expect(call.call.sendResultsTo.which()).to.equal("caller");
    peer.return(call.call.questionId, "echo");
    peer.send(finish(1)).send(finish(2));
    await end();
  });

  it("is no answer to a Return that promised nothing of the kind", async () => {
    await ScriptedPeer.ofNode()
      .send({ unimplemented: { return: { answerId: 1, takeFromOtherQuestion: 0 } } })
      .expectAbort("does not implement Return");
  });
});

describe("a method that returns the promise of another call", () => {
  it("passes on at once what is pipelined on its results", async () => {
    const calls: number[] = [];
    const done = deferred();
    const { vats, node } = Vats.withNode({
      make() {
        promise = other.make("x");
        return promise;
      },
    });
    let promise: Loose;
    const inner = vats.server(recorder(calls));
    const other = new Node.Client(
      vats.server({
        make_context(context: Loose) {
          context.setPipeline({ node: inner });
          return done.promise.then(() => {
            context.results.node = inner;
          });
        },
      }),
    );
    const making = node.make("x");
    const early = making.node.order(1);
    await vats.settle();
    expect((await early).n).to.equal(1);
    done.resolve(undefined);
    await vats.settle();
    const { node: made } = await making;
    const late = made.order(2);
    await vats.settle();
    await late;
    expect(calls).to.deep.equal([1, 2]);
    for (const client of [made, making.node, other, node]) client.release();
    for (const one of [making, promise]) one[Symbol.dispose]();
    await vats.expectEmpty();
  });
});
