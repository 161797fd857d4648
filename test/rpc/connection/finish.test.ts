import { expect } from "chai";
import type { Loose } from "../../support/loose.ts";
import { pending } from "../../support/nodes.ts";
import { ScriptedPeer } from "../../support/scripted-peer.ts";
import { turn } from "../../support/vats.ts";

const finish = (questionId: number, releaseResultCaps = true, early = false) => ({
  finish: { questionId, releaseResultCaps, requireEarlyCancellationWorkaround: early },
});

/** A peer that has bootstrapped: question 0 is its, and so is export 0. */
const withNode = async (methods: Loose, options: object = {}): Promise<ScriptedPeer> => {
  const peer = ScriptedPeer.ofNode(methods, options);
  await peer.bootstrap().heard();
  return peer;
};

describe("Finish before Return", () => {
  it("is answered with canceled, once; the method sees its signal, and what it returns goes nowhere", async () => {
    const { method, ends, aborted } = pending((context) => {
      if (ends.length === 1) context.results.cap = inner;
    });
    const peer = await withNode({ never_context: method });
    const inner = peer.servers.make();
    peer.call(1, { importedCap: 0 }, "never", undefined, (call) => {
      call.params.capTable = [{ senderHosted: 4 }];
    });
    await peer.heard();
    peer.send(finish(1));
    expect(await peer.lines()).to.deep.equal(["return 1 canceled"]);
    expect(aborted).to.deep.equal([0]);
    ends[0]?.();
    expect(await peer.lines()).to.deep.equal(["release 4 x1"]);
    expect(peer.servers.isDisposed(inner)).to.equal(true);
    // The id is the peer's again.
    peer.call(1, { importedCap: 0 }, "never");
    await peer.heard();
    peer.send(finish(1));
    await peer.heard();
    ends[1]?.();
    peer.send(finish(0));
    await peer.settle();
    await peer.expectEmpty();
  });

  it("with the flag of older peers lets a call start that has arrived; without it, it does not", async () => {
    for (const early of [true, false]) {
      const never = pending();
      const peer = await withNode({ never_context: never.method });
      peer.call(1, { importedCap: 0 }, "never").send(finish(1, true, early));
      expect(await peer.lines()).to.deep.equal(["return 1 canceled"]);
      expect(never.ends.length).to.equal(early ? 1 : 0);
      expect(never.aborted).to.have.lengthOf(early ? 1 : 0);
      for (const end of never.ends) end();
      peer.send(finish(0));
      await peer.expectEmpty();
    }
  });

  it("does not cancel what a capability of the results is still awaited for", async () => {
    const calls: number[] = [];
    const making = pending((context) => {
      context.results.node = inner;
    });
    const peer = await withNode({ make_context: making.method });
    const inner = peer.servers.make({
      order({ n }: Loose) {
        calls.push(n);
        return n;
      },
    });
    peer.call(1, { importedCap: 0 }, "make");
    peer.call(2, { promisedAnswer: { questionId: 1, transform: [{ getPointerField: 0 }] } }, "order", (params) => {
      params.n = 5;
    });
    peer.send(finish(1));
    expect(await peer.lines()).to.deep.equal(["return 1 canceled"]);
    expect(making.aborted).to.deep.equal([]);
    making.ends[0]?.();
    expect(await peer.lines()).to.deep.equal(["return 2 results"]);
    expect(calls).to.deep.equal([5]);
    peer.send(finish(0));
    await peer.expectEmpty();
  });

  it("of a call that goes on for its pipeline ends with the connection all the same", async () => {
    const making = pending();
    const peer = await withNode({ make_context: making.method });
    peer.call(1, { importedCap: 0 }, "make");
    peer.call(2, { promisedAnswer: { questionId: 1, transform: [{ getPointerField: 0 }] } }, "order");
    peer.send(finish(1));
    await peer.heard();
    expect(making.aborted).to.deep.equal([]);
    peer.pair.b.destroy();
    await peer.settle();
    expect(making.aborted).to.deep.equal([0]);
    making.ends[0]?.();
    await turn();
    await peer.expectEmptyAfterClose();
  });
});

describe("a call of which only the pipeline is wanted", () => {
  const onlyPipeline = (call: Loose): void => {
    call.onlyPromisePipeline = true;
  };

  it("gets no Return, and answers the calls that are pipelined on it until it is finished", async () => {
    const peer = await withNode({ make: () => inner, fail: () => Promise.reject(new Error("no")) });
    const inner = peer.servers.make({ order: ({ n }: Loose) => n });
    const high = 0x80000001;
    peer.call(high, { importedCap: 0 }, "make", undefined, onlyPipeline);
    const at = (questionId: number) => ({ promisedAnswer: { questionId, transform: [{ getPointerField: 0 }] } });
    peer.call(1, at(high), "order");
    expect(await peer.lines()).to.deep.equal(["return 1 results"]);
    peer.call(1, at(high), "order");
    expect(await peer.lines()).to.deep.equal(["return 1 results"]);
    expect(peer.vat.stats()).to.include({ answers: 2, exports: 1 });
    peer.send(finish(high));
    expect(await peer.lines()).to.deep.equal([]);
    expect(peer.servers.isDisposed(inner)).to.equal(true);
    peer.call(high, { importedCap: 0 }, "fail", undefined, onlyPipeline).call(1, at(high), "order");
    expect(await peer.lines()).to.deep.equal(["return 1 exception"]);
    peer.send(finish(high)).send(finish(1)).send(finish(0));
    await peer.expectEmpty();
  });
});
