import { expect } from "chai";
import type { Loose } from "../../support/loose.ts";
import { deferred, recorder } from "../../support/nodes.ts";
import { ScriptedPeer, setIndex } from "../../support/scripted-peer.ts";
import { bootstrapOf, rejection, Servers, turn, Vats } from "../../support/vats.ts";

/** A vat whose bootstrap capability is a promise, which a peer has asked for with question 0 and got as export `id`. */
const promised = async () => {
  const servers = new Servers();
  const { promise, resolve } = deferred();
  const peer = new ScriptedPeer({ bootstrap: () => promise as never }, servers);
  const [answer] = await peer.bootstrap().heard();
  const [descriptor] = answer.return.results.capTable;
  expect(descriptor.which()).to.equal("senderPromise");
  const id: number = descriptor.senderPromise;
  const end = async (): Promise<void> => {
    peer.send({ finish: { questionId: 0, releaseResultCaps: true } });
    await peer.expectEmpty();
  };
  return { peer, servers, id, resolve, end };
};

/** The bootstrap capability of the scripted peer: its export 12. */
const bootstrapOfPeer = async (peer: ScriptedPeer): Promise<Loose> => {
  const client = bootstrapOf(peer.vat);
  const asked = await peer.heard();
  expect(asked.map((message) => message.which())).to.deep.equal(["bootstrap"]);
  const answerId: number = asked[0].bootstrap.questionId;
  peer.send((message) => {
    const ret = message.init("return");
    ret.answerId = answerId;
    const results = ret.init("results");
    results.capTable = [{ senderHosted: 12 }];
    setIndex(ret.results, 0, 0);
  });
  expect(await peer.lines()).to.deep.equal([`finish ${answerId}`]);
  return client;
};

