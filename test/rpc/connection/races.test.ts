import { expect } from "chai";
import type { Loose } from "../../support/loose.ts";
import { recorder } from "../../support/nodes.ts";
import { describeCapTable, describeMessage, testSchema } from "../../support/rpc-messages.ts";
import { ScriptedPeer, setIndex } from "../../support/scripted-peer.ts";
import { bootstrapOf, rejection, turn, Vats } from "../../support/vats.ts";

const { Node } = testSchema;
const firstResult = { transform: [{ getPointerField: 0 }] };

/** A scripted peer whose bootstrap capability, its export 0, the vat has. */
const peerWithNode = async (methods: Loose = {}): Promise<{ peer: ScriptedPeer; node: Loose }> => {
  const peer = ScriptedPeer.ofNode(methods);
  const node = bootstrapOf(peer.vat);
  await peer.heard();
  peer.send((message) => {
    const ret = message.init("return");
    ret.answerId = 0;
    const results = ret.init("results");
    results.capTable = [{ senderHosted: 0 }];
    setIndex(results, 0, 0);
  });
  await peer.heard();
  return { peer, node };
};

/** What the fuzzer of test/fuzz/rpc-model came upon. */
describe("a race", () => {
  it("of calls on one of two places with the same capability leaves the embargo of that place alone", async () => {
    const calls: number[] = [];
    const { vats, node } = Vats.withNode({
      two_context({ params, results }: Loose) {
        const { first, second } = params;
        results.first = first;
        results.second = second;
        first.release();
        second.release();
      },
    });
    const mine = new Node.Client(vats.server(recorder(calls)));
    const two = node.two(mine, mine);
    const order = [two.first.order(0), two.first.order(1)];
    const { second } = two;
    while (vats.pair.a.held.length > 0) vats.pair.a.deliver(1);
    await turn();
    // The results are here, and what was called on them has not come back yet.
    vats.pair.b.deliver(2);
    const read = (await two).first;
    order.push(read.order(2));
    await turn();
    await vats.settle();
    await Promise.all(order);
    expect(calls).to.deep.equal([0, 1, 2]);
    for (const client of [read, second, mine, node]) client.release();
    two[Symbol.dispose]();
    await vats.expectEmpty();
  });

  it("of two calls whose results hold places in each other's keeps neither of them, and the way between them", async () => {
    let asked: Loose;
    const { peer, node } = await peerWithNode({ make: () => ({ node: asked.first }) });
    await peer.bootstrap().heard();
    asked = node.two(null, null);
    peer.call(1, { importedCap: 0 }, "make");
    const [call, ret] = await peer.heard();
    expect(describeMessage(call)).to.equal("call 0 to import 0");
    expect(describeCapTable(ret.return.results)).to.deep.equal(["receiverAnswer 0[0]"]);
    peer.return(0, "two", (results, { results: payload }) => {
      payload.capTable = [{ senderHosted: 5 }, { receiverAnswer: { questionId: 1, ...firstResult } }];
      setIndex(results, 0, 0);
      setIndex(results, 1, 1);
    });
    // The peer hosts what we had said is a place in these results: nobody has to be told of that place any more.
    expect(await peer.lines()).to.deep.equal(["finish 0"]);
    const made = { promisedAnswer: { questionId: 1, ...firstResult } };
    peer.call(2, made, "order");
    peer.send({ disembargo: { target: made, context: { senderLoopback: 7 } } });
    expect(await peer.lines()).to.deep.equal([
      "call 0 to import 5",
      "return 2 takeFromOtherQuestion",
      "disembargo receiverLoopback to import 5",
    ]);
    peer.send({ return: { answerId: 0, releaseParamCaps: false, resultsSentElsewhere: null } });
    for (const id of [2, 1]) peer.send({ finish: { questionId: id, releaseResultCaps: false } });
    await peer.heard();
    asked[Symbol.dispose]();
    expect(await peer.lines()).to.deep.equal(["release 5 x1"]);
    peer.send({ finish: { questionId: 0, releaseResultCaps: true } });
    node.release();
    await peer.expectEmpty();
  });

  it("of answers to a question that is still to be finished ends the connection, and nothing is left of the second", async () => {
    for (const [second, reason] of [
      [
        { return: { answerId: 0, results: { capTable: [{ receiverHosted: 0 }, { senderHosted: 9 }] } } },
        "second Return",
      ],
      [{ unimplemented: { call: { questionId: 0 } } }, "was answered"],
    ] as const) {
      let asked: Loose;
      const { peer, node } = await peerWithNode({ make: () => ({ node: asked.first }) });
      await peer.bootstrap().heard();
      asked = node.two(peer.servers.make(), null);
      peer.call(1, { importedCap: 0 }, "make");
      await peer.heard();
      peer.return(0, "two", (results, { results: payload }) => {
        payload.capTable = [{ senderPromise: 5 }];
        setIndex(results, 0, 0);
      });
      // The peer was told that a capability is a place in these results: Finish waits for that.
      expect(await peer.lines()).to.deep.equal([]);
      peer.send(second);
      asked[Symbol.dispose]();
      node.release();
      await peer.expectAbort(reason);
    }
  });

  it("of a Disembargo and the end of the call whose results it is about does not end the connection", async () => {
    let call: Loose;
    const { peer, node } = await peerWithNode({
      echo_context({ results }: Loose) {
        results.cap = call.cap;
      },
    });
    call = node.echo(null);
    peer.bootstrap(0).call(1, { promisedAnswer: { questionId: 0 } }, "echo");
    const returned = (await peer.heard()).find(
      (message) => message.which() === "return" && message.return.answerId === 1,
    );
    const { questionId } = returned.return.results.capTable[0].receiverAnswer;
    call.cancel();
    await rejection(call);
    peer.send({
      disembargo: { target: { promisedAnswer: { questionId: 1, ...firstResult } }, context: { senderLoopback: 7 } },
    });
    const lines = await peer.lines();
    expect(lines).to.include(`disembargo receiverLoopback to answer ${questionId}[0]`);
    expect(lines).not.to.include("abort");
    node.release();
    await peer.settle();
    await peer.expectEmptyAfterClose();
  });

  it("that makes a capability of ours the one of the peer's beside it embargoes neither on account of the other", async () => {
    let done: () => void = () => undefined;
    const { peer, node } = await peerWithNode({
      two_context(context: Loose) {
        const { first } = context.params;
        context.setPipeline({ first });
        return new Promise<void>((resolve) => {
          done = () => {
            context.results.first = first;
            first.release();
            resolve();
          };
        });
      },
    });
    peer.bootstrap(0).call(
      1,
      { promisedAnswer: { questionId: 0 } },
      "two",
      (params) => setIndex(params, 0, 0),
      (call) => {
        call.params.capTable = [{ senderPromise: 5 }];
      },
    );
    const two = node.two(null, null);
    const used = rejection(two.first.order(1));
    const sent = await peer.heard();
    const { questionId } = sent.findLast((message) => message.which() === "call" && message.call.methodId === 14).call;
    peer.return(questionId, "two", (results, ret) => {
      ret.results.capTable = [{ senderPromise: 5 }, { receiverAnswer: { questionId: 1, ...firstResult } }];
      setIndex(results, 0, 0);
      setIndex(results, 1, 1);
    });
    const lines = await peer.lines();
    expect(lines.filter((line) => line.startsWith("disembargo"))).to.deep.equal([]);
    done();
    two[Symbol.dispose]();
    node.release();
    await peer.settle();
    await peer.expectEmptyAfterClose();
    await used;
  });

  it("of a Return and the end of another connection, which that Return brings about, leaves no question behind", async () => {
    const { peer, node } = await peerWithNode();
    const other = new ScriptedPeer({ bootstrap: node });
    other.bootstrap(0).call(1, { promisedAnswer: { questionId: 0 } }, "echo");
    other.send({
      disembargo: { target: { promisedAnswer: { questionId: 1, ...firstResult } }, context: { senderLoopback: 0 } },
    });
    await other.settle();
    const sent = await peer.heard();
    const { questionId } = sent.find((message) => message.which() === "call").call;
    // What was to be disembargoed breaks, which is against the protocol; so the call is given up just as it returns.
    peer.send({ return: { answerId: questionId, exception: { reason: "over" }, releaseParamCaps: false } });
    await peer.settle();
    await other.expectAbort("Disembargo");
    await peer.settle();
    expect(peer.vat.stats().questions).to.equal(0);
    node.release();
    await peer.settle();
    await peer.expectEmptyAfterClose();
  });
});
