import { expect } from "chai";
import { ScriptedPeer, setIndex } from "../../support/scripted-peer.ts";
import { bootstrapOf, rejection } from "../../support/vats.ts";

/** A vat that has the bootstrap capability of a scripted peer (its export 3), and four calls pipelined on a call of `make`. */
const pipelined = async () => {
  const peer = new ScriptedPeer();
  const node = bootstrapOf(peer.vat);
  await peer.heard();
  peer.send((message) => {
    const ret = message.init("return");
    ret.init("results").capTable = [{ senderHosted: 3 }];
    setIndex(ret.results, 0, 0);
  });
  await peer.heard();
  const making = node.make("x");
  const calls = [0, 1, 2, 3].map((n) => making.node.order(n));
  return { peer, node, making, calls };
};

describe("a question that calls are pipelined on", () => {
  const made = { senderHosted: 7 };

  it("is finished behind them, and once; what its Return brought is kept", async () => {
    const { peer, node, making, calls } = await pipelined();
    expect(await peer.lines()).to.deep.equal([
      "call 0 to import 3",
      ...[1, 2, 3, 4].map((id) => `call ${id} to answer 0[0]`),
    ]);
    peer.return(0, "make", (results, ret) => {
      setIndex(results, 0, 0);
      ret.results.capTable = [made];
    });
    const after = await peer.heard();
    expect(after.map((message) => message.which())).to.deep.equal(["finish"]);
    expect(after[0].finish.questionId).to.equal(0);
    expect(after[0].finish.releaseResultCaps).to.equal(false);
    for (const id of [1, 2, 3, 4]) peer.return(id, "order");
    await peer.settle();
    await Promise.all(calls);
    making[Symbol.dispose]();
    node.release();
    await peer.expectEmpty();
  });

  it("is finished behind them where it is canceled, once, whatever its Return says of a Finish", async () => {
    const { peer, node, making, calls } = await pipelined();
    const failed = [making, ...calls].map((call) => rejection(call));
    making.cancel();
    const heard = await peer.heard();
    const order = heard.map((message) => message.which());
    expect(order.slice(0, 5)).to.deep.equal(["call", "call", "call", "call", "call"]);
    const finishes = heard.filter((message) => message.which() === "finish").map(({ finish }) => finish);
    expect(finishes.filter(({ questionId }) => questionId === 0).map((one) => one.releaseResultCaps)).to.deep.equal([
      true,
    ]);
    expect((await failed[0])?.code).to.equal("CAPNP_CANCELED");
    for (const id of [1, 2, 3, 4]) peer.send({ return: { answerId: id, exception: { reason: "gone" } } });
    peer.return(0, "make", () => undefined, { releaseParamCaps: false, noFinishNeeded: true });
    const late = await peer.lines();
    expect(late.filter((line) => line === "finish 0")).to.deep.equal([]);
    await Promise.all(failed);
    // The id is free again.
    const next = rejection(node.order(9));
    expect(await peer.lines()).to.deep.equal(["call 0 to import 3"]);
    peer.send({ return: { answerId: 0, exception: { reason: "gone" } } });
    await peer.settle();
    await next;
    node.release();
    await peer.expectEmpty();
  });
});