describe("a bootstrap capability that is a promise", () => {
  it("is described as one, and resolved under another id", async () => {
    const { peer, servers, id, resolve, end } = await promised();
    resolve(servers.make());
    const heard = await peer.heard();
    expect(heard).to.have.lengthOf(1);
    expect(heard[0].resolve.promiseId).to.equal(id);
    expect(heard[0].resolve.cap.which()).to.equal("senderHosted");
    expect(heard[0].resolve.cap.senderHosted).to.not.equal(id);
    peer.send({ release: { id: heard[0].resolve.cap.senderHosted, referenceCount: 1 } });
    await end();
  });

  it("and turns out to be null answers every call as null does, before and after", async () => {
    const { peer, id, resolve, end } = await promised();
    peer.call(1, { importedCap: id }, "order");
    resolve(null);
    const early = await peer.heard();
    peer.call(2, { importedCap: id }, "order");
    const late = await peer.heard();
    for (const [heard, answerId] of [
      [early, 1],
      [late, 2],
    ] as const) {
      const ret = heard.find((message) => message.which() === "return").return;
      expect(ret.answerId).to.equal(answerId);
      expect(ret.exception.reason).to.equal("Called null capability.");
      peer.send({ finish: { questionId: answerId } });
    }
    expect(early.filter((message) => message.which() === "disembargo")).to.deep.equal([]);
    const { resolve: resolved } = early.find((message) => message.which() === "resolve");
    expect(resolved.promiseId).to.equal(id);
    peer.send({ release: { id: resolved.cap.senderHosted, referenceCount: 1 } });
    await end();
  });

  it("and turns out to be the peer's own is resolved as that; a Disembargo comes back at once", async () => {
    const { peer, id, resolve, end } = await promised();
    const own = await bootstrapOfPeer(peer);
    resolve(own);
    expect(await peer.lines()).to.deep.equal([`resolve ${id} receiverHosted 12`]);
    peer.send({ disembargo: { target: { importedCap: id }, context: { senderLoopback: 7 } } });
    const [disembargo] = await peer.heard();
    expect(disembargo.disembargo.context.receiverLoopback).to.equal(7);
    expect(disembargo.disembargo.target.importedCap).to.equal(12);
    own.release();
    await end();
  });

  it("and turns out to be the peer's own gets the calls that were pipelined on the Bootstrap before the Disembargo", async () => {
    const { peer, id, resolve, end } = await promised();
    const question = 0xaabbccdd;
    peer.call(question, { promisedAnswer: { questionId: 0 } }, "order", (params) => {
      params.n = 1;
    });
    const own = await bootstrapOfPeer(peer);
    resolve(own);
    const heard = await peer.lines();
    expect(heard).to.include.members(["call 0 to import 12", `resolve ${id} receiverHosted 12`]);
    peer.send({ disembargo: { target: { importedCap: id }, context: { senderLoopback: 7 } } });
    expect(await peer.lines()).to.deep.equal(["disembargo receiverLoopback to import 12"]);
    // The call was passed back to the peer, which takes the results from itself.
    expect(heard).to.include(`return ${question} takeFromOtherQuestion`);
    peer.send({ return: { answerId: 0, releaseParamCaps: false, resultsSentElsewhere: null } });
    peer.send({ finish: { questionId: question } });
    expect(await peer.lines()).to.deep.equal(["finish 0"]);
    own.release();
    await end();
  });

  /** Two vats; a's bootstrap is a promise, which b has asked for, and b's is a server that records the order of calls. */
  const two = () => {
    const calls: number[] = [];
    const servers = new Servers();
    const { promise, resolve } = deferred();
    const vats = new Vats({
      servers,
      a: { bootstrap: () => promise as never },
      b: { bootstrap: servers.make(recorder(calls)) },
    });
    return { vats, calls, resolve, far: bootstrapOf(vats.b) };
  };

  it("and turns out to be the asker's own is called without the connection from then on", async () => {
    const { vats, calls, resolve, far } = two();
    const near = bootstrapOf(vats.a);
    await vats.settle();
    const early = near.order(1);
    await vats.settle();
    await early;
    resolve(near);
    await vats.settle();
    vats.pair.a.destroy();
    await vats.settle();
    expect((await far.order(2)).n).to.equal(2);
    expect(calls).to.deep.equal([1, 2]);
    far.release();
    await turn();
    await vats.expectEmptyAfterClose();
  });

  it("keeps the order of calls, however many there are, and whenever it turns out to be the asker's own", async () => {
    for (const count of [0, 1, 300]) {
      for (const at of new Set([-1, 0, Math.min(100, count), count])) {
        for (const awaited of [false, true]) {
          const { vats, calls, resolve, far } = two();
          const fulfill = async (): Promise<void> => {
            const near = bootstrapOf(vats.a);
            if (awaited) await vats.settle();
            resolve(near);
          };
          if (at < 0) await fulfill();
          const results: Promise<Loose>[] = [];
          for (let n = 0; n < count; n++) {
            results.push(far.order(n));
            if (n === at) await fulfill();
            if (n % 100 === 0) await vats.settle();
          }
          if (at >= count) await fulfill();
          await vats.settle();
          const expected = Array.from({ length: count }, (_, n) => n);
          expect((await Promise.all(results)).map((result) => result.n)).to.deep.equal(expected);
          expect(calls, `${count} calls, resolved at ${at}`).to.deep.equal(expected);
          vats.pair.b.destroy();
          await vats.settle();
          expect((await far.order(count)).n, "the way was cut short").to.equal(count);
          far.release();
          await turn();
          await vats.expectEmptyAfterClose();
        }
      }
    }
  });

  it("and breaks fails every call with its error", async () => {
    const { promise, reject } = deferred();
    const vats = new Vats({ b: { bootstrap: () => promise as never } });
    const node = bootstrapOf(vats.a);
    const early = rejection(node.order(1));
    await vats.settle();
    reject(new Error("no bootstrap today"));
    await vats.settle();
    const late = rejection(node.order(2));
    await vats.settle();
    for (const failed of [early, late]) expect((await failed).message).to.include("no bootstrap today");
    node.release();
    await vats.expectEmpty();
  });
});
