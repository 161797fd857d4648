import { expect } from "chai";
import type { Loose } from "../../support/loose.ts";
import { deferred } from "../../support/nodes.ts";
import { testSchema } from "../../support/rpc-messages.ts";
import { ScriptedPeer, setIndex } from "../../support/scripted-peer.ts";
import { turn } from "../../support/vats.ts";

describe("a Disembargo from the peer", () => {
  const disembargo = (target: object, context: object) => ({ disembargo: { target, context } });

  it("that comes back for an embargo which does not stand ends the connection", async () => {
    const peer = ScriptedPeer.ofNode();
    peer.send(disembargo({ importedCap: 0 }, { receiverLoopback: 7 }));
    await peer.expectAbort("unknown embargo 7");
  });

  it("for a capability that does not lead back to it ends the connection", async () => {
    const peer = ScriptedPeer.ofNode();
    await peer.bootstrap().heard();
    peer.send(disembargo({ importedCap: 0 }, { senderLoopback: 7 }));
    await peer.expectAbort("does not lead back");
  });

  it("of two that wait for one promise ends the connection, and the promise stays with who else holds it", async () => {
    const promised = deferred();
    const peer = ScriptedPeer.ofNode({ make: () => ({ node: client }) });
    const client = new testSchema.Node.Client(promised.promise);
    const object = peer.servers.make({ order: ({ n }: Loose) => n });
    await peer.bootstrap().heard();
    peer.call(1, { importedCap: 0 }, "make");
    const [ret] = await peer.heard();
    const id: number = ret.return.results.capTable[0].senderPromise;
    for (const embargo of [7, 8]) peer.send(disembargo({ importedCap: id }, { senderLoopback: embargo }));
    await peer.settle();
    promised.resolve(object);
    expect((await peer.lines()).at(-1)).to.equal("abort");
    expect(peer.servers.isDisposed(object)).to.equal(false);
    expect((await client.order(3)).n).to.equal(3);
    client.release();
    await peer.expectEmptyAfterClose();
  });

  it("for an unknown export ends the connection, and so does one for an unknown answer", async () => {
    await ScriptedPeer.ofNode()
      .send(disembargo({ importedCap: 3 }, { senderLoopback: 7 }))
      .expectAbort("unknown export 3");
    await ScriptedPeer.ofNode()
      .send(disembargo({ promisedAnswer: { questionId: 5 } }, { senderLoopback: 7 }))
      .expectAbort("broken");
  });

  it("of level 3 is not implemented, and is sent back", async () => {
    const peer = ScriptedPeer.ofNode();
    for (const context of [{ accept: null }, { provide: 1 }]) {
      peer.send(disembargo({ importedCap: 0 }, context));
      const [which] = Object.keys(context);
      expect(await peer.lines()).to.deep.equal([`unimplemented (disembargo ${which} to import 0)`]);
    }
    await peer.expectEmpty();
  });

  /** The peer gives us a capability (its export 5) and gets a promise of ours as the result of question 1. */
  const promised = async () => {
    const { promise, resolve } = deferred();
    const kept: Loose[] = [];
    const peer = ScriptedPeer.ofNode({
      echo({ cap }: Loose) {
        kept.push(cap);
        return { cap: promise };
      },
    });
    await peer.bootstrap().heard();
    peer.call(
      1,
      { importedCap: 0 },
      "echo",
      (params) => setIndex(params, 0, 0),
      (call) => {
        call.params.capTable = [{ senderHosted: 5 }];
      },
    );
    const [ret] = await peer.heard();
    const id: number = ret.return.results.capTable[0].senderPromise;
    return { peer, kept, id, resolve };
  };

  it("waits until its target has resolved, and is sent back after the calls before it", async () => {
    const { peer, kept, id, resolve } = await promised();
    peer.call(2, { importedCap: id }, "order", (params) => {
      params.n = 1;
    });
    peer.send(disembargo({ importedCap: id }, { senderLoopback: 7 }));
    expect(await peer.lines()).to.deep.equal([]);
    resolve(kept[0]);
    expect(await peer.lines()).to.deep.equal([
      "call 0 to import 5",
      "return 2 takeFromOtherQuestion",
      `resolve ${id} receiverHosted 5`,
      "disembargo receiverLoopback to import 5",
    ]);
    peer.send({ return: { answerId: 0, releaseParamCaps: false, resultsSentElsewhere: null } });
    await peer.settle();
    peer.send({ release: { id, referenceCount: 1 } });
    for (const questionId of [0, 1, 2]) peer.send({ finish: { questionId, releaseResultCaps: questionId === 0 } });
    kept[0].release();
    await peer.expectEmpty();
  });

  it("whose target resolves to something else ends the connection, and nothing else", async () => {
    const { peer, kept, id, resolve } = await promised();
    peer.send(disembargo({ importedCap: id }, { senderLoopback: 7 }));
    await peer.settle();
    const local = peer.servers.make();
    resolve(local);
    await peer.settle();
    kept[0].release();
    await peer.expectAbort("does not lead back");
  });

  it("whose target never resolves is forgotten with the connection", async () => {
    const { peer, kept, id, resolve } = await promised();
    peer.send(disembargo({ importedCap: id }, { senderLoopback: 7 }));
    await peer.settle();
    kept[0].release();
    await peer.expectEmptyAfterClose();
    resolve(null);
    await turn();
  });

  it("goes where the Return said, though the promise there has resolved to our own capability since", async () => {
    const kept: Loose[] = [];
    const peer = ScriptedPeer.ofNode({
      echo({ cap }: Loose) {
        kept.push(cap.castAs(testSchema.Node));
        return cap;
      },
      order: ({ n }: Loose) => n,
    });
    await peer.bootstrap().heard();
    // The peer passes a promise (its export 5), gets it back, and only then resolves it to our own export 0.
    peer.call(
      1,
      { importedCap: 0 },
      "echo",
      (params) => setIndex(params, 0, 0),
      (call) => {
        call.params.capTable = [{ senderPromise: 5 }];
      },
    );
    const [ret] = await peer.heard();
    expect(ret.return.results.capTable[0].receiverHosted).to.equal(5);
    peer.send({ resolve: { promiseId: 5, cap: { receiverHosted: 0 } } });
    expect(await peer.lines()).to.deep.equal(["disembargo senderLoopback to import 5"]);
    // What the peer pipelined before it saw the Return arrives now, and its Disembargo behind it.
    peer.call(2, { promisedAnswer: { questionId: 1, transform: [{ getPointerField: 0 }] } }, "order");
    peer.send(
      disembargo({ promisedAnswer: { questionId: 1, transform: [{ getPointerField: 0 }] } }, { senderLoopback: 9 }),
    );
    expect(await peer.lines()).to.deep.equal([
      "call 0 to import 5",
      "return 2 takeFromOtherQuestion",
      "disembargo receiverLoopback to import 5",
    ]);
    peer.send(disembargo({ importedCap: 0 }, { receiverLoopback: 0 }));
    peer.send({ return: { answerId: 0, releaseParamCaps: false, resultsSentElsewhere: null } });
    await peer.settle();
    kept[0].release();
    for (const questionId of [0, 1, 2]) peer.send({ finish: { questionId, releaseResultCaps: questionId === 0 } });
    await peer.expectEmpty();
  });

  it("goes where the Resolve said, though the promise there has resolved to our own capability since", async () => {
    const { promise, resolve } = deferred();
    const kept: Loose[] = [];
    const peer = ScriptedPeer.ofNode({
      echo({ cap }: Loose) {
        kept.push(cap);
        return { cap: promise };
      },
    });
    await peer.bootstrap().heard();
    peer.call(
      1,
      { importedCap: 0 },
      "echo",
      (params) => setIndex(params, 0, 0),
      (call) => {
        call.params.capTable = [{ senderPromise: 5 }];
      },
    );
    const [ret] = await peer.heard();
    const id: number = ret.return.results.capTable[0].senderPromise;
    resolve(kept[0]);
    expect(await peer.lines()).to.deep.equal([`resolve ${id} receiverHosted 5`]);
    peer.send({ resolve: { promiseId: 5, cap: { receiverHosted: 0 } } });
    expect(await peer.lines()).to.deep.equal(["disembargo senderLoopback to import 5"]);
    peer.call(2, { importedCap: id }, "order");
    peer.send(disembargo({ importedCap: id }, { senderLoopback: 9 }));
    expect(await peer.lines()).to.deep.equal([
      "call 0 to import 5",
      "return 2 takeFromOtherQuestion",
      "disembargo receiverLoopback to import 5",
    ]);
    peer.send(disembargo({ importedCap: 0 }, { receiverLoopback: 0 }));
    peer.send({ return: { answerId: 0, releaseParamCaps: false, resultsSentElsewhere: null } });
    peer.send({ release: { id, referenceCount: 1 } });
    await peer.settle();
    kept[0].release();
    for (const questionId of [0, 1, 2]) peer.send({ finish: { questionId, releaseResultCaps: questionId === 0 } });
    await peer.expectEmpty();
  });

  it("goes to the question that the Return named, which stays open for it", async () => {
    // Our question 0 is pipelined on, and its capability is what we return; then it resolves to our own export.
    const peer = ScriptedPeer.ofNode({
      echo({ cap }: Loose) {
        const making = cap.make("x");
        cap.release();
        pipelines.push(making);
        return making.node;
      },
      order: ({ n }: Loose) => n,
    });
    const pipelines: Loose[] = [];
    await peer.bootstrap().heard();
    peer.call(
      1,
      { importedCap: 0 },
      "echo",
      (params) => setIndex(params, 0, 0),
      (call) => {
        call.params.capTable = [{ senderHosted: 5 }];
      },
    );
    const ret = (await peer.heard()).find((message) => message.which() === "return");
    expect(ret.return.results.capTable[0].receiverAnswer.questionId).to.equal(0);
    peer.return(0, "make", (results, answer) => {
      setIndex(results, 0, 0);
      answer.results.capTable = [{ receiverHosted: 0 }];
    });
    // Everything but Finish: the peer may yet call, or disembargo, what we described by this question.
    expect(await peer.lines()).to.deep.equal(["disembargo senderLoopback to answer 0[0]"]);
    peer.send(
      disembargo({ promisedAnswer: { questionId: 1, transform: [{ getPointerField: 0 }] } }, { senderLoopback: 9 }),
    );
    expect(await peer.lines()).to.deep.equal(["disembargo receiverLoopback to answer 0[0]"]);
    peer.send(disembargo({ importedCap: 0 }, { receiverLoopback: 0 }));
    for (const questionId of [0, 1]) peer.send({ finish: { questionId, releaseResultCaps: questionId === 0 } });
    expect(await peer.lines()).to.deep.equal(["finish 0"]);
    pipelines[0][Symbol.dispose]();
    await peer.expectEmpty();
  });
});
